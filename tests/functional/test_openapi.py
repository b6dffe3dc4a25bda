"""Functions, the bridge and the local gateway, served as they are, against their own descriptions in OpenAPI.

schemathesis makes requests from a description, such as it allows and such as it does not. No answer may be undescribed,
of another type or form than described, or a 500.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from penstock.local.gateway.access import Access
from penstock.local.gateway.description import OPERATIONS as GATEWAY
from penstock.process.openapi import PATH
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.schemas import APIOperation

from tests.served import free_port, served
from tests.unit.local.conftest import Bench
from tests.unit.local.gateway.conftest import Running

# Where the same operations are asked as in another test, under other settings, fewer requests for each will do.
EXAMPLES, FEWER_EXAMPLES = 8, 4
load_all_checks()
# What a description says, and no more: a body that does not follow it may be taken, because it is a file.
CHECKED: Any = CHECKS.get_by_names(
    [
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
    ]
)


@contextmanager
def bridge(folder: Path, **settings: str) -> Iterator[str]:
    """The URL of a bridge whose sink is away."""
    port = free_port()
    argv = [sys.executable, "-m", "penstock.cli", "bridge", "--inbox", str(folder / "inbox.db")]
    argv += ["--listen", f"127.0.0.1:{port}", "--to", "http://127.0.0.1:9/function/f"]
    argv += [] if "BRIDGE_TOKEN" in settings else ["--allow-anonymous"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "DRAIN_SECONDS": "1", **settings})
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 180
        while True:
            try:
                with urllib.request.urlopen(f"{url}/_/health", timeout=5):
                    break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < end, "the bridge does not answer"
                time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def try_everything(
    url: str, examples: int, *, headers: Mapping[str, str] | None = None, names: tuple[str, ...] = ()
) -> set[str]:
    """Send requests for every operation; returns the operations. Raises what schemathesis finds.

    `names` are what a path's `{name}`, and a body's own name, are in half of the requests.
    """
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}{PATH}", headers=dict(headers or {})), timeout=60
    ) as answer:
        schema = schemathesis.openapi.from_dict(json.load(answer))
    tried = set()
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr] # raises for an operation that cannot be read
        tried.add(operation.label)
        if operation.path != "/ui/feed":  # its answer does not end
            try_operation(operation, examples, url, headers or {}, names)
    return tried


def try_operation(
    operation: APIOperation[Any, Any, Any, Any],
    examples: int,
    url: str,
    headers: Mapping[str, str],
    names: tuple[str, ...],
) -> None:
    allowed = operation.as_strategy()
    other = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE) if operation.body else allowed

    @given(case=st.one_of(allowed, other), name=st.sampled_from(["", *names]))
    @settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: schemathesis.Case[Any], name: str) -> None:
        case.query.pop("follow", None)  # its answer does not end
        if name:
            call_it(case, name)
        response = case.call_and_validate(base_url=url, headers=dict(headers), checks=CHECKED, timeout=60)
        assert response.status_code != 500, case.as_curl_command()

    check()


def call_it(case: schemathesis.Case[Any], name: str) -> None:
    """Let a request be about the function, or about the bucket, that is there."""
    if "name" in case.path_parameters:
        case.path_parameters["name"] = name
    if "name" in case.query:
        case.query["name"] = name
    if "bucket" in case.query:
        case.query["bucket"] = "upload"
    if isinstance(case.body, dict) and "service" in case.body:
        case.body["service"] = name


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "extra", "examples"),
    [
        ("compress", {}, EXAMPLES),
        ("index", {"SINK": "sqlite://{folder}/index.db"}, FEWER_EXAMPLES),
        ("compress", {"SEARCH": "off", "BODY_MODE": "off"}, FEWER_EXAMPLES),
        ("compress", {"FUNCTION_TOKEN": "hunter2", "SIGNED_URL_KEY": "the-key-of-the-page"}, EXAMPLES),
    ],
)
def test_a_function_answers_as_it_is_described(name: str, extra: dict[str, str], examples: int, tmp_path: Path) -> None:
    environment = {"FUNCTION_NAME": name, "THREADS": "4"}
    filled = {key: value.replace("{folder}", str(tmp_path)) for key, value in extra.items()}
    headers = {"Authorization": "Bearer hunter2"} if "FUNCTION_TOKEN" in extra else {}
    with served(name, environment | filled) as function:
        tried = try_everything(function.url, examples, headers=headers)
        if headers:
            status, document = function.get(PATH)
            assert (status, document["error"]) == (401, "Unauthorized")
    assert {"POST /event", "POST /", "POST /{path}", "GET /", f"GET {PATH}"} <= tried
    assert ("GET /read/{path}" in tried) == ("SIGNED_URL_KEY" in extra)


@pytest.mark.long
@pytest.mark.parametrize(
    ("extra", "examples"),
    [
        ({}, EXAMPLES),
        ({"BRIDGE_TOKEN": "hunter2"}, FEWER_EXAMPLES),
        ({"CONSOLE_TOKEN": "hunter2"}, FEWER_EXAMPLES),
    ],
)
def test_the_bridge_answers_as_it_is_described(extra: dict[str, str], examples: int, tmp_path: Path) -> None:
    with bridge(tmp_path, **extra) as url:
        tried = try_everything(url, examples)
    assert {"POST /", "POST /dead-letters", "POST /dead-letters/{token}", "GET /metrics"} <= tried
    assert ("GET /inbox" in tried) == ("CONSOLE_TOKEN" in extra)


@pytest.mark.long
def test_the_local_gateway_answers_as_it_is_described(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    functions = bench.functions(bench.spec(SOURCE="s3://upload/*.csv", SINK="s3://processed/{key}.gz"))
    running = Running(bench, functions, Access())
    try:
        assert len(try_everything(running.server.url, EXAMPLES, names=("echo",))) == len(GATEWAY)
    finally:
        running.close()
        bench.close()
