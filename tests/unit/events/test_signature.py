"""Signed requests: the specification's own example, what is refused, and when."""

import base64

import pytest
from penstock.errors import Unauthorized
from penstock.events.signature import TOLERANCE_SECONDS, SignatureCheck, signature_headers
from penstock.settings.hmac_keys import read_hmac_keys

NOW = 1_700_000_000.0
NEW, OLD, OTHER = (bytes([digit]) * 32 for digit in range(3))


def key_text(key: bytes) -> str:
    return f"whsec_{base64.b64encode(key).decode()}"


def take(headers: dict[str, str], body: bytes, *keys: bytes, now: float = NOW) -> bytes:
    check = SignatureCheck(keys, clock=lambda: now)
    return b"".join(check.checked(headers.get, [body[:3], body[3:]]))


def test_signature_is_that_of_the_specification() -> None:
    # The vector of the reference libraries (standard-webhooks, their tests for signing).
    [key] = read_hmac_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature_headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330)
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("keys", [(NEW,), (NEW, OLD), (OLD, NEW)])
def test_what_one_of_the_keys_signed_is_taken(keys: tuple[bytes, ...]) -> None:
    headers = signature_headers([NEW], "id", b"the body", NOW)
    assert take(headers, b"the body", *keys) == b"the body"


def test_while_keys_are_renewed_each_side_may_be_first() -> None:
    headers = signature_headers([NEW, OLD], "id", b"the body", NOW)
    for key in (NEW, OLD):
        assert take(headers, b"the body", key) == b"the body"


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "another"},
        {"webhook-timestamp": str(int(NOW) + 1)},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v2,x v1a,y"},
        {"webhook-signature": "v1,ключ"},
    ],
)
def test_a_header_that_was_changed_is_refused(changed: dict[str, str]) -> None:
    headers = signature_headers([NEW], "id", b"the body", NOW) | changed
    with pytest.raises(Unauthorized, match="not that of this body"):
        take(headers, b"the body", NEW)


@pytest.mark.parametrize(("body", "keys"), [(b"the bodY", (NEW,)), (b"", (NEW,)), (b"the body", (OTHER, OLD))])
def test_another_body_or_key_is_refused(body: bytes, keys: tuple[bytes, ...]) -> None:
    headers = signature_headers([NEW], "id", b"the body", NOW)
    with pytest.raises(Unauthorized, match="FUNCTION_HMAC_KEY on both sides"):
        take(headers, body, *keys)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("instead", [None, ""])
def test_without_a_header_nothing_is_read(missing: str, instead: str | None) -> None:
    headers = signature_headers([NEW], "id", b"the body", NOW)
    del headers[missing]
    if instead is not None:
        headers[missing] = instead
    read: list[bytes] = []
    with pytest.raises(Unauthorized, match="is not signed"):
        SignatureCheck([NEW]).checked(headers.get, map(read.append, [b"x"]))  # type: ignore[arg-type]
    assert read == []


@pytest.mark.parametrize("text", ["-1", "1e9", "1700000000.5", " 1700000000", "9" * 400, "١٧"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    headers = signature_headers([NEW], "id", b"the body", NOW) | {"webhook-timestamp": text}
    with pytest.raises(Unauthorized):
        take(headers, b"the body", NEW)


@pytest.mark.parametrize("away", [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1])
def test_a_request_that_is_sent_again_later_is_refused(away: int) -> None:
    headers = signature_headers([NEW], "id", b"the body", NOW)
    with pytest.raises(Unauthorized, match="clock"):
        take(headers, b"the body", NEW, now=NOW + away)
    assert take(headers, b"the body", NEW, now=NOW + away - away // abs(away))


def test_without_keys_everything_is_taken() -> None:
    assert take({}, b"the body") == b"the body"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hunter2", "expected whsec_"),
        ("whsec_!!!", "expected whsec_"),
        (key_text(b"x" * 23), "got 23 bytes"),
        (key_text(b"x" * 65), "got 65 bytes"),
        (" ".join([key_text(NEW)] * 3), "at most 2"),
    ],
)
def test_a_key_of_another_form_is_named_and_not_shown(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        read_hmac_keys(text)
    assert text not in str(refused.value)


def test_two_keys_are_read() -> None:
    assert read_hmac_keys(f"{key_text(NEW)} {key_text(OLD)}\n") == (NEW, OLD)
    assert read_hmac_keys("") == ()
