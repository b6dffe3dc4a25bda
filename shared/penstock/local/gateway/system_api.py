"""OpenFaaS's `/system/...`: what faas-cli's list, describe, diff, ready, deploy, remove, logs and scale ask for.

Source of the fields: the JSON that faas-cli reads and writes (openfaas/faas-provider, types). `faas-cli diff` compares
a stack file with the list, so the list has the settings as they were asked for. `describe` has those that are used:
this stack has a store and an index of its own.
"""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response, abort, request

from penstock import __version__
from penstock.connect.edition import LOCAL, REPLICAS_ZERO, Edition
from penstock.errors import EventError
from penstock.json_text import read_object
from penstock.local.functions.function import LocalFunction
from penstock.local.functions.functions import LocalFunctions
from penstock.local.functions.logs import LogLine
from penstock.local.gateway.deployments import NAMESPACE, Deployments
from penstock.settings.durations import parse_moment
from penstock.settings.numbers import whole_number
from penstock.settings.stackfile import Resources

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def make_blueprint(functions: LocalFunctions, deployments: Deployments) -> Blueprint:
    """The routes under /system; errors are left to the application."""
    api = Blueprint("system", __name__, url_prefix="/system")

    def listed(function: LocalFunction) -> dict[str, Any]:
        return _status(function, deployments.declared(function.spec.name) or function.spec.environment)

    @api.get("/functions")
    def list_functions() -> Response:
        wanted = request.args.get("namespace") or NAMESPACE
        found = [listed(function) for function in functions] if wanted == NAMESPACE else []
        return _json(sorted(found, key=lambda status: str(status["name"])))

    @api.post("/functions")
    def deploy() -> Response:
        return _text(deployments.deploy(_document(), must_exist=False), 202)

    @api.put("/functions")
    def update() -> Response:
        return _text(deployments.deploy(_document(), must_exist=True), 202)

    @api.delete("/functions")
    def remove() -> Response:
        name = _document().get("functionName")
        if not isinstance(name, str) or not name:
            raise EventError("functionName: missing; it names the function to remove")
        deployments.remove(name)
        return _text(f"{name}: removed", 202)

    @api.get("/function/<name>")
    def describe(name: str) -> Response:
        function = functions.get(_bare(name))
        status = _status(function, function.environment)
        if request.args.get("usage") in ("1", "true"):
            status["usage"] = {"cpu": 0.0, "totalMemoryBytes": _memory_bytes(function)}
        return _json(status)

    @api.post("/scale-function/<name>")
    def scale(name: str) -> Response:
        function = functions.get(_bare(name))
        replicas = _document().get("replicas")
        if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
            raise EventError("replicas: expected a whole number of at least 0")
        if not replicas and deployments.edition is Edition.CE:
            raise EventError(REPLICAS_ZERO)
        if replicas:
            function.start()
            return _text(f"{name}: runs; this stack has one machine and so at most one replica", 202)
        function.stop()
        return _text(f"{name}: stopped", 202)

    @api.get("/logs")
    def logs() -> Response:
        function = functions.get(_bare(request.args.get("name", "")))
        tail = _lines(request.args.get("tail", ""))
        follow = request.args.get("follow", "").lower() in ("1", "true")
        instance = request.args.get("instance", "")
        since = _since(request.args.get("since", ""))

        def lines() -> Iterator[str]:
            last = 0
            for line in function.logs.tail(tail, since=since):
                last = line.number
                if not instance or line.instance == instance:
                    yield _log_json(function.spec.name, line)
            if follow:
                for followed in function.logs.follow(last):
                    if followed is None:
                        yield "\n"  # shows a caller that went away; JSON readers skip it
                    elif not instance or followed.instance == instance:
                        yield _log_json(function.spec.name, followed)

        return Response(lines(), content_type="application/x-ndjson")

    @api.get("/info")
    def info() -> Response:
        version = {"release": __version__, "sha": "", "commit_message": ""}
        provider = {
            "provider": LOCAL,
            "orchestration": "local processes",
            "version": version,
            "edition": deployments.edition.value,
        }
        return _json({"provider": provider, "version": version, "arch": platform.machine()})

    @api.get("/namespaces")
    def namespaces() -> Response:
        return _json([NAMESPACE])

    @api.get("/namespace/<name>")
    def namespace(name: str) -> Response:
        if name != NAMESPACE:
            abort(404, f"namespace {name!r} does not exist; there is {NAMESPACE}")
        return _json({"name": NAMESPACE, "labels": {}, "annotations": {}})

    # go-sdk posts to the path with the slash.
    @api.post("/namespace/")
    def create_namespace() -> Response:
        if _document().get("name") == NAMESPACE:
            abort(409, f"namespace {NAMESPACE} exists already")
        abort(501, f"this stack has one namespace, {NAMESPACE}; more of them need a paid edition of OpenFaaS")

    @api.route("/namespace/<name>", methods=["PUT", "DELETE"])
    def change_namespace(name: str) -> Response:
        _bare(f"any.{name}")
        abort(501, f"{NAMESPACE} is this stack's only namespace and stays as it is")

    return api


