"""A function with a mistake in it, from the outside: exit code 78 at start, or a dead letter at the first event."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from penstock.delivery.verdict import DeliveryOutcome, TargetAnswer, judge
from penstock.errors import TemporaryError
from penstock.process.metrics import Metrics
from penstock.serving.app import create_app
from penstock.serving.health import Health

from tests.lake import Lake
from tests.served import free_port, served

FIRST = "from penstock import Result\n"
AT_START = [
    (
        "import util\n\ndef handle(event, context):\n    return util.up(event)\n",
        "util.py is beside handler.py: write `from . import util`",
    ),
    (
        FIRST + "async def handle(event, context):\n    return Result(b'')\n",
        "handle is `async def`; write `def handle(event, context)`",
    ),
    (FIRST + "def handle(req):\n    return req\n", "handle(req) cannot be called with event and context"),
    (FIRST + "def handle(event, context)\n    return Result(b'')\n", "handler.py, line 2: SyntaxError: expected ':'"),
]


@pytest.mark.long
@pytest.mark.parametrize(("text", "says"), AT_START, ids=["import", "async", "one argument", "syntax"])
@pytest.mark.parametrize("command", ["serve", "run"])
def test_mistake_that_can_be_seen_at_start_ends_with_78(command: str, text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(text)
    (tmp_path / "util.py").write_text("def up(event): ...\n")
    given = {
        "serve": ["--host", "127.0.0.1", "--port", str(free_port())],
        "run": ["-f", "upload", "-k", "a.txt", "-t", "processed"],
    }
    settings = {
        "FUNCTION_NAME": "f",
        "MINIO_ENDPOINT": "http://127.0.0.1:9",
        "MINIO_ACCESS_KEY": "a",
        "MINIO_SECRET_KEY": "b",
    }
    done = subprocess.run(
        [sys.executable, "-m", "penstock.cli", command, str(tmp_path), *given[command]],
        env={"PATH": os.environ["PATH"], **(settings if command == "run" else {"FUNCTION_NAME": "f"})},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 78, done.stderr
    assert says in done.stderr.replace('\\"', '"')
    assert "Traceback" not in done.stderr
    assert "gunicorn" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("path", "data", "headers"),
    [
        ("/event", b'{"bucket": "upload", "key": "a.txt"}', {}),
        ("/a.txt", b"hello", {"Content-Type": "text/plain"}),
    ],
    ids=["object", "body"],
)
def test_result_that_is_none_becomes_a_dead_letter_that_says_why(
    make_lake: Callable[..., Lake], path: str, data: bytes, headers: dict[str, str]
) -> None:
    lake = make_lake(lambda _event, _context: {"statusCode": 200, "body": "x"})
    lake.put(b"hello")
    app = create_app(lake.runtime, Health(lake.runtime), Metrics("upper"))
    answer = app.test_client().post(path, data=data, headers=headers)
    document = json.loads(answer.data)
    assert document["error"] == "HandlerError"
    assert document["reason"] == "handle returned dict; return penstock.Result(...)"
    verdict = judge(TargetAnswer(answer.status_code, body=answer.data), time.time())
    assert verdict.outcome is DeliveryOutcome.DEAD, "it must not be tried ten times"
    assert lake.keys() == []


PANICS = (
    FIRST
    + """
import os

class Panic(BaseException):
    pass

def handle(event, context):
    if event.name == "panics":
        raise Panic
    return Result(str(os.getpid()).encode() if event.name == "pid" else (panic() for _ in "a"))

def panic():
    raise Panic

def query(parameters, sink):
    raise Panic
"""
)


def test_what_is_no_exception_is_answered_500_and_ends_no_worker(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(PANICS)
    with served(tmp_path, {"FUNCTION_NAME": "f", "WORKERS": "1", "SINK": f"sqlite://{tmp_path}/index.db"}) as function:
        worker = function.post("/pid", b"a")
        answers = [function.post("/panics", b"a"), function.post("/late", b"a"), function.get("/?q=a")]
        assert [(status, document["error"]) for status, document in answers] == [(500, "InternalError")] * 3
        assert function.post("/pid", b"a") == worker, "other requests of this worker would have been lost"


@pytest.mark.parametrize("wait", ["5", timedelta(seconds=5)], ids=["text", "timedelta"])
def test_a_wait_that_is_no_number_is_told_where_the_handler_gives_it(
    make_lake: Callable[..., Lake], wait: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(_event: object, _context: object) -> None:
        raise TemporaryError("later", retry_after=wait)

    lake = make_lake(handle)
    response = create_app(lake.runtime, Health(lake.runtime), Metrics("upper")).test_client().post("/a.txt", data=b"a")
    assert (response.status_code, response.get_json()["error"]) == (500, "InternalError")
    assert "incident" in response.get_json()
    assert f"TypeError: retry_after={wait!r}: expected seconds as a number" in caplog.text


@pytest.mark.parametrize("wait", [math.inf, math.nan])
def test_a_wait_without_an_end_is_left_to_the_caller(make_lake: Callable[..., Lake], wait: float) -> None:
    def handle(_event: object, _context: object) -> None:
        raise TemporaryError("later", retry_after=wait)

    lake = make_lake(handle)
    response = create_app(lake.runtime, Health(lake.runtime), Metrics("upper")).test_client().post("/a.txt", data=b"a")
    assert response.status_code == 503
    assert "Retry-After" not in response.headers
