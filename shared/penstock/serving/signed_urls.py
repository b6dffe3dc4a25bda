"""URLs that open one object with some options for a limited time. They are signed with HMAC-SHA256.

    /read/BUCKET/KEY?width=200&expires=1767225600&signature=HEX

The signature covers the encoded path and the sorted query without the signature itself.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode

from penstock.errors import EventError, Forbidden
from penstock.settings.config import bucket_problem, key_problem
from penstock.types import ObjectRef

PREFIX: Final = "/read/"
_RESERVED: Final = ("expires", "signature")


def signed_path(key: str, ref: ObjectRef, options: Mapping[str, str], expires: int) -> str:
    """Path and query of a URL that opens `ref` with these options until `expires`, in seconds since 1970.

    Raises `EventError` for a name that such a URL cannot carry.

    >>> signed_path("a key of the page", ObjectRef("photos", "a b.jpg"), {"width": "200"}, 1767225600)[:59]
    '/read/photos/a%20b.jpg?width=200&expires=1767225600&signatu'
    """
    if problem := bucket_problem(ref.bucket) or _problem_of(ref.key):
        raise EventError(f"{ref}: {problem}")
    for name in _RESERVED:
        if name in options:
            raise EventError(f"option {name!r}: a signed URL has a parameter of its own with this name")
    given = {**options, "expires": str(expires)}
    return f"{_path(ref)}?{urlencode({**given, 'signature': _signature(key, ref, given)})}"


def check_signed(
    keys: Sequence[str], ref: ObjectRef, given: Mapping[str, str], now: float
) -> tuple[dict[str, str], int]:
    """The options of a signed URL and when it expires; raises `Forbidden` unless one of the keys signed it."""
    options = dict(given)
    signature = options.pop("signature", "").encode()
    # Each is compared, in constant time: the time of the answer tells nothing.
    matches = [hmac.compare_digest(signature, _signature(key, ref, options).encode()) for key in keys]
    expires = options.pop("expires", "")
    if not any(matches) or not (expires.isascii() and expires.isdecimal()):
        raise Forbidden("the signature does not fit this URL; make it anew with `penstock sign`")
    if now >= int(expires):
        raise Forbidden("this URL has expired; make it anew with `penstock sign`")
    return options, int(expires)


def _problem_of(key: str) -> str:
    if "\n" in key or "\r" in key:
        return "has the end of a line in it, which no path of a function has"
    problem = key_problem(key)
    return f"the key {problem}" if problem else ""


def _path(ref: ObjectRef) -> str:
    return f"{PREFIX}{ref.bucket}/{quote(ref.key)}"


def _signature(key: str, ref: ObjectRef, given: Mapping[str, str]) -> str:
    text = f"penstock-read\n{_path(ref)}\n{urlencode(sorted(given.items()))}"
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
