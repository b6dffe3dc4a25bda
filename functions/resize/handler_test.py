import dataclasses
import logging
import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import pyvips
from penstock import EventError
from penstock.testing import Lake, Output, run

from . import formats
from .geometry import FITS, Size, plan
from .handler import Options, handle
from .samples import (
    ADOBE_RGB,
    BLUE,
    GREEN,
    READ,
    RED,
    WHITE,
    flat,
    gamma_curve,
    photo,
    profile,
    quarters,
    resize,
    saved,
    still,
    turned,
    with_profile,
)

WRITTEN = tuple(formats.WRITTEN)


def size(result: Output) -> Size:
    return Size(still(result).width, still(result).height)


def near(colour: Sequence[float], wanted: Sequence[float], tolerance: float = 12) -> bool:
    return len(colour) == len(wanted) and all(abs(a - b) <= tolerance for a, b in zip(colour, wanted, strict=True))


def corners(image: Any) -> list[list[float]]:
    right, bottom = image.width - 2, image.height - 2
    return [image(x, y) for x, y in ((1, 1), (right, 1), (1, bottom), (right, bottom))]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_fit_of_every_orientation_is_upright(fit: str, orientation: int) -> None:
    data = saved(turned(quarters(160, 120), orientation), "jpeg", Q=95)
    image = still(resize(data, width=64, height=64, fit=fit, background="808080"))
    made = plan(Size(160, 120), 64, 64, fit=fit)
    assert (image.width, image.height) == (made.canvas.width, made.canvas.height)
    shown = image
    if fit == "contain":
        assert near(image(32, 2), (0x80, 0x80, 0x80))
        shown = image.crop(made.left, made.top, made.scaled.width, made.scaled.height)
    for found, wanted in zip(corners(shown), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(found, wanted, 25)


def test_orientation_is_left_alone_when_asked() -> None:
    data = saved(turned(quarters(160, 120), 6), "jpeg")
    result = resize(data, width=60, autorotate=False)
    assert size(result) == Size(60, 80)
    assert near(corners(still(result))[0], GREEN, 25)


@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_orientation_counts_in_formats_other_than_jpeg(kind: str) -> None:
    result = resize(saved(turned(quarters(160, 120), 8), kind), width=80, format="png")
    assert size(result) == Size(80, 60)
    assert near(corners(still(result))[0], RED, 25)


@pytest.mark.parametrize("into", WRITTEN)
@pytest.mark.parametrize("kind", READ)
def test_every_format_read_can_become_every_format_written(kind: str, into: str) -> None:
    result = resize(saved(quarters(128, 96), kind), "rose.bin", width=64, format=into)
    assert (result.content_type, result.name) == (formats.WRITTEN[into], "rose" + formats.SUFFIXES[into])
    assert formats.recognise(result.data[: formats.PEEK_BYTES]) == into
    image = still(result)
    assert (image.width, image.height) == (64, 48)
    for found, wanted in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(found[:3], wanted, 40)


@pytest.mark.parametrize(
    ("kind", "kept"),
    [("jpeg", "jpeg"), ("png", "png"), ("webp", "webp"), ("avif", "avif"), ("gif", "png"), ("tiff", "png")],
)
def test_keep_keeps_the_format_where_it_is_written(kind: str, kept: str) -> None:
    # The name says JPEG each time: content decides.
    result = resize(saved(quarters(64, 64), kind), "rose.jpg", width=32)
    assert (result.content_type, result.name) == (formats.WRITTEN[kept], "rose" + formats.SUFFIXES[kept])


def test_quality_trades_bytes() -> None:
    data = saved(photo(200, 200), "png")
    for kind in ("jpeg", "webp", "avif"):
        low, high = (resize(data, format=kind, quality=quality).data for quality in (20, 95))
        assert len(low) < len(high)


def test_small_picture_grows_only_when_asked() -> None:
    data = saved(quarters(40, 30), "png")
    assert size(resize(data, width=100)) == Size(40, 30)
    assert size(resize(data, width=100, enlarge=True)) == Size(100, 75)


def test_cover_keeps_the_side_that_gravity_names() -> None:
    data = saved(quarters(200, 100), "png")
    left = still(resize(data, width=50, height=100, fit="cover", gravity="west"))
    right = still(resize(data, width=50, height=100, fit="cover", gravity="east"))
    assert near(left(25, 10), RED)
    assert near(right(25, 10), GREEN)


def test_transparency_is_kept_and_hidden_colours_do_not_bleed() -> None:
    hidden = flat(64, 128, (255, 0, 0, 0)).join(flat(64, 128, (0, 0, 255, 255)), "horizontal")
    files = (saved(hidden, "png"), saved(hidden, "webp", lossless=True))
    for width, data in product((20, 50, 100), files):  # each of the factors 4, 2 and 1
        image = still(resize(data, width=width, format="png"))
        assert image.bands == 4
        assert near(image(width - 2, 5), (0, 0, 255, 255), 2)
        assert image(2, 5)[3] == 0
        for x in range(width):
            pixel = image(x, 5)
            assert pixel[3] < 24 or pixel[0] < 12, f"red shines through at {x}: {pixel}"


def test_untouched_size_leaves_the_colour_of_faint_pixels_alone() -> None:
    image = still(resize(saved(flat(32, 32, (200, 100, 50, 3)), "png")))
    assert image(5, 5) == [200, 100, 50, 3]


@pytest.mark.parametrize(("background", "wanted"), [("", WHITE), ("00ff00", GREEN), ("#00f", BLUE)])
def test_jpeg_has_a_background_where_the_source_was_transparent(background: str, wanted: Sequence[int]) -> None:
    data = saved(flat(64, 64, (255, 0, 0, 0)), "png")
    assert near(still(resize(data, width=20, format="jpeg", background=background))(10, 10), wanted)


def test_background_flattens_formats_that_could_keep_alpha() -> None:
    image = still(resize(saved(flat(64, 64, (255, 0, 0, 0)), "png"), width=20, background="00ff00"))
    assert image(10, 10) == [*GREEN]


@pytest.mark.parametrize(
    ("into", "border"), [("png", (0, 0, 0, 0)), ("webp", (0, 0, 0, 0)), ("avif", (0, 0, 0, 0)), ("jpeg", WHITE)]
)
def test_border_of_contain_is_transparent_where_the_format_can(into: str, border: Sequence[int]) -> None:
    result = resize(saved(quarters(80, 40), "jpeg"), width=40, height=40, fit="contain", format=into)
    image = still(result)
    assert size(result) == Size(40, 40)
    assert near(image(20, 2), border)
    assert near(image(5, 12)[:3], RED, 40)


def test_profile_is_applied_and_dropped() -> None:
    # Red of sRGB is 219, 0, 0 in Adobe RGB (1998), whose curve is a plain gamma of 563/256.
    adobe = with_profile(flat(64, 64, (219, 0, 0)), profile(ADOBE_RGB, gamma_curve(563 / 256)))
    p3 = flat(64, 64, (200, 60, 30)).icc_transform("p3", input_profile="srgb")
    assert not near(p3(5, 5), (200, 60, 30), 10)
    for source, wanted in ((adobe, RED), (p3, (200, 60, 30))):
        for kind in ("jpeg", "png", "webp"):
            image = still(resize(saved(source, kind, **({} if kind == "png" else {"Q": 98})), width=16, format="png"))
            assert near(image(8, 8), wanted, 6), kind
            assert "icc-profile-data" not in image.get_fields()


def test_cmyk_becomes_rgb_with_and_without_its_profile() -> None:
    cmyk = flat(64, 64, (200, 60, 30)).icc_transform("cmyk", input_profile="srgb")
    for keep in ("icc", "none"):
        data = saved(cmyk, "jpeg", Q=98, keep=keep)
        image = still(resize(data, width=16, format="png"))
        assert image.bands == 3
        assert near(image(8, 8), (200, 60, 30), 30)


def test_profile_that_does_not_fit_is_ignored() -> None:
    for junk in (b"not a profile" * 20, profile(ADOBE_RGB, b"curv")):
        image = still(resize(saved(with_profile(flat(64, 64, (9, 99, 199)), junk), "webp", Q=98), format="png"))
        assert near(image(8, 8), (9, 99, 199), 6)


def test_grey_stays_grey() -> None:
    for kind in ("jpeg", "png"):
        image = still(resize(saved(flat(64, 64, (90,)), kind), width=20))
        assert (image.bands, image.interpretation) == (1, "b-w")
        assert near(image(9, 9), (90,), 2)
    image = still(resize(saved(flat(64, 64, (90, 128)), "png"), width=20))
    assert image.bands == 2
    assert near(image(9, 9), (90, 128), 2)


def test_grey_gets_a_coloured_border() -> None:
    image = still(resize(saved(flat(64, 32, (90,)), "png"), width=20, height=20, fit="contain", background="f00"))
    assert (image(9, 1), image(9, 9)) == ([255, 0, 0], [90, 90, 90])


def test_sixteen_bits_become_eight() -> None:
    deep = (flat(64, 64, (200, 60, 30)).cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    grey = (flat(64, 64, (90,)).cast("ushort") * 257).cast("ushort").copy(interpretation="grey16")
    for kind in ("png", "tiff"):
        assert near(still(resize(saved(deep, kind), width=20, format="png"))(9, 9), (200, 60, 30), 1)
        assert near(still(resize(saved(grey, kind), width=20, format="png"))(9, 9), (90,), 1)


def test_palette_and_interlace_are_read() -> None:
    source = quarters(80, 80)
    for data in (saved(source, "png", palette=True), saved(source, "png", interlace=True)):
        for found, wanted in zip(corners(still(resize(data, width=20))), (RED, GREEN, BLUE, WHITE), strict=True):
            assert near(found[:3], wanted, 25)
    assert size(resize(saved(source, "jpeg", interlace=True), width=20)) == Size(20, 20)


def test_metadata_is_dropped() -> None:
    image = turned(quarters(64, 64), 1)
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-ImageDescription", "where I live")
    image.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta/>")
    data = saved(image, "jpeg")
    assert b"where I live" in data
    for kind in WRITTEN:
        result = resize(data, width=32, format=kind).data
        assert b"where I live" not in result
        assert not {"exif-data", "xmp-data", "icc-profile-data"} & set(
            pyvips.Image.new_from_buffer(result, "").get_fields()
        )


def animation(kind: str, frames: int = 3) -> bytes:
    roll = pyvips.Image.arrayjoin([flat(40, 30, colour) for colour in (RED, GREEN, BLUE)[:frames]], across=1).copy()
    roll.set_type(pyvips.GValue.gint_type, "page-height", 30)
    roll.set_type(pyvips.GValue.array_int_type, "delay", [70, 80, 90][:frames])
    roll.set_type(pyvips.GValue.gint_type, "loop", 2)
    return saved(roll, kind)


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_first_frame_of_an_animation_is_what_a_still_shows(kind: str) -> None:
    for result in (resize(animation(kind), width=20), resize(animation(kind), width=20, animated=True, format="png")):
        image = still(result)
        assert (image.width, image.height) == (20, 15)
        assert near(image(9, 9)[:3], RED)


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize("width", [40, 20, 10])
def test_animation_is_kept_when_asked(kind: str, width: int) -> None:
    result = resize(animation(kind), "dance.gif", width=width, animated=True)
    assert (result.content_type, result.name) == ("image/webp", "dance.webp")
    image = pyvips.Image.new_from_buffer(result.data, "", n=-1)
    height = image.get("page-height")
    assert (Size(image.width, height), image.get("n-pages")) == (plan(Size(40, 30), width, None).canvas, 3)
    assert image.get("delay") == [70, 80, 90]
    assert image.get("loop") == 2
    for number, colour in enumerate((RED, GREEN, BLUE)):
        assert near(image(width // 2, number * height + height // 2)[:3], colour, 25)


@pytest.mark.parametrize("background", ["red", "12345", "#12", "gggggg", "ffffff00"])
def test_background_that_is_no_colour_is_named(background: str) -> None:
    with pytest.raises(EventError, match=r"option background=.*expected a colour as RRGGBB"):
        Options(background=background)


def test_metadata_of_the_object_goes_with_it() -> None:
    data = saved(quarters(20, 20), "png")
    made = run(handle, data, name="rose.png", metadata={"owner": "zoé"})
    assert made.metadata == {"owner": "zoé"}


def test_libvips_does_not_chatter_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        resize(saved(photo(100, 100), "jpeg"), width=20)
    assert caplog.records == []


def test_readme_describes_every_option_with_its_default() -> None:
    text = (Path(__file__).parent / "README.md").read_text()
    for field in dataclasses.fields(Options):
        row = next((line for line in text.splitlines() if line.startswith(f"| `{field.name}` |")), "")
        shown = "none" if field.default in (None, "") else f"`{str(field.default).lower()}`"
        assert row.split("|")[2:3] == [f" {shown} "], f"{field.name} = {shown} has no row in README.md"
        for choice in field.metadata["choices"]:
            assert f"`{choice}`" in row, f"{field.name}: README.md does not name {choice}"


@pytest.mark.parametrize("name", ["max_pixels", "max_frames"])
def test_a_direct_call_may_only_tighten_a_limit(name: str) -> None:
    client = Lake(handle, max_pixels=5000, max_frames=50).app.test_client()
    data = saved(quarters(40, 30), "png")
    assert client.post(f"/?{name}=40", data=data).status_code == (413 if name == "max_pixels" else 200)
    refused = client.post(f"/?{name}=5001", data=data)
    assert refused.status_code == 400
    assert re.search(rf"option {name}='5001': expected at most 50(00)?, which this deployment allows", refused.text)
