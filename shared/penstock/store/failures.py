"""Turns the errors of a store's client into Penstock's: which setting is wrong, and whether to retry."""

import re

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from penstock.errors import PenstockError, PermanentError, TemporaryError
from penstock.types import ObjectRef, ObjectState

# With these codes the server says that the same request can never work.
_PERMANENT_CODES = frozenset(
    {
        "KeyTooLongError",
        "XMinioInvalidObjectName",
        "XMinioInvalidResourceName",
        "InvalidArgument",
        "MetadataTooLarge",
        "EntityTooLarge",
    }
)
_KEY_LIMITS = dict.fromkeys(
    ("KeyTooLongError", "XMinioInvalidObjectName"),
    "; a key has at most 1024 bytes in UTF-8, and on MinIO 255 between two /, which are not . or ..",
)
# The code beside these words, InvalidRequest, is also used for other things.
_OWN_KEY = "stored using a form of Server Side Encryption"
NO_S3 = "what answers there is not an S3 server; MINIO_ENDPOINT must lead to MinIO's API, not to a console or a page"
# What store/credentials.py says, within what obstore makes of it.
_OWN_WORDS = r"AWS_WEB_IDENTITY_TOKEN_FILE=[^\n]*"
# What the ETag of every S3 server begins with. A web server's is shorter, or weak (`W/`).
_OBJECT_ETAG = r"[0-9A-Za-z]{32}"
_PAGES = ("text/html", "text/xml", "application/xml", "application/xhtml+xml")
# obstore's words (hyper, rustls; the kinds in the debug part only), then minio-py's (urllib3, OpenSSL).
_TROUBLES = (
    (r"dns error|NameResolutionError", "its host name does not resolve; check MINIO_ENDPOINT and the DNS"),
    (r"[Cc]onnection ?[Rr]efused", "nothing listens there; start it, or check host and port in MINIO_ENDPOINT"),
    (
        r"[Nn]etwork is unreachable|[Nn]o route to host",
        "no network leads there; check this machine's network, and the address in MINIO_ENDPOINT",
    ),
    (r"InvalidContentType|WRONG_VERSION_NUMBER", "it does not speak TLS; MINIO_ENDPOINT needs http:// there"),
    (
        r"TimedOut|[Tt]imed out",
        "it does not answer in time; check that it runs, and the proxies and firewalls before it",
    ),
    # As Go's servers and nginx answer.
    (r"HTTP request (to an|was sent to) HTTPS", "it speaks TLS; MINIO_ENDPOINT needs https:// there"),
    (
        r"following redirect|Parse\(|BadStatusLine|(status|Response) code: (200|3\d\d|404|405)\b|"
        r"ETag Header missing",
        NO_S3,
    ),
    (
        r"IncompleteMessage|ConnectionReset|RemoteDisconnected|ProtocolError",
        "it closed the connection; write https:// in MINIO_ENDPOINT if it speaks TLS, else see its log, and what "
        "is in between",
    ),
)
_STATUS = r"(?:status|Response) code: (\d{3}[ A-Za-z]*)|too many (\d{3}) error"
# MinIO's words: `the region is wrong; expecting 'eu-west-1'.`
_WANTED_REGION = r"expecting '?([a-z0-9-]+)"


def code_of(exc: BaseException | None) -> str:
    """The S3 error code that the server's answer carried, or "" for HEAD and for broken connections.

    `exc` is what obstore raised, or the cause of what was made of it.
    """
    found = re.search(r"<Code>(\w+)</Code>", str(exc))
    return found.group(1) if found else ""


def needs_own_key(exc: Exception) -> bool:
    """Whether the object was stored with a key of the customer's own (SSE-C), without which the store tells nothing."""
    return _OWN_KEY in str(exc)


def own_key_error(ref: ObjectRef) -> PermanentError:
    """The error of reading such an object."""
    return PermanentError(
        f"{ref}: encrypted with a key of its own (SSE-C), which Penstock does not have; store it without one, or with "
        "a key that the server keeps"
    )


