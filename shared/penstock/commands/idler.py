"""`penstock idler`: set functions of OpenFaaS that nobody calls to zero replicas; the gateway wakes them by itself.

The labels com.openfaas.scale.zero and .zero-duration are acted on by OpenFaaS's paid autoscaler only. This does the
same with the gateway's REST API (openfaas/faas, api-docs/spec.openapi.yml): GET /system/functions for labels, replicas
and invocation counts, POST /system/scale-function/NAME. Never run it beside the paid autoscaler.
"""

import argparse
import base64
import json
import logging
import os
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from penstock.connect import settings
from penstock.delivery.measures import DeliveryMeasures
from penstock.errors import ConfigError, TemporaryError
from penstock.process.log import set_up_logging
from penstock.process.signals import stop_on_signals
from penstock.process.status_server import StatusServer
from penstock.settings.durations import DEFAULT_IDLE, parse_duration
from penstock.settings.environment import read_secret

TIMEOUT_SECONDS = 10.0
EVERY_SECONDS = 30.0
_STARTED = "gateway_function_invocation_started"
_ENDED = "gateway_function_invocation_total"
_STOPPED = ("penstock_idler_stopped", "Functions set to zero replicas.")

_log = logging.getLogger("penstock.idler")


@dataclass(frozen=True, slots=True)
class Deployed:
    """A function as the gateway describes it. `version` changes when it is deployed anew."""

    name: str
    replicas: int
    invocations: float
    idle_seconds: float | None
    version: str = ""


