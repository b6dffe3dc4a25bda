"""How the applications of gateway and console answer what goes wrong: in plain text, and never with a trace."""

import logging
from typing import Final

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from penstock.errors import PenstockError

_DEFECT: Final = 500


def answer_errors(app: Flask, log: logging.Logger, output: str) -> None:
    """Add the handlers; `log` gets the traces, and `output` names where it goes."""

    @app.errorhandler(PenstockError)
    def failed(exc: PenstockError) -> Response:
        status = int(exc.status)
        return text(str(exc), 400 if status == _DEFECT else status)

    @app.errorhandler(HTTPException)
    def refused(exc: HTTPException) -> Response:
        return text(exc.description or exc.name, exc.code or _DEFECT)

    @app.errorhandler(Exception)
    def crashed(_exc: Exception) -> Response:
        log.exception("%s %s", request.method, request.path)
        return text(f"unexpected error; the trace is in {output}", _DEFECT)


def text(words: str, status: int) -> Response:
    """A short answer in plain text."""
    return Response(f"{words}\n", status, content_type="text/plain; charset=utf-8")
