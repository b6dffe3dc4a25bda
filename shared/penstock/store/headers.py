"""The HTTP headers of an object: its content type and its user metadata."""

import re
from collections.abc import Mapping

from penstock.errors import PermanentError
from penstock.types import ObjectRef

# RFC 9110: a name is a token. A value could hold more than ASCII, but every server makes something else of that.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")


def check_headers(subject: ObjectRef | str, content_type: str, metadata: Mapping[str, str]) -> None:
    """Raise `PermanentError` for what a header cannot carry: a client would send something else, or panic."""
    if not _VALUE.fullmatch(content_type):
        raise PermanentError(f"{subject}: content type {content_type[:80]!r}: an HTTP header cannot carry it")
    for name, value in metadata.items():
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise PermanentError(f"{subject}: metadata {name[:80]!r}={value[:80]!r}: an HTTP header cannot carry it")
