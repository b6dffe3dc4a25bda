"""Conditions and ranges of a reader, as RFC 9110 says."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Response
from penstock.serving.conditions import answer_without_content, apply_range, conditions_of
from werkzeug.exceptions import RequestedRangeNotSatisfiable


def test_only_conditions_and_range_are_taken_whatever_their_case() -> None:
    headers = {"if-none-match": '"a"', "RANGE": "bytes=0-", "If-Modified-Since": "x", "Host": "y", "If-Match": ""}
    assert conditions_of(headers) == {
        "REQUEST_METHOD": "GET",
        "HTTP_IF_NONE_MATCH": '"a"',
        "HTTP_RANGE": "bytes=0-",
    }


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, None),
        ({"If-None-Match": '"a"'}, 304),
        ({"If-None-Match": 'W/"a", "b"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"b"'}, None),
        ({"If-Match": '"a"'}, None),
        ({"If-Match": "*"}, None),
        ({"If-Match": '"b"'}, 412),
        ({"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, None),
        ({"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, None),
    ],
)
def test_conditions(headers: dict[str, str], status: int | None) -> None:
    found = answer_without_content(conditions_of(headers), "a")
    assert (found.status_code if found else None) == status
    assert found is None or found.headers["ETag"] == '"a"'


def ranged(environ: dict[str, Any]) -> Response:
    response = Response([b"01234", b"56789"], direct_passthrough=True)
    response.content_length = 10
    response.set_etag("a")
    return apply_range(response, environ, 10)


@pytest.mark.parametrize(
    ("asked", "status", "data"),
    [
        ("", 200, b"0123456789"),
        ("bytes=0-0", 206, b"0"),
        ("bytes=3-6", 206, b"3456"),
        ("bytes=-2", 206, b"89"),
        ("bytes=8-100", 206, b"89"),
        ("lines=1-2", 416, b""),
        ("bytes=10-", 416, b""),
        ("bytes=0-1,4-5", 416, b""),
    ],
)
def test_ranges(asked: str, status: int, data: bytes) -> None:
    environ = conditions_of({"Range": asked})
    if status == 416:
        with pytest.raises(RequestedRangeNotSatisfiable) as caught:
            ranged(environ)
        assert "ask for one range within 10 bytes" in str(caught.value.description)
        return
    response = ranged(environ)
    response.direct_passthrough = False
    assert (response.status_code, response.get_data()) == (status, data)
