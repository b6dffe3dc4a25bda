"""PNG's orientation (third edition, 11.3.4.5: `eXIf` may stand before or behind the picture)."""

import struct
import zlib

import pytest

from .samples import quarters, resize, saved, still


def oriented(data: bytes, orientation: int, before: bytes) -> bytes:
    """The file with an `eXIf` before its first chunk of this name."""
    content = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)
    chunk = struct.pack(">I", len(content)) + b"eXIf" + content + struct.pack(">I", zlib.crc32(b"eXIf" + content))
    at = data.index(before) - 4
    return data[:at] + chunk + data[at:]


@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_counts_before_and_behind_the_picture(before: bytes, orientation: int) -> None:
    picture = quarters(40, 20)
    shown = {1: picture, 3: picture.rot180(), 6: picture.rot90(), 8: picture.rot270()}[orientation]
    made = still(resize(oriented(saved(picture, "png", keep="none"), orientation, before), format="png"))
    assert (made.width, made.height) == (shown.width, shown.height)
    assert (made - shown).abs().max() == 0


def test_first_orientation_counts() -> None:
    data = oriented(oriented(saved(quarters(40, 20), "png", keep="none"), 6, b"IDAT"), 1, b"IEND")
    made = still(resize(data, format="png"))
    assert (made.width, made.height) == (20, 40)
