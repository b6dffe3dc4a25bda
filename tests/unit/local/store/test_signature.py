"""S3 signatures are checked as Amazon's own worked example has them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from penstock.local.store.signature import SignatureError, check_signature

# "Signature Calculations for the Authorization Header", example "GET Object", Amazon S3 API reference.
KEYS = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
WHEN = datetime(2013, 5, 24, tzinfo=UTC)
SIGNATURE = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"


def request(**changes: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/test.txt",
        "QUERY_STRING": "",
        "HTTP_HOST": "examplebucket.s3.amazonaws.com",
        "HTTP_RANGE": "bytes=0-9",
        "HTTP_X_AMZ_DATE": "20130524T000000Z",
        "HTTP_X_AMZ_CONTENT_SHA256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={KEYS[0]}/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature={SIGNATURE}",
        **changes,
    }


def test_amazons_example_passes() -> None:
    check_signature(request(), *KEYS, now=WHEN)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"RAW_URI": "/other.txt"}, "SignatureDoesNotMatch"),
        ({"HTTP_RANGE": "bytes=0-99"}, "SignatureDoesNotMatch"),
        ({"QUERY_STRING": "tagging"}, "SignatureDoesNotMatch"),
        ({"HTTP_X_AMZ_DATE": "yesterday"}, "AccessDenied"),
        ({"HTTP_AUTHORIZATION": "AWS AKIA:old"}, "AuthorizationHeaderMalformed"),
        ({"HTTP_AUTHORIZATION": ""}, "AccessDenied"),
    ],
)
def test_anything_else_is_refused(changes: dict[str, str], code: str) -> None:
    with pytest.raises(SignatureError) as caught:
        check_signature(request(**changes), *KEYS, now=WHEN)
    assert caught.value.code == code


def test_other_keys_are_refused() -> None:
    with pytest.raises(SignatureError, match="not the one of this store"):
        check_signature(request(), "somebody", KEYS[1], now=WHEN)
    with pytest.raises(SignatureError, match="check the secret key"):
        check_signature(request(), KEYS[0], "guessed", now=WHEN)


def test_old_request_is_refused() -> None:
    with pytest.raises(SignatureError, match="too far from this machine's clock"):
        check_signature(request(), *KEYS, now=WHEN + timedelta(minutes=16))


@pytest.mark.parametrize("expires", ["%B2", "9" * 5000, "9" * 30, "-1", "+60", "", "604800"])
@pytest.mark.parametrize("signature", ["%E9", "0"])
def test_odd_values_of_a_presigned_url_are_refused_in_words(expires: str, signature: str) -> None:
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEYS[0]}/20130524/us-east-1/s3/aws4_request"
        f"&X-Amz-Date=20130524T000000Z&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
    )
    with pytest.raises(SignatureError):
        check_signature(request(HTTP_AUTHORIZATION="", QUERY_STRING=query), *KEYS, now=WHEN)


def test_a_signature_of_other_letters_is_wrong() -> None:
    header = request()["HTTP_AUTHORIZATION"].replace(SIGNATURE, "\xe9")
    with pytest.raises(SignatureError, match="does not match"):
        check_signature(request(HTTP_AUTHORIZATION=header), *KEYS, now=WHEN)