def _status(function: LocalFunction, environment: Mapping[str, str]) -> dict[str, Any]:
    spec = function.spec
    status: dict[str, Any] = {
        "name": spec.name,
        "image": spec.image,
        "namespace": NAMESPACE,
        "envProcess": spec.fprocess,
        "envVars": dict(environment),
        "constraints": list(spec.constraints),
        "secrets": list(spec.secrets),
        "labels": dict(spec.labels),
        "annotations": dict(spec.annotations),
        "readOnlyRootFilesystem": spec.readonly_root_filesystem,
        "invocationCount": function.invocations,
        "replicas": function.replicas,
        "availableReplicas": function.replicas,
        "createdAt": datetime.fromtimestamp(function.created, UTC).isoformat().replace("+00:00", "Z"),
    }
    for name, resources in (("limits", spec.limits), ("requests", spec.requests)):
        if isinstance(resources, Resources):
            status[name] = {"memory": resources.memory, "cpu": resources.cpu}
    return status


def _log_json(name: str, line: LogLine) -> str:
    moment = datetime.fromtimestamp(line.time, UTC).isoformat().replace("+00:00", "Z")
    fields = {"name": name, "namespace": NAMESPACE, "instance": line.instance, "timestamp": moment, "text": line.text}
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _lines(text: str) -> int:
    """How many of the last lines; a negative number stands for all."""
    try:
        return whole_number(text) if text else -1
    except ValueError as exc:
        raise EventError(f"tail={text[:40]!r}: {exc} of lines, or -1 for all") from exc


def _since(text: str) -> float:
    """RFC 3339 or a Go duration back from now, in seconds since the epoch."""
    if not text:
        return 0.0
    try:
        return parse_moment(text).timestamp()
    except ValueError as exc:
        raise EventError(f"since={exc}") from exc


def _memory_bytes(function: LocalFunction) -> int:
    """Resident memory of all processes of the function, where /proc tells; 0 when it does not run."""
    leader, total = function.pid, 0
    if leader is None:
        return 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        # proc(5): after the name come state, ppid, pgrp, session ... and rss in pages as the 22nd.
        if int(fields[3]) == leader:
            total += int(fields[21]) * _PAGE_BYTES
    return total


def _document() -> Mapping[str, Any]:
    return read_object(request.get_data(cache=False))


def _bare(name: str) -> str:
    """A name without its namespace."""
    bare, _, namespace = name.partition(".")
    if namespace and namespace != NAMESPACE:
        abort(404, f"namespace {namespace!r} does not exist; there is {NAMESPACE}")
    return bare


def _json(document: Any) -> Response:
    return Response(json.dumps(document, ensure_ascii=False), content_type="application/json")


def _text(text: str, status: int) -> Response:
    return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8")
