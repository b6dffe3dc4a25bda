"""Keys of signed requests are read as Standard Webhooks writes them, and no error shows one."""

import base64

import pytest
from penstock.settings.hmac_keys import read_hmac_keys


def written(key: bytes) -> str:
    return f"whsec_{base64.b64encode(key).decode()}"


def test_one_key_or_two_are_read_and_none_is_none() -> None:
    one, other = b"a" * 24, b"\xff" * 64
    assert read_hmac_keys("") == ()
    assert read_hmac_keys(f" {written(one)}\n") == (one,)
    assert read_hmac_keys(f"{written(one)} {written(other)}") == (one, other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aGlkZGVuaGlkZGVuaGlkZGVuaGlkZGVu", "expected whsec_ and 24 to 64 bytes"),
        ("whsec_hidden!hidden!hidden!hidden!", "expected whsec_ and 24 to 64 bytes"),
        (written(b"hidden"), "got 6 bytes"),
        (written(b"h" * 65), "got 65 bytes"),
        (" ".join([written(b"h" * 24)] * 3), "3 keys; at most 2"),
    ],
)
def test_another_form_is_refused_and_not_shown(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        read_hmac_keys(text)
    assert not any(word.removeprefix("whsec_") in str(caught.value) for word in text.split())
