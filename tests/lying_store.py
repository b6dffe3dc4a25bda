"""A small S3 server over HTTP that can be told to lie: pages in place of objects, halves in place of wholes."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from werkzeug import Request, Response

PAGE = b"<html><body>hello</body></html>"
_DATE = "Sat, 21 Nov 2026 05:00:00 GMT"

Lie = Callable[[Request, Response], Response]


@dataclass
class LyingStore:
    """Objects by path, `/bucket/key`. `lie` sees every request with its right answer, and gives the answer to send.

    `stands_before` sees every request first. What it answers comes in the store's place, which then does nothing.
    """

    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    lie: Lie = lambda _request, answer: answer
    stands_before: Callable[[Request], Response | None] = lambda _request: None
    _parts: dict[int, bytes] = field(default_factory=dict)
    _headers: dict[str, str] = field(default_factory=dict)

    def answer(self, request: Request) -> Response:
        answer = self.stands_before(request)
        if answer is not None:
            return answer
        answer = self._answer(request)
        answer.headers["x-amz-request-id"] = "17A"
        return self.lie(request, answer)

    def put(self, path: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.objects[path] = (data, headers or {})

    def _answer(self, request: Request) -> Response:
        raw = str(request.environ.get("REQUEST_URI", request.path)).partition("?")[0]
        path, wanted = unquote_to_bytes(raw).decode(), request.args
        kept = {name: value for name, value in request.headers if name.lower().startswith("x-amz-meta-")}
        kept["Content-Type"] = request.headers.get("Content-Type", "binary/octet-stream")
        if request.method == "POST" and "uploads" in wanted:
            self._parts, self._headers = {}, kept
            return _xml("<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
        if request.method == "POST":
            etags = {_etag(data).strip('"') for data in self._parts.values()}
            if not set(re.findall('<ETag>(?:&quot;|"|)([^<&"]*)', request.get_data(as_text=True))) <= etags:
                return _xml("<Error><Code>InvalidPart</Code></Error>", 400)
            self.objects[path] = (b"".join(data for _, data in sorted(self._parts.items())), self._headers)
            return _xml('<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>')
        if request.method == "PUT":
            data = request.get_data()
            if "partNumber" in wanted:
                self._parts[int(wanted["partNumber"])] = data
            else:
                self.objects[path] = (data, kept)
            return Response(b"", headers={"ETag": _etag(data)})
        if request.method == "DELETE":
            if "uploadId" not in wanted:
                self.objects.pop(path, None)
            return Response(status=204)
        if path not in self.objects:
            return _xml("<Error><Code>NoSuchKey</Code></Error>", 404)
        data, headers = self.objects[path]
        return Response(data, headers={"Last-Modified": _DATE, "ETag": _etag(data), **headers})


def half(answer: Response) -> Response:
    """The same object, cut: its ETag and its headers, and a length that fits the half."""
    data = answer.get_data()
    made = Response(data[: len(data) // 2], answer.status_code, answer.headers)
    made.content_length = len(data) // 2
    return made


def page(etag: str = "") -> Response:
    """What a proxy or a login page answers to everything, with status 200."""
    headers = {"ETag": etag} if etag else {}
    return Response(PAGE, 200, {"Last-Modified": _DATE, **headers}, content_type="text/html")


@functools.lru_cache(maxsize=16)  # the same large body is asked for again and again
def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _xml(text: str, status: int = 200) -> Response:
    return Response(text, status, content_type="application/xml")
