"""The keys of signed requests, as Standard Webhooks writes them: `whsec_` and then base64."""

import base64
import binascii

_PREFIX = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64
_MOST_KEYS = 2


def read_hmac_keys(text: str) -> tuple[bytes, ...]:
    """One key, or two with a space between them; none for "".

    Raises `ValueError` that says what is expected and never shows a key. The length is that of the specification:
    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    words = text.split()
    if len(words) > _MOST_KEYS:
        raise ValueError(f"{len(words)} keys; at most {_MOST_KEYS}")
    return tuple(_read(word) for word in words)


def _read(word: str) -> bytes:
    expected = f"expected {_PREFIX} and {_LEAST_BYTES} to {_MOST_BYTES} bytes in base64"
    if not word.startswith(_PREFIX):
        raise ValueError(expected)
    try:
        key = base64.b64decode(word.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(expected) from None
    if not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(f"{expected}, got {len(key)} bytes")
    return key
