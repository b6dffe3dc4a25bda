"""What a reader's conditions and range mean for a variant: 304, 412, 206 or 416, as RFC 9110 says.

A variant has an ETag and no date: the same source gives another variant after a change of the options. So
If-Modified-Since and If-Unmodified-Since say nothing here and are ignored.
"""

from collections.abc import Mapping
from typing import Any

from flask import Response
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import is_resource_modified, parse_etags

_CONDITIONS = ("If-Match", "If-None-Match", "If-Range", "Range")


def conditions_of(headers: Mapping[str, str]) -> dict[str, Any]:
    """The WSGI environment of a GET with only the conditions and the range of these headers; names as usual."""
    lower = {name.lower(): value for name, value in headers.items()}
    found = {f"HTTP_{name.upper().replace('-', '_')}": lower.get(name.lower(), "") for name in _CONDITIONS}
    if found["HTTP_IF_MATCH"].strip() == "*":
        del found["HTTP_IF_MATCH"]  # there is a result, so it holds; werkzeug says that it does not
    return {"REQUEST_METHOD": "GET", **{name: value for name, value in found.items() if value}}


def answer_without_content(environ: Mapping[str, Any], etag: str) -> Response | None:
    """The answer 304 or 412 where the conditions ask for it, before any work; else None."""
    if is_resource_modified(dict(environ), etag=etag):
        return None
    response = Response(status=412 if parse_etags(environ.get("HTTP_IF_MATCH")) else 304)
    response.set_etag(etag)
    return response


def apply_range(response: Response, environ: Mapping[str, Any], size: int) -> Response:
    """Make a response of `size` bytes a 206 where one range is asked for; raises werkzeug's error for 416."""
    try:
        response.make_conditional(dict(environ), accept_ranges=True, complete_length=size)
    except RequestedRangeNotSatisfiable as exc:
        response.close()
        exc.description = f"range {environ.get('HTTP_RANGE', '')[:80]!r}: ask for one range within {size} bytes"
        raise
    return response
