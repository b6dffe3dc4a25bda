"""Files that are all header: they are refused by counting, before a decoder looks at all of it."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from penstock import InputTooLarge, PermanentError

from . import formats, gif, jpeg, pages, png, webp
from .samples import flat, photo, resize, saved


def moving_webp(frames: int) -> bytes:
    """Frames of one pixel behind one another (RFC 9649, 2.7.1.1)."""
    still = saved(flat(1, 1, (255, 0, 0)), "webp", lossless=True)
    start = still.index(b"VP8L")
    length = int.from_bytes(still[start + 4 : start + 8], "little")
    picture = still[start : start + 8 + length + length % 2]
    frame = bytes(12) + (100).to_bytes(3, "little") + b"\0" + picture
    frame = b"ANMF" + struct.pack("<I", len(frame)) + frame + bytes(len(frame) % 2)
    head = b"VP8X" + struct.pack("<I", 10) + b"\2" + bytes(9) + b"ANIM" + struct.pack("<I", 6) + bytes(6)
    chunks = b"WEBP" + head + frame * frames
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def png_of_chunks(count: int) -> bytes:
    data = saved(flat(8, 8, (1, 2, 3)), "png")
    empty = struct.pack(">I4sI", 0, b"juNk", zlib.crc32(b"juNk"))
    return data[:33] + empty * count + data[33:]


def jpeg_of_segments(count: int, segment: bytes = b"\xff\xfe\0\2") -> bytes:
    data = saved(flat(8, 8, (1, 2, 3)), "jpeg")
    behind = 4 + int.from_bytes(data[4:6], "big")  # the first segment says that this is a JPEG
    return data[:behind] + segment * count + data[behind:]


def gif_of_blocks(count: int, block: bytes = b"\1a") -> bytes:
    data = saved(flat(8, 8, (1, 2, 3)), "gif")
    return data[:-1] + b"\x21\xfe" + block * count + b"\0\x3b"


def tiff_of_pages(count: int) -> bytes:
    """Each page has one field, and the place of the next."""
    step = 2 + 12 + 4
    pages = [struct.pack("<HHHII", 1, 256, 3, 1, 8) + struct.pack("<I", 8 + step * (at + 1)) for at in range(count)]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(pages)[:-4] + bytes(4)


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (moving_webp(60_000), InputTooLarge, "more than 4000 frames"),
        (moving_webp(4001), InputTooLarge, "more than 4000 frames"),
        (tiff_of_pages(100_000), InputTooLarge, "more than 4000 pages"),
        (jpeg_of_segments(1_000_000), PermanentError, "its header has more than 2000 segments"),
        (jpeg_of_segments(2_000_000, b"\0"), PermanentError, "more than 1 MiB between its segments"),
        (jpeg_of_segments(2_000_000, b"\xff"), PermanentError, "more than 1 MiB between its segments"),
        (jpeg_of_segments(1_000_000, b"\xff\xd0"), PermanentError, "more than 1 MiB between its segments"),
        (png_of_chunks(1_000_000), PermanentError, "its header has more than 1000 chunks"),
        (gif_of_blocks(1_000_000), PermanentError, "more blocks than a picture of its length"),
    ],
    ids=[
        "webp",
        "webp, one too many",
        "tiff",
        "jpeg segments",
        "jpeg zeros",
        "jpeg fill bytes",
        "jpeg markers",
        "png",
        "gif",
    ],
)
def test_a_file_of_nothing_but_parts_is_refused(data: bytes, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=f"rose.jpg: .*{said}"):
        resize(data, width=4)
    with pytest.raises(error, match=f"rose.jpg: .*{said}"):
        resize(data, width=4, animated=True, max_frames=10**6)


@pytest.mark.parametrize(
    "data",
    [
        moving_webp(4000),
        jpeg_of_segments(1500),
        jpeg_of_segments(60, b"\xff\xe1\xff\xff" + bytes(65_533)),  # 4 MiB of depth maps and previews
        jpeg_of_segments(1_000_000, b"\0"),
        png_of_chunks(900),
        gif_of_blocks(90_000),
    ],
    ids=["webp", "jpeg segments", "jpeg large segments", "jpeg zeros", "png", "gif"],
)
def test_what_is_within_the_bounds_is_read(data: bytes) -> None:
    assert resize(data, width=1).data


def test_frames_are_counted_as_libvips_counts_them() -> None:
    from .libvips import load

    for frames in (1, 2, 7):
        data = moving_webp(frames)
        assert webp.look(data).frames == load("webp", data).get("n-pages") == frames
    assert pages.walk(tiff_of_pages(7)) == (7, "")
    assert pages.walk(saved(photo(20, 20), "tiff", bigtiff=True)) == (1, "")


def test_pages_that_lead_back_are_counted_once() -> None:
    page = struct.pack("<HHHII", 1, 256, 3, 1, 8) + struct.pack("<I", 8)
    assert pages.walk(b"II*\0" + struct.pack("<I", 8) + page) == (1, "")


def steps(work: Callable[[], object]) -> int:
    """Lines of Python that a call runs through."""
    import sys

    count = [0]

    def line(_frame: object, event: str, _arg: object) -> object:
        count[0] += event == "line"
        return line

    before = sys.gettrace()
    sys.settrace(line)  # type: ignore[arg-type]
    try:
        work()
    finally:
        sys.settrace(before)
    return count[0]


def bounded(look: Callable[[str, bytes], object], data: bytes) -> Callable[[], None]:
    def work() -> None:
        with pytest.raises((PermanentError, InputTooLarge)):
            look("rose", data)

    return work


@pytest.mark.parametrize(
    ("make", "look"),
    [
        (jpeg_of_segments, jpeg.look),
        (lambda count: jpeg_of_segments(count * 6, b"\0\xff\xd0"), jpeg.look),
        (png_of_chunks, png.look),
    ],
    ids=["jpeg", "jpeg markers", "png"],
)
def test_a_header_twice_as_long_takes_no_more_steps(
    make: Callable[[int], bytes], look: Callable[[str, bytes], object]
) -> None:
    once, twice = steps(bounded(look, make(100_000))), steps(bounded(look, make(200_000)))
    assert abs(once - twice) < 100


@pytest.mark.parametrize(
    ("make", "look"),
    [(moving_webp, webp.look), (tiff_of_pages, pages.walk)],
    ids=["webp", "tiff"],
)
def test_counting_ends_at_the_bound(make: Callable[[int], bytes], look: Callable[[bytes], object]) -> None:
    short, long = make(10_000), make(20_000)
    assert steps(lambda: look(short)) == steps(lambda: look(long)) < 20 * 2 * formats.MAX_PAGES


@pytest.mark.long
def test_blocks_of_a_gif_are_counted_with_its_length() -> None:
    """A usual file of 255 bytes a block may be of any length; one of tiny blocks may not."""
    assert gif.look(gif_of_blocks(200_000, b"\xff" + bytes(255))).fault == ""
    short, long = gif_of_blocks(1_000_000), gif_of_blocks(2_000_000)
    tracemalloc.start()
    try:
        first, second = steps(lambda: gif.look(short)), steps(lambda: gif.look(long))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert second < 1.5 * first
