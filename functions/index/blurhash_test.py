"""The BlurHash that resize leaves in an object's metadata."""

import struct
import zlib
from typing import Any

import pytest
from penstock.testing import run

from .handler import handle

HASH = "LEHV6nWB2yk8pyo0adR*.7kCMdnj"


def png() -> bytes:
    parts = ((b"IHDR", struct.pack(">2I5B", 1, 1, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )


def image(metadata: dict[str, str], **options: Any) -> dict[str, object]:
    document = run(handle, png(), name="a.png", metadata=metadata, **options).document
    assert document is not None
    found: dict[str, object] = document["image"]
    return found


def test_option_puts_it_into_the_document() -> None:
    assert image({"blurhash": HASH}, blurhash=True)["blurhash"] == HASH
    assert "blurhash" not in image({"blurhash": HASH})
    assert "blurhash" not in image({}, blurhash=True)


@pytest.mark.parametrize("text", ["", "L", HASH[:-1], HASH + "0", "é" * 28, "<" + HASH[1:], "0" + HASH[1:]])
def test_text_that_cannot_be_one_is_left_out(text: str) -> None:
    assert "blurhash" not in image({"blurhash": text}, blurhash=True)


def test_document_of_what_is_no_image_has_none() -> None:
    assert "image" not in (run(handle, b"text", metadata={"blurhash": HASH}, blurhash=True).document or {})