class Gateway(Protocol):
    """What the idler asks of a gateway; both raise `TemporaryError` when it does not answer."""

    def functions(self) -> Iterable[Deployed]: ...

    def stop(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Activity:
    """Requests that were started and that ended, by function, since some time in the past."""

    started: Mapping[str, float] = field(default_factory=dict)
    ended: Mapping[str, float] = field(default_factory=dict)


class Idler:
    """Remembers when each function was last seen at work; a new one starts to know nothing, and waits."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        activity: Callable[[], Activity] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._activity = activity
        self._clock = clock
        self._quiet: dict[str, tuple[object, float]] = {}

    def look(self) -> list[str]:
        """Stop what has been idle for long enough and name it; raises `TemporaryError` with nothing forgotten."""
        activity = self._activity() if self._activity else None
        functions = list(self._gateway.functions())
        now = self._clock()
        candidates = {each.name: each for each in functions if each.replicas > 0 and each.idle_seconds is not None}
        # What is gone or asleep is new when it comes back.
        self._quiet = {name: seen for name, seen in self._quiet.items() if name in candidates}
        stopped = []
        for name, each in candidates.items():
            mark, busy = _signs(each, activity)
            before, since = self._quiet.get(name, (None, now))
            if busy or before != mark:
                self._quiet[name] = (mark, now)
            elif each.idle_seconds is not None and now - since >= each.idle_seconds:
                self._gateway.stop(name)
                del self._quiet[name]
                stopped.append(name)
        return stopped


def _signs(function: Deployed, activity: Activity | None) -> tuple[object, bool]:
    """What changes with every request, and whether one is under way, as far as that is known."""
    if activity is None:
        return (function.version, function.invocations), False
    started, ended = activity.started.get(function.name, 0.0), activity.ended.get(function.name, 0.0)
    return (function.version, started, ended), started > ended


class RestGateway:
    """OpenFaaS's gateway over its REST API."""

    def __init__(self, url: str, *, namespace: str = "", login: tuple[str, str] = ("", ""), ca_file: str | None = None):
        if urlsplit(url).scheme not in ("http", "https"):
            raise ConfigError(f"gateway {url!r}: expected http://HOST:PORT or https://HOST:PORT")
        self._url = url.rstrip("/")
        self._namespace = namespace
        self._query = f"?{urlencode({'namespace': namespace})}" if namespace else ""
        self._headers = {"Accept": "application/json"}
        if login[0]:
            self._headers["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode("ascii")
        self._ca_file = ca_file

    def functions(self) -> list[Deployed]:
        try:
            return [_deployed(entry) for entry in json.loads(self._call("GET", "/system/functions"))]
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise TemporaryError(f"gateway {self._url}: no list of functions: {exc}") from exc

    def stop(self, name: str) -> None:
        body = {"serviceName": name, "replicas": 0} | ({"namespace": self._namespace} if self._namespace else {})
        self._call("POST", f"/system/scale-function/{quote(name)}", body)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers | ({} if data is None else {"Content-Type": "application/json"})
        request = urllib.request.Request(f"{self._url}{path}{self._query}", data, headers, method=method)  # noqa: S310
        return _fetch(request, self._ca_file, "gateway")


class Prometheus:
    """The gateway's two invocation counters, added up over its replicas: they show requests that are under way."""

    def __init__(self, url: str, *, namespace: str = "", ca_file: str | None = None) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ConfigError(f"Prometheus {url!r}: expected http://HOST:PORT or https://HOST:PORT")
        self._url = url.rstrip("/")
        self._namespace = namespace
        self._ca_file = ca_file

    def activity(self) -> Activity:
        """Both counters as they are now; raises `TemporaryError`."""
        return Activity(self._sum(_STARTED), self._sum(_ENDED))

    def _sum(self, metric: str) -> dict[str, float]:
        query = urlencode({"query": f"sum by (function_name) ({metric})"})
        request = urllib.request.Request(f"{self._url}/api/v1/query?{query}")  # noqa: S310 - the scheme is checked
        try:
            found = json.loads(_fetch(request, self._ca_file, "Prometheus"))["data"]["result"]
            values = {each["metric"]["function_name"]: float(each["value"][1]) for each in found}
        except (ValueError, TypeError, KeyError, IndexError) as exc:
            raise TemporaryError(f"Prometheus {self._url}: not the answer to a query: {exc}") from exc
        # The gateway appends the namespace to the name; which functions are ours is decided by the gateway's list.
        return {name.removesuffix(f".{self._namespace or 'openfaas-fn'}"): value for name, value in values.items()}


def _deployed(entry: Mapping[str, Any]) -> Deployed:
    labels = entry.get("labels") or {}
    idle_seconds = None
    if str(labels.get("com.openfaas.scale.zero", "")).lower() == "true":
        text = labels.get("com.openfaas.scale.zero-duration", DEFAULT_IDLE)
        try:
            idle_seconds = parse_duration(text)
        except ValueError as exc:
            _log.warning("%s: label com.openfaas.scale.zero-duration: %s; it is left alone", entry["name"], exc)
    return Deployed(
        str(entry["name"]),
        int(entry.get("replicas") or 0),
        float(entry.get("invocationCount") or 0),
        idle_seconds,
        str(entry.get("createdAt", "")) + str(entry.get("image", "")),
    )


def _fetch(request: urllib.request.Request, ca_file: str | None, what: str) -> bytes:
    context = ssl.create_default_context(cafile=ca_file) if request.full_url.startswith("https:") else None
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310
            return bytes(answer.read())
    except (OSError, ValueError) as exc:  # an error status is an OSError too
        raise TemporaryError(f"{what} {request.full_url}: {exc}; check the address and basic-auth") from exc


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument("--gateway", metavar="URL", help="OpenFaaS gateway (default: GATEWAY_URL)")
    parser.add_argument("--namespace", default="", help="namespace of the functions (default: the gateway's own)")
    parser.add_argument(
        "--prometheus",
        metavar="URL",
        help="ask this server for the gateway's counters, which show requests under way (default: PROMETHEUS_URL; "
        "without one the gateway's invocationCount decides, and a request longer than the idle time is cut off)",
    )
    parser.add_argument("--every-seconds", type=float, default=EVERY_SECONDS, metavar="N", help="default: %(default)s")
    parser.add_argument("--once", action="store_true", help="say whether the gateway answers, and end")
    parser.add_argument("--listen", metavar="HOST:PORT", help="address to listen on (default: 0.0.0.0:PORT, else 8080)")
    parser.add_argument("--ca-file", metavar="FILE", help="PEM file with a private CA (default: CA_FILE)")


def make_idler(args: argparse.Namespace, env: Mapping[str, str]) -> Idler:
    """The idler of flags and environment; raises `ConfigError`."""
    url = args.gateway or env.get("GATEWAY_URL", "")
    if not url:
        raise ConfigError("no gateway: give --gateway URL, or set GATEWAY_URL")
    if args.every_seconds <= 0:
        raise ConfigError(f"--every-seconds {args.every_seconds:g}: expected more than 0")
    ca_file = settings.ca_file_from(args, env)
    login = (read_secret(env, "BASIC_AUTH_USER"), read_secret(env, "BASIC_AUTH_PASSWORD"))
    gateway = RestGateway(url, namespace=args.namespace, login=login, ca_file=ca_file)
    prometheus = args.prometheus or env.get("PROMETHEUS_URL", "")
    activity = Prometheus(prometheus, namespace=args.namespace, ca_file=ca_file).activity if prometheus else None
    return Idler(gateway, activity=activity)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Look again and again until SIGTERM or Ctrl+C; raises `ConfigError`."""
    set_up_logging(env.get("LOG_LEVEL", "INFO"))
    idler = make_idler(args, env)
    if args.once:
        idler.look()
        return 0
    stopping = threading.Event()
    stop_on_signals(stopping.set)
    measures = DeliveryMeasures()
    measures.count(*_STOPPED, 0)
    problem = ["the gateway was not asked yet"]
    status = StatusServer(settings.address_from(args, env), measures, ill=str, unready=lambda: problem[0])
    status.start()
    try:
        while not stopping.is_set():
            problem[0] = _look(idler, measures, problem[0])
            stopping.wait(args.every_seconds)
    finally:
        status.stop()
    return 0


def _look(idler: Idler, measures: DeliveryMeasures, before: str) -> str:
    """One look; returns what went wrong, "" when nothing did, and logs it when that is news."""
    try:
        stopped = idler.look()
    except TemporaryError as exc:
        if str(exc) != before:
            _log.error("%s", exc)
        return str(exc)
    for name in stopped:
        _log.info("%s: idle, set to zero replicas", name)
    measures.count(*_STOPPED, len(stopped))
    return ""