def check_is_object(subject: ObjectRef | str, etag: str | None, content_type: str) -> None:
    """Raise `TemporaryError` for an answer with status 200 that is not an object's, such as a proxy's page.

    `etag` is as the answer has it; quotes do not matter.
    """
    bare = (etag or "").strip('"')
    is_page = content_type.partition(";")[0].strip().lower() in _PAGES
    if not bare or bare.startswith("W/") or (is_page and not re.match(_OBJECT_ETAG, bare)):
        raise TemporaryError(f"{subject}: {NO_S3}")


def is_odd_etag(etag: str | None) -> bool:
    """Whether the answer to a PUT may come from a web server: its ETag has not the form of most S3 servers'."""
    return re.match(_OBJECT_ETAG, (etag or "").strip('"')) is None


def check_size(state: ObjectState, bytes_read: int) -> None:
    """Raise `TemporaryError` when an object that was read to its end is not as long as it said."""
    if bytes_read != state.size:
        raise TemporaryError(f"{state.ref}: it ended after {bytes_read} bytes, and {state.size} were announced")


def error_for(subject: ObjectRef | str, code: str, exc: Exception) -> PenstockError:
    """The error for an S3 error code: what can never work is permanent, all else is retried.

    `subject` is the object, or the endpoint and the bucket; without a code the client's own words are looked through.
    """
    if said := re.search(_OWN_WORDS, str(exc)):
        return TemporaryError(f"{subject}: {said[0].strip()}")
    if code in _PERMANENT_CODES:
        return PermanentError(f"{subject}: the store refuses it: {code}{_KEY_LIMITS.get(code, '')}")
    if code == "NoSuchBucket":
        return TemporaryError(f"{subject}: the bucket does not exist; create it with `penstock lake apply`")
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
        # MinIO forgets temporary keys when they have ended.
        setting = (
            "MINIO_ACCESS_KEY, and with a session token whether it has ended"
            if code == "InvalidAccessKeyId"
            else "MINIO_SECRET_KEY"
        )
        return TemporaryError(f"{subject}: the store refuses the credentials ({code}); check {setting}")
    if code in ("ExpiredToken", "ExpiredTokenException", "InvalidTokenId", "InvalidToken"):
        return TemporaryError(
            f"{subject}: the store refuses the session token ({code}): it has ended, or is of other keys; renew "
            "MINIO_SESSION_TOKEN with its keys, or use AWS_WEB_IDENTITY_TOKEN_FILE, which renews itself"
        )
    if code == "RequestTimeTooSkewed":
        return TemporaryError(f"{subject}: this machine's clock and the store's differ too much; set them ({code})")
    if code in ("AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"):
        named = re.search(_WANTED_REGION, str(exc))
        wanted = f" must be {named[1]}" if named else " must be that of the store or of the bucket"
        return TemporaryError(f"{subject}: the store refuses the region ({code}); MINIO_REGION{wanted}")
    if code == "AccessDenied" or (not code and isinstance(exc, PermissionDeniedError | UnauthenticatedError)):
        remedy = "the policy must allow this function to read and list the bucket"
        return TemporaryError(f"{subject}: access denied; {remedy}")
    # obstore (rustls) and minio-py (OpenSSL), each in its own words, obstore's in the debug part only.
    if "InvalidCertificate" in str(exc) or "CERTIFICATE_VERIFY_FAILED" in str(exc):
        return TemporaryError(
            f"{subject}: the store's certificate is not trusted; MINIO_CA_FILE must name the PEM file of the authority "
            "that signed it"
        )
    if not code and (trouble := next((words for pattern, words in _TROUBLES if re.search(pattern, str(exc))), "")):
        return TemporaryError(f"{subject}: the object store failed: {trouble}")
    text = str(exc).partition("Debug source")[0].strip()
    if not code and (status := re.search(_STATUS, text)):
        text = f"it answered {(status[1] or status[2]).strip()} and no S3 error; see its log, and what is in between"
    return TemporaryError(f"{subject}: the object store failed{f' ({code})' if code else ''}: {text[:300]}")
