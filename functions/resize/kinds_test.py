"""What the decoders lack is refused as such, and is not called damaged."""

import struct
import zlib
from collections.abc import Callable

import pytest
from penstock import PermanentError, UnsupportedInput

from .jpeg import read_frame, widened
from .samples import READ, flat, photo, resize, saved


def jpeg(process: int = 0xC0, precision: int = 8, height: int | None = None, components: int | None = None) -> bytes:
    """A usual JPEG whose frame header says something else."""
    data = saved(photo(64, 48), "jpeg")
    at = data.index(b"\xff\xc0")
    header = bytearray(data[at : at + 19])
    header[1], header[4] = process, precision
    if height is not None:
        header[5:7] = struct.pack(">H", height)
    if components is not None:
        header[9] = components
    return data[:at] + bytes(header) + data[at + 19 :]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (jpeg(0xC1, 12), "a JPEG of 12 bits a sample"),
        (jpeg(0xC3, 16), "a JPEG of 16 bits a sample"),
        (jpeg(0xC3, 2), "a JPEG of 2 bits a sample"),
        (jpeg(0xC5), "a hierarchical JPEG"),
        (jpeg(0xCE), "a hierarchical JPEG"),
        (jpeg(0xCB), "a lossless JPEG in arithmetic coding"),
        (jpeg(0xF7), "JPEG-LS"),
        (jpeg(height=0), "tells its height after the picture"),
        (jpeg(components=2), "a JPEG of 2 components"),
    ],
)
def test_jpeg_of_a_process_that_is_not_read_is_named(data: bytes, what: str) -> None:
    for width in (None, 8):
        with pytest.raises(UnsupportedInput, match=rf"^rose\.jpg: .*{what}.*; save it as a usual JPEG"):
            resize(data, width=width)


def test_png_of_an_ios_app_is_named() -> None:
    """Xcode's pngcrush puts a chunk before the header and stores the pixels in a way that libpng does not read."""
    data = saved(photo(64, 48), "png")
    chunk = b"CgBI\x50\0\x20\x02"
    crushed = data[:8] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[8:]
    with pytest.raises(UnsupportedInput, match=r"a PNG of an iOS app \(CgBI\) is not read; save it as a usual PNG"):
        resize(crushed, width=8)


@pytest.mark.parametrize("marker", [0x02, 0x4F, 0xBF])
def test_jpeg_with_a_byte_that_is_no_marker_is_damaged(marker: int) -> None:
    data = jpeg()
    at = data.index(b"\xff\xc4")
    with pytest.raises(PermanentError, match="the JPEG is damaged") as caught:
        resize(data[: at + 1] + bytes([marker]) + data[at + 2 :], width=8)
    assert not isinstance(caught.value, UnsupportedInput)


def sampled(*factors: int) -> bytes:
    data = saved(flat(1001, 601, (9, 99, 199)), "jpeg", subsample_mode="off")
    frame = read_frame(data)
    assert frame is not None
    changed = bytearray(data)
    for index, factor in enumerate(factors):
        changed[frame.at + 6 + 3 * index] = factor
    return bytes(changed)


def test_sides_are_widened_only_where_no_block_is_added() -> None:
    plain = sampled(0x11, 0x11, 0x11)
    wide = widened(plain, 4)
    assert wide is not None
    frame = read_frame(wide)
    assert frame is not None
    assert (frame.width, frame.height) == (1004, 604)
    assert len(wide) == len(plain)
    assert widened(sampled(0x22, 0x11, 0x11), 4) is not None
    assert widened(sampled(0x31, 0x21, 0x11), 4) is None
    assert widened(sampled(0x11, 0x01, 0x11), 4) is None


@pytest.mark.parametrize("look", [read_frame, lambda data: widened(data, 4)])
def test_header_that_breaks_off_is_none(look: Callable[[bytes], object]) -> None:
    data = jpeg()
    for kept in range(data.index(b"\xff\xc0") + 10):
        assert look(data[:kept]) is None


@pytest.mark.parametrize("coding", [b"hvc1", b"jpeg", b"vvc1", b"unci"])
def test_avif_of_another_coding_is_named(coding: bytes) -> None:
    data = saved(photo(40, 30), "avif")
    assert data.count(b"av01") >= 1
    with pytest.raises(UnsupportedInput, match=f"expected AV1 in an AVIF, got a picture coded as '{coding.decode()}'"):
        resize(data.replace(b"av01", coding), width=8)


def test_reason_of_a_damage_is_not_lost_among_others() -> None:
    data = saved(photo(40, 30), "avif")
    with pytest.raises(PermanentError, match=r"the AVIF is damaged: Invalid input: "):
        resize(data.replace(b"av1C", b"av1X"), width=8)


@pytest.mark.parametrize("kind", READ)
def test_bytes_behind_the_end_are_forgiven(kind: str) -> None:
    data = saved(photo(40, 30), kind)
    assert resize(data + bytes(50), width=20).name
    assert resize(data + b"junk", width=20).name


def test_png_without_its_end_is_cut_short() -> None:
    data = saved(photo(40, 30), "png")
    for kept in range(len(data) - 12, len(data)):
        with pytest.raises(PermanentError, match="the PNG is damaged: its end is missing"):
            resize(data[:kept], width=20)
    assert resize(data + bytes(100), width=20).name
