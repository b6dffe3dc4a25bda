"""Reading a request: its body in chunks, its options, the name of its input."""

from collections.abc import Iterator
from typing import BinaryIO, cast

from flask import request
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_options_header

from penstock.errors import EventError, InputTooLarge, PenstockError, TemporaryError
from penstock.streams import read_chunks

MAX_CALL_BYTES = 1024 * 1024
"""The most that a call of Object Lambda may have: it names an object and has none in it."""


def limit_body(most: int, subject: str, setting: str) -> None:
    """Let the request's body be read up to `most` bytes; `subject` and `setting` are for the error's text.

    Raises `InputTooLarge` when the request says that it has more.
    """
    if (request.content_length or 0) > most:
        raise InputTooLarge(f"{subject}: {request.content_length} bytes; {setting}")
    request.max_content_length = most


def body_chunks() -> Iterator[bytes]:
    """The bytes of the request's body.

    Raises `TemporaryError` when they are fewer than the request said, which gunicorn does not notice, and `EventError`
    when they are malformed.
    """
    coding = request.headers.get("Transfer-Encoding", "chunked")
    if coding.strip(" \t").lower() != "chunked":  # gunicorn lets gzip through, and does not unpack it
        raise EventError(f"the request's body is malformed: Transfer-Encoding {coding[:40]!r}; send it as chunked")
    got = 0
    try:
        for chunk in read_chunks(cast("BinaryIO", request.stream)):
            got += len(chunk)
            yield chunk
    except (HTTPException, PenstockError, GeneratorExit):
        raise
    except Exception as exc:
        raise EventError(f"the request's body is malformed: {exc}") from exc
    if got < (request.content_length or 0):
        raise TemporaryError("the request broke off before its end")


def whole_body(most: int) -> bytes:
    """The request's body, of at most `most` bytes; raises what `body_chunks` raises, or werkzeug's 413."""
    request.max_content_length = most
    return b"".join(body_chunks())


def query_options(called: str = "option") -> dict[str, str]:
    """The options in the query string, or what else they are `called`; raises `EventError` for one given twice."""
    twice = [name for name, values in request.args.lists() if len(values) > 1]
    if twice:
        raise EventError("; ".join(f"{called} {name[:80]!r} is given twice; give it once" for name in twice))
    return request.args.to_dict()


def input_name(path: str) -> str:
    """The name of the input: the last part of the path, else what Content-Disposition says, else `input`."""
    if path:
        return path.rpartition("/")[2] or "input"
    _, given = parse_options_header(request.headers.get("Content-Disposition", ""))
    return given.get("filename", "").replace("\\", "/").rpartition("/")[2] or "input"


def came_as_cloudevent() -> bool:
    """Whether the caller sent a CloudEvent, in binary or in structured mode."""
    return "ce-specversion" in request.headers or request.mimetype == "application/cloudevents+json"
