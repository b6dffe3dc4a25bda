"""An error of a store's client as one of Penstock's: the setting at fault, and whether to retry."""

import pytest
from penstock.errors import PermanentError, TemporaryError
from penstock.store.failures import check_is_object, check_size, error_for, needs_own_key
from penstock.types import ObjectRef, ObjectState

REF = ObjectRef("upload", "a")


@pytest.mark.parametrize("code", ["KeyTooLongError", "MetadataTooLarge", "EntityTooLarge"])
def test_what_can_never_work_is_permanent(code: str) -> None:
    found = error_for(REF, code, OSError("refused"))
    assert isinstance(found, PermanentError)
    assert code in str(found)


@pytest.mark.parametrize(
    ("code", "text", "remedy"),
    [
        ("NoSuchBucket", "", "penstock lake apply"),
        ("InvalidAccessKeyId", "", "check MINIO_ACCESS_KEY"),
        ("SignatureDoesNotMatch", "", "check MINIO_SECRET_KEY"),
        ("RequestTimeTooSkewed", "", "clock"),
        ("AccessDenied", "", "the policy must allow"),
        ("", "dns error: no such host", "check MINIO_ENDPOINT and the DNS"),
        ("", "Connection refused (os error 111)", "nothing listens there"),
        ("", "tcp connect error: Network is unreachable (os error 101)", "no network leads there"),
        ("", "[Errno 113] No route to host", "no network leads there"),
        ("", "InvalidContentType", "needs http://"),
        ("", "operation timed out", "does not answer in time"),
        ("", "invalid peer certificate: InvalidCertificate", "MINIO_CA_FILE"),
        ("", "status code: 502 Bad Gateway", "it answered 502 Bad Gateway and no S3 error"),
        ("", "too many 503 error responses", "it answered 503 and no S3 error"),
        ("", "non-XML response from server; Response code: 403, Content-Type: text/html", "it answered 403 and no S3"),
        ("", "non-XML response from server; Response code: 404, Content-Type: text/html", "is not an S3 server"),
        ("", "Unable to extract metadata from headers: ETag Header missing from response", "is not an S3 server"),
        ("", "ProtocolError('Connection aborted.', BadStatusLine('SSH-2.0'))", "is not an S3 server"),
        ("", "400 Bad Request: Client sent an HTTP request to an HTTPS server.", "needs https://"),
        ("", "<center>The plain HTTP request was sent to HTTPS port</center>", "needs https://"),
        ("", "hyper::Error(IncompleteMessage)", "write https:// in MINIO_ENDPOINT if it speaks TLS"),
        ("", "('Connection aborted.', RemoteDisconnected('...'))", "write https:// in MINIO_ENDPOINT if it speaks TLS"),
        (
            "AuthorizationHeaderMalformed",
            "the region is wrong; expecting 'eu-west-1'.",
            "the store refuses the region (AuthorizationHeaderMalformed); MINIO_REGION must be eu-west-1",
        ),
        ("AuthorizationHeaderMalformed", "", "MINIO_REGION must be that of the store or of the bucket"),
        ("SlowDown", "busy", "the object store failed (SlowDown): busy"),
    ],
)
def test_all_else_is_temporary_and_names_the_remedy(code: str, text: str, remedy: str) -> None:
    found = error_for(REF, code, OSError(text))
    assert isinstance(found, TemporaryError)
    assert remedy in str(found)


@pytest.mark.parametrize(("etag", "kind"), [(None, "text/csv"), ('W/"1"', "text/csv"), ('"5f-62"', "text/html")])
def test_a_page_is_not_an_object(etag: str | None, kind: str) -> None:
    with pytest.raises(TemporaryError, match="not an S3 server"):
        check_is_object(REF, etag, kind)


def test_an_object_may_be_a_page() -> None:
    check_is_object(REF, '"0123456789abcdef0123456789abcdef"', "text/html; charset=utf-8")


def test_an_answer_that_was_cut_is_temporary() -> None:
    check_size(ObjectState(REF, size=3, etag="e"), 3)
    with pytest.raises(TemporaryError, match="ended after 2 bytes, and 3 were announced"):
        check_size(ObjectState(REF, size=3, etag="e"), 2)


def test_a_key_of_its_own_is_recognised() -> None:
    assert needs_own_key(OSError("The object was stored using a form of Server Side Encryption. ..."))
    assert not needs_own_key(OSError("InvalidRequest"))


@pytest.mark.parametrize("code", ["KeyTooLongError", "XMinioInvalidObjectName"])
def test_a_key_that_a_store_cannot_have_is_told_with_the_limit(code: str) -> None:
    said = str(error_for(REF, code, OSError("refused")))
    assert said.endswith("a key has at most 1024 bytes in UTF-8, and on MinIO 255 between two /, which are not . or ..")
