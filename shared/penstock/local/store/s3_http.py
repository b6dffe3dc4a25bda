"""S3 over WSGI: requests read and checked, error answers, and which event a request causes."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs, unquote_to_bytes
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from penstock.errors import PenstockError
from penstock.local.store.signature import SignatureError, check_signature

_NOT_IN_XML: Final = (
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]"
    rb"|&#(?:[0-8]|1[124-9]|2\d|3[01]|x0?[0-8bcefBCEF]|x1[0-9a-fA-F]);"
)
_READS_OF_XML: Final = frozenset({"acl", "attributes", "legal-hold", "retention", "tagging", "uploadId"})
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class S3Error(Exception):
    """An error answer: HTTP status, S3 code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code, self.message = status, code, message
        super().__init__(message)


@dataclass(slots=True)
class S3Request:
    """One S3 request, its body read in full."""

    environ: dict[str, Any]
    method: str
    bucket: str
    key: str
    query: Mapping[str, list[str]]
    body: bytes

    def header(self, name: str) -> str:
        return str(self.environ.get("HTTP_" + name.upper().replace("-", "_"), ""))


@dataclass(slots=True)
class S3Response:
    status: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: list[bytes] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.status.startswith("2")


def read_request(environ: dict[str, Any], access_key: str, secret_key: str) -> S3Request:
    """Read a request whole, so that no slow client keeps the others waiting; raises `S3Error`.

    The signature covers the head, so a request that is not signed is refused before its body is read.
    """
    try:
        check_signature(environ, access_key, secret_key)
    except SignatureError as exc:
        raise S3Error(403, exc.code, str(exc)) from exc
    body = _body(environ)
    declared = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
    if len(declared) == 64 and declared != sha256(body).hexdigest():
        raise S3Error(400, "XAmzContentSHA256Mismatch", "the body is not the one that was signed")
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    bucket, key = _names(environ["RAW_URI"].partition("?")[0])
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return S3Request(environ, environ["REQUEST_METHOD"], bucket, key, query, body)


def _body(environ: Mapping[str, Any]) -> bytes:
    """The whole request body, so that no slow client keeps the others waiting; raises `S3Error` when it breaks off."""
    stream, length = environ["wsgi.input"], environ.get("CONTENT_LENGTH")
    if length is None or length == "":
        try:
            return bytes(stream.read()) if environ.get("wsgi.input_terminated") else b""
        except PenstockError as exc:
            raise S3Error(400, "IncompleteBody", str(exc)) from exc
    body = bytes(stream.read(int(length)))
    if len(body) != int(length):
        raise S3Error(400, "IncompleteBody", f"{len(body)} of {length} bytes arrived")
    return body


def _names(raw_path: str) -> tuple[str, str]:
    """Bucket and key of a path; raises `S3Error` for a key that MinIO cannot store."""
    try:
        path = unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeDecodeError:
        raise S3Error(400, "XMinioInvalidObjectName", "the object name is not UTF-8") from None
    bucket, _, key = path.removeprefix("/").partition("/")
    segments = key.removesuffix("/").split("/")
    if key and any(part in ("", ".", "..") or len(part.encode()) > 255 for part in segments):
        raise S3Error(
            400, "XMinioInvalidObjectName", "a segment of the object name is empty, . or .., or over 255 bytes"
        )
    if len(key.encode()) > 1024:
        raise S3Error(400, "KeyTooLongError", "the object name is over 1024 bytes")
    return bucket, key


def hide_form(request: S3Request) -> str:
    """Have a PUT's body taken as it is, under any content type; returns the type of a form that was hidden, or "".

    moto reads the fields of a form out of the body, and stores what is left: nothing.
    """
    kind = str(request.environ.get("CONTENT_TYPE", ""))
    if request.method != "PUT" or not kind.lower().startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        return ""
    request.environ["CONTENT_TYPE"] = "application/octet-stream"
    return kind


def hide_range(request: S3Request) -> None:
    """Leave out a Range that S3 does not look at: that of a write, and one that is not a range.

    moto answers a PUT with 416 when it has stored the object.
    """
    if request.method not in ("GET", "HEAD") or request.header("Range").count("=") != 1:
        request.environ.pop("HTTP_RANGE", None)


def keys_to_delete(body: bytes) -> list[str]:
    try:
        # Expat in Python 3.11 refuses entity bombs, and the client has signed the request.
        root = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError as exc:
        raise S3Error(400, "MalformedXML", f"the list of objects to delete is not XML: {exc}") from exc
    return [entry.text or "" for entry in root.iter() if entry.tag.rpartition("}")[2] == "Key"]


def event_name(request: S3Request) -> str:
    """The event of a request that left the object in place, or "" when MinIO sends none."""
    match request.method:
        case "PUT" if "uploadId" in request.query or "acl" in request.query:
            return ""
        case "PUT" if "tagging" in request.query:
            return "s3:ObjectCreated:PutTagging"
        case "PUT" if "retention" in request.query:
            return "s3:ObjectCreated:PutRetention"
        case "PUT" if "legal-hold" in request.query:
            return "s3:ObjectCreated:PutLegalHold"
        case "PUT":
            return "s3:ObjectCreated:Copy" if request.header("x-amz-copy-source") else "s3:ObjectCreated:Put"
        case "DELETE" if "tagging" in request.query:
            return "s3:ObjectCreated:DeleteTagging"
        case "POST" if "uploadId" in request.query:
            return "s3:ObjectCreated:CompleteMultipartUpload"
        case "GET" if not _READS_OF_XML & request.query.keys():
            return "s3:ObjectAccessed:Get"
        case "HEAD":
            return "s3:ObjectAccessed:Head"
    return ""


def call_wsgi(application: Any, environ: dict[str, Any]) -> S3Response:
    answer = S3Response("500 Internal Server Error")

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
        answer.status, answer.headers = status, headers

    parts = application(environ, start_response)
    try:
        answer.body = list(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    return answer


def as_xml(response: S3Response, request: S3Request) -> S3Response:
    """The response, in XML that can be read: U+FFFD in place of characters of a key that XML 1.0 does not have.

    These are the control characters but tab, line feed and carriage return, and U+FFFE and U+FFFF. MinIO's encoder
    (Go's encoding/xml) replaces the same ones. An object's content is left as it is.
    """
    is_content = request.method == "GET" and request.key and not _READS_OF_XML & request.query.keys()
    if is_content and response.ok:
        return response
    text = b"".join(response.body)
    body = re.sub(_NOT_IN_XML, "\ufffd".encode(), text)
    if body == text:
        return response
    others = [(name, value) for name, value in response.headers if name.lower() != "content-length"]
    return S3Response(response.status, [*others, ("Content-Length", str(len(body)))], [body])


def error_response(error: S3Error, environ: Mapping[str, Any], request_id: str) -> S3Response:
    resource = escape(environ["RAW_URI"].partition("?")[0])
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{error.code}</Code>'
        f"<Message>{escape(error.message)}</Message>"
        f"<Resource>{resource}</Resource><RequestId>{request_id}</RequestId></Error>"
    ).encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    return S3Response(f"{error.status} {error.code}", headers, [] if environ["REQUEST_METHOD"] == "HEAD" else [body])
