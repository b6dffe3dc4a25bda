"""Checks the signature of an S3 request (AWS Signature Version 4), so that a wrong secret fails here as it would there.

Source of the format: "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API reference. The signatures of
single chunks in a streamed payload are not checked.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_HEADER: Final = re.compile(
    _ALGORITHM
    + r"\s+Credential=(?P<credential>[^,]+),\s*SignedHeaders=(?P<signed>[^,]+),\s*Signature=(?P<signature>\w+)"
)
_SECONDS: Final = re.compile("[0-9]{1,6}")  # S3 allows a week
_MAX_SKEW: Final = timedelta(minutes=15)


class SignatureError(Exception):
    """`code` is the S3 error code."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def check_signature(environ: Mapping[str, Any], access_key: str, secret_key: str, now: datetime | None = None) -> None:
    """Raise `SignatureError` unless the request of this WSGI environment was signed with these keys."""
    query = _query_pairs(environ.get("QUERY_STRING", ""))
    given = dict(query)
    header = environ.get("HTTP_AUTHORIZATION", "")
    if header:
        found = _HEADER.fullmatch(header.strip())
        if found is None:
            raise SignatureError("AuthorizationHeaderMalformed", "only AWS Signature Version 4 is understood")
        credential, signed, signature = found["credential"], found["signed"], found["signature"]
        date, expires = environ.get("HTTP_X_AMZ_DATE", ""), _MAX_SKEW
        payload = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "UNSIGNED-PAYLOAD")
    elif given.get("X-Amz-Algorithm") == _ALGORITHM:
        credential, signed = given.get("X-Amz-Credential", ""), given.get("X-Amz-SignedHeaders", "")
        signature, date = given.get("X-Amz-Signature", ""), given.get("X-Amz-Date", "")
        seconds = given.get("X-Amz-Expires", "")
        expires = timedelta(seconds=int(seconds) if _SECONDS.fullmatch(seconds) else 0)
        payload = "UNSIGNED-PAYLOAD"
        query = [(name, value) for name, value in query if name != "X-Amz-Signature"]
    else:
        raise SignatureError("AccessDenied", "the request is not signed")
    key, _, scope = credential.partition("/")
    if key != access_key:
        raise SignatureError("InvalidAccessKeyId", f"access key {key!r} is not the one of this store")
    _check_time(date, expires, now or datetime.now(UTC))
    canonical = "\n".join(
        (
            environ["REQUEST_METHOD"],
            quote(unquote_to_bytes(_raw_path(environ)), safe="/-_.~"),
            "&".join(sorted(f"{_encode(name)}={_encode(value)}" for name, value in query)),
            *(f"{name}:{_header_value(environ, name)}" for name in signed.split(";")),
            "",
            signed,
            payload,
        )
    )
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    to_sign = "\n".join((_ALGORITHM, date, scope, digest))
    if not hmac.compare_digest(_sign(secret_key, scope, to_sign).encode(), signature.encode()):
        raise SignatureError("SignatureDoesNotMatch", "the signature does not match; check the secret key")


def _raw_path(environ: Mapping[str, Any]) -> str:
    return str(environ["RAW_URI"]).partition("?")[0]


def _query_pairs(text: str) -> list[tuple[str, str]]:
    """Names and values decoded byte for byte into Latin-1: `+` stays what it is."""
    pairs = (part.partition("=") for part in text.split("&") if part)
    return [
        (unquote_to_bytes(name).decode("latin-1"), unquote_to_bytes(value).decode("latin-1"))
        for name, _, value in pairs
    ]


def _encode(text: str) -> str:
    return quote(text.encode("latin-1"), safe="-_.~")


def _header_value(environ: Mapping[str, Any], name: str) -> str:
    key = name.upper().replace("-", "_")
    value = environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", "")
    return " ".join(str(value).split())


def _check_time(date: str, expires: timedelta, now: datetime) -> None:
    try:
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise SignatureError("AccessDenied", f"x-amz-date: expected YYYYMMDDTHHMMSSZ, got {date!r}") from None
    if signed_at - now > _MAX_SKEW or now - signed_at > expires:
        raise SignatureError("RequestTimeTooSkewed", f"signed at {date}: too far from this machine's clock, or expired")


def _sign(secret_key: str, scope: str, text: str) -> str:
    key = f"AWS4{secret_key}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()
