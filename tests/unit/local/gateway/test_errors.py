"""What goes wrong in an application of gateway or console is answered in plain text, and never with a trace."""

import logging
from collections.abc import Callable

import pytest
from flask import Flask, abort
from penstock.errors import EventError, PenstockError, TemporaryError
from penstock.local.gateway.errors import answer_errors

RAISED: dict[str, tuple[Callable[[], Exception], int, str]] = {
    "event": (lambda: EventError("bucket: missing"), 400, "bucket: missing"),
    "later": (lambda: TemporaryError("the bridge does not answer"), 503, "the bridge does not answer"),
    "other": (lambda: PenstockError("an odd setting"), 400, "an odd setting"),
    "defect": (lambda: ZeroDivisionError("a detail"), 500, "unexpected error; the trace is in this test"),
}


@pytest.mark.parametrize("name", RAISED)
def test_each_error_has_its_status_and_its_words(name: str, caplog: pytest.LogCaptureFixture) -> None:
    make, status, words = RAISED[name]
    app = Flask(__name__)
    answer_errors(app, logging.getLogger("test"), "this test")

    @app.get("/")
    def home() -> str:
        raise make()

    answer = app.test_client().get("/")
    assert (answer.status_code, answer.text, answer.mimetype) == (status, f"{words}\n", "text/plain")
    assert ("a detail" in caplog.text) == (status == 500)


def test_a_refusal_of_the_server_has_its_words() -> None:
    app = Flask(__name__)
    answer_errors(app, logging.getLogger("test"), "this test")

    @app.get("/")
    def home() -> str:
        abort(413, "at most 64 KiB")

    client = app.test_client()
    assert (client.get("/").status_code, client.get("/").text) == (413, "at most 64 KiB\n")
    assert client.get("/nothing").status_code == 404
