"""A function and the bridge, served as in their images, against their own descriptions in OpenAPI.

schemathesis makes requests from the description, right ones and wrong ones. No answer may be undocumented, of another
type or form than described, or a 500 without the incident under which the log has it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from penstock.process.openapi import PATH
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.schemas import APIOperation

from tests.served import free_port, served

EXAMPLES = 25
load_all_checks()
# What a description says, and no more: a body that does not follow it may be taken, because it is a file.
CHECKED = CHECKS.get_by_names(
    ["status_code_conformance", "content_type_conformance", "response_schema_conformance", "response_headers_conformance"]
)


@contextmanager
def bridge(folder: Path) -> Iterator[str]:
    """The URL of a bridge whose sink is away."""
    port = free_port()
    argv = [sys.executable, "-m", "penstock.cli", "bridge", "--inbox", str(folder / "inbox.db")]
    argv += ["--listen", f"127.0.0.1:{port}", "--to", "http://127.0.0.1:9/function/f", "--allow-anonymous"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "DRAIN_SECONDS": "1"})
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
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


def try_everything(url: str) -> int:
    """Send requests for every operation; returns the number of operations. Raises what schemathesis finds."""
    schema = schemathesis.openapi.from_url(f"{url}{PATH}")
    count = 0
    for found in schema.get_all_operations():
        operation: APIOperation = found.ok()
        count += 1

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(base_url=url, checks=CHECKED, timeout=60)

        check()
    return count


@pytest.mark.parametrize("extra", [{}, {"FUNCTION_TOKEN": "hunter2"}, {"SEARCH": "off", "BODY_MODE": "off"}])
@pytest.mark.parametrize("name", ["compress"])
def test_a_function_answers_as_it_is_described(name: str, extra: dict[str, str]) -> None:
    environment = {
        "FUNCTION_NAME": name,
        "SOURCE": "s3://upload/*",
        "SINK": "s3://processed/{key}.gz",
        # A store that is away: every object ends with 503.
        "MINIO_ENDPOINT": "http://127.0.0.1:9",
        "MINIO_ACCESS_KEY": "reader",
        "MINIO_SECRET_KEY": "reader-secret",
        "DEADLINE_SECONDS": "5",
        "THREADS": "4",
    }
    with served(name, environment | extra) as function:
        if "FUNCTION_TOKEN" in extra:
            status, document = function.get(PATH)
            assert (status, document["error"]) == (401, "Unauthorized")
        else:
            assert try_everything(function.url) == 8


def test_the_bridge_answers_as_it_is_described(tmp_path: Path) -> None:
    with bridge(tmp_path) as url:
        assert try_everything(url) == 7
