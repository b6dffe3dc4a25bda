import io
import struct
import zlib
from collections.abc import Iterator

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from penstock import InputTooLarge, PermanentError, UnsupportedInput
from PIL import Image

from . import formats
from .samples import READ, flat, photo, quarters, resize, saved


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "an empty file"),
        (b"hi", "text"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><svg/>", "SVG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0", "PostScript"),
        (b"P6\n1 1\n255\n\0\0\0", "an unknown format"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41", "a video"),
        (b'{"Records": []}', "JSON"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (bytes(range(256)), "an unknown format"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, what: str) -> None:
    with pytest.raises(
        UnsupportedInput, match=r"^rose\.jpg: expected JPEG, PNG, WebP, AVIF, GIF or TIFF, got "
    ) as caught:
        resize(data, width=10)
    assert what in str(caught.value)


def test_rest_of_what_is_no_picture_is_not_fetched() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"just text, and a lot of it, which goes on and on, for gigabytes in the worst case, or so"
        raise AssertionError("read on")

    with pytest.raises(UnsupportedInput):
        resize(chunks())


@pytest.mark.long
@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("kept", [0.3, 0.5, 0.9])
def test_truncated_picture_is_a_permanent_error_that_names_it(kind: str, kept: float) -> None:
    data = saved(photo(200, 150), kind)
    for options in ({"width": 20}, {"width": 150}, {"width": 20, "height": 5, "fit": "cover", "gravity": "north"}):
        with pytest.raises(PermanentError, match=f"rose.jpg: the {formats.NAMES[kind]} is damaged: ."):
            resize(data[: int(len(data) * kept)], **options)


@pytest.mark.parametrize("kind", READ)
def test_header_without_a_picture_is_a_permanent_error(kind: str) -> None:
    with pytest.raises(PermanentError, match=r"^rose\.jpg: "):
        resize(saved(photo(200, 150), kind)[:40], width=20)


def test_error_that_quotes_bytes_of_the_file_is_ours_and_ends_with_it() -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 8
    Image.new("RGB", (40, 30)).save(file, "AVIF", exif=exif.tobytes())
    data = file.getvalue()
    assert data.count(b"irot") == 1
    with pytest.raises(UnsupportedInput, match="could not parse item property 'iro\ufffd'"):
        resize(data.replace(b"irot", b"iro\xff"), width=10)
    with pytest.raises(PermanentError) as caught:
        resize(saved(photo(40, 30), "jpeg")[:200], width=10)
    assert "irot" not in str(caught.value)
    assert "\ufffd" not in str(caught.value)


def test_exif_that_is_not_text_is_no_damage() -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x8769] = {0xA001: 0xFFFF, 0xA005: {1: "R98"}}
    Image.new("RGB", (40, 30), (200, 100, 50)).save(file, "JPEG", exif=exif.tobytes())
    data = file.getvalue()
    assert data.count(b"R98\0") == 1
    assert resize(data.replace(b"R98\0", b"\xff\xfe\xf8\0"), width=10).content_type == "image/jpeg"


def test_stray_bytes_that_every_viewer_forgives_are_forgiven() -> None:
    data = saved(photo(64, 64), "jpeg")
    at = data.index(b"\xff\xdb")
    assert resize(data[:at] + bytes(3) + data[at:] + bytes(50), width=20).name == "rose.jpg"


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">2I5B", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def png_bomb() -> bytes:
    body = b"IDAT" + zlib.compress(bytes(100))
    return png_header(50_000, 50_000) + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def jpeg_bomb() -> bytes:
    data = saved(flat(16, 16, (1, 2, 3)), "jpeg")
    at = data.index(b"\xff\xc0") + 5  # height and width stand there in the frame header, ISO/IEC 10918-1
    return data[:at] + struct.pack(">2H", 60_000, 60_000) + data[at + 4 :]


def gif_bomb() -> bytes:
    data = saved(flat(16, 16, (1, 2, 3)), "gif")
    at = data.index(b"\x2c\0\0\0\0") + 5  # the image descriptor, GIF89a 20
    return (
        data[:6]
        + struct.pack("<2H", 60_000, 60_000)
        + data[10:at]
        + struct.pack("<2H", 60_000, 60_000)
        + data[at + 4 :]
    )


@pytest.mark.parametrize("bomb", [png_bomb(), jpeg_bomb(), gif_bomb()], ids=["png", "jpeg", "gif"])
def test_pixel_bomb_is_refused_by_its_header(bomb: bytes) -> None:
    assert len(bomb) < 2000
    # None of them could be decoded: InputTooLarge shows that no decoder was tried.
    with pytest.raises(InputTooLarge, match=r"rose.jpg: \d+x\d+ is \d+ pixels, more than max_pixels=50000000"):
        resize(bomb, width=100)


def test_limit_of_pixels_is_inclusive() -> None:
    data = saved(quarters(50, 40), "png")
    assert resize(data, max_pixels=2000, width=10).content_type == "image/png"
    with pytest.raises(InputTooLarge, match="50x40 is 2000 pixels, more than max_pixels=1999"):
        resize(data, max_pixels=1999, width=10)


def test_long_animation_is_refused_where_it_would_stay_one() -> None:
    roll = pyvips.Image.arrayjoin([flat(8, 8, (i * 28, 99, 255 - i * 28)) for i in range(9)], across=1).copy()
    roll.set_type(pyvips.GValue.gint_type, "page-height", 8)
    data = saved(roll, "gif")
    assert resize(data, width=4, max_frames=5).name == "rose.png"
    with pytest.raises(InputTooLarge, match="9 frames, more than max_frames=5"):
        resize(data, width=4, max_frames=5, animated=True)
    with pytest.raises(InputTooLarge, match="8x8 in 9 frames is 576 pixels"):
        resize(data, width=4, max_pixels=500, animated=True)


def test_side_that_the_format_cannot_hold_is_named() -> None:
    data = saved(flat(17_000, 4, (1, 2, 3)), "png")
    with pytest.raises(PermanentError, match="would become 17000x4, and WebP holds 16383 pixels a side"):
        resize(data, format="webp")


def test_thin_picture_does_not_grow_without_bound() -> None:
    data = saved(flat(2, 400, (1, 2, 3)), "png")
    for options in ({"width": 16_000}, {"width": 9000, "height": 10, "fit": "cover"}):
        with pytest.raises(PermanentError, match=r"would have to be scaled to \d+x\d+, over max_pixels"):
            resize(data, enlarge=True, **options)


def test_other_loaders_of_libvips_are_shut() -> None:
    with pytest.raises(pyvips.Error):
        pyvips.Image.new_from_buffer(b"P6\n1 1\n255\n\0\0\0", "")
    with pytest.raises(pyvips.Error, match="blocked"):
        pyvips.Image.rawload("/dev/zero", 1, 1, 1)


@pytest.mark.long
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(READ), st.data())
def test_damage_anywhere_gives_a_picture_or_one_of_our_errors(kind: str, data: st.DataObject) -> None:
    good = _SAMPLES[kind]
    at = data.draw(st.integers(0, len(good) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=8))
    try:
        made = resize(good[:at] + junk + good[at + len(junk) :], width=20, format="jpeg", max_pixels=1_000_000).name
    except PermanentError as exc:  # anything else, above all a crash or a TemporaryError, fails this test
        made = str(exc).partition(":")[0]
    assert made == "rose.jpg"


_SAMPLES = {kind: saved(photo(60, 50), kind) for kind in READ}


@pytest.mark.parametrize("kind", READ)
def test_reason_has_no_name_of_a_part_of_the_decoder(kind: str) -> None:
    data = saved(photo(200, 150), kind)
    for kept in (0.2, 0.5, 0.98):
        with pytest.raises(PermanentError) as caught:
            resize(data[: int(len(data) * kept)], width=20)
        assert not any(word in str(caught.value) for word in ("2vips", "vipspng", "Vips", "load_", "vips_", "heif:"))
