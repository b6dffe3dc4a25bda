"""The HTTP headers of an object: its content type, its user metadata, and what else a store keeps of it."""

import re
from collections.abc import Mapping

from penstock.errors import PermanentError
from penstock.types import CONTENT_HEADERS, ObjectRef

ENCRYPTION = "x-amz-server-side-encryption"
"""`AES256` (SSE-S3), `aws:kms` or `aws:kms:dsse`: how the server encrypts an object with a key of its own."""
KMS_KEY = f"{ENCRYPTION}-aws-kms-key-id"
TAGGING = "x-amz-tagging"
"""In a request: the tags of an object, as a query string."""
TAG_COUNT = "x-amz-tagging-count"
"""In an answer: how many tags an object has. Without it there are none."""
REQUEST_ID = "x-amz-request-id"
"""S3 servers send it with every answer. A 404 to HEAD has no body that could tell theirs from a proxy's."""

# "GetObject" in the Amazon S3 API reference.
KEPT = CONTENT_HEADERS | {"expires", "x-amz-storage-class", ENCRYPTION, KMS_KEY, TAG_COUNT}

# RFC 9110: a name is a token. A value could hold more than ASCII, but every server makes something else of that.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_META = "x-amz-meta-"


def kept_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of an answer's headers, names in lower case, that `ObjectState.headers` holds.

    `aws-chunked` names how a request was sent, and some servers keep it among the content encodings.
    """
    kept = {name: value for name, value in headers.items() if name in KEPT and value}
    if (encoding := kept.pop("content-encoding", "")) and (encoding := without_chunked(encoding)):
        kept["content-encoding"] = encoding
    return kept


def without_chunked(encoding: str) -> str:
    """The content encodings but `aws-chunked`, "" for none."""
    if "aws-chunked" not in encoding.lower():
        return encoding
    return ", ".join(part.strip() for part in encoding.split(",") if part.strip().lower() not in ("aws-chunked", ""))


def metadata_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The user metadata of an answer, whose names are in lower case."""
    return {name.removeprefix(_META): value for name, value in headers.items() if name.startswith(_META)}


def fits_a_header(value: str) -> bool:
    """Whether every server takes this text as the value of a header."""
    return _VALUE.fullmatch(value) is not None


def check_headers(subject: ObjectRef | str, content_type: str, metadata: Mapping[str, str]) -> None:
    """Raise `PermanentError` for what a header cannot carry: a client would send something else, or panic."""
    if not _VALUE.fullmatch(content_type):
        raise PermanentError(f"{subject}: content type {content_type[:80]!r}: an HTTP header cannot carry it")
    for name, value in metadata.items():
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise PermanentError(f"{subject}: metadata {name[:80]!r}={value[:80]!r}: an HTTP header cannot carry it")
