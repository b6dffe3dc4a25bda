"""Watermarks, against what Pillow composes."""

import io
from typing import Any

import pytest
from penstock import PermanentError
from penstock.testing import Lake
from PIL import Image

from .handler import handle
from .samples import photo, resize, saved

NAME = "s3://brand/logo.png"
RED = (255, 0, 0, 255)
PHOTO = saved(photo(300, 200), "png")
POSITIONS = {
    "northwest": (10, 10),
    "north": (120, 10),
    "east": (230, 90),
    "centre": (120, 90),
    "southwest": (10, 170),
    "southeast": (230, 170),
}


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def logo(width: int = 60, height: int = 20, colour: tuple[int, ...] = RED) -> bytes:
    return png(Image.new("RGBA", (width, height), colour))


def marked(overlay: bytes, data: bytes = PHOTO, **options: Any) -> Image.Image:
    options = {"format": "png", "watermark_margin": 10, "watermark_scale": 20, **options}
    made = resize(data, watermark=NAME, assets={"watermark": overlay}, **options)
    return Image.open(io.BytesIO(made.data))


def worst(found: Image.Image, wanted: Image.Image) -> int:
    assert (found.mode, found.size) == (wanted.mode, wanted.size)
    return max(abs(a - b) for a, b in zip(found.tobytes(), wanted.tobytes(), strict=True))


def by_pillow(overlay: bytes, place: tuple[int, int], data: bytes = PHOTO) -> Image.Image:
    under: Image.Image = Image.open(io.BytesIO(data))
    mode = under.mode
    under = under.convert("RGBA")
    over = Image.open(io.BytesIO(overlay)).convert("RGBA")
    under.alpha_composite(over, place)
    return under.convert("RGB" if mode == "L" else mode)


@pytest.mark.long
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("colour", [RED, (0, 200, 40, 128), (9, 9, 9, 0)])
def test_watermark_lies_where_it_is_asked_for(position: str, colour: tuple[int, ...]) -> None:
    overlay = logo(colour=colour)
    assert worst(marked(overlay, watermark_position=position), by_pillow(overlay, POSITIONS[position])) <= 1


def test_opacity_fades_it() -> None:
    half = marked(logo(), watermark_opacity=50, watermark_position="centre")
    wanted = by_pillow(logo(colour=(255, 0, 0, 128)), POSITIONS["centre"])
    assert worst(half, wanted) <= 2


def test_scale_is_of_the_results_width() -> None:
    gradient = Image.radial_gradient("L").convert("RGBA")
    gradient.putalpha(Image.linear_gradient("L"))
    found = marked(png(gradient), watermark_scale=40, watermark_position="northwest", width=150)
    small = Image.open(io.BytesIO(resize(PHOTO, width=150, format="png").data)).convert("RGBA")
    small.alpha_composite(gradient.convert("RGBa").resize((60, 60), Image.Resampling.LANCZOS).convert("RGBA"), (10, 10))
    assert worst(found, small.convert("RGB")) <= 6


@pytest.mark.parametrize("size", [(20, 20), (1, 1), (5, 200), (200, 5)])
def test_watermark_stays_within_the_margins(size: tuple[int, int]) -> None:
    data = png(Image.new("RGB", size, (255, 255, 255)))
    found = marked(logo(), data, watermark_scale=100, watermark_position="centre")
    assert found.size == size
    reds: Any = [pixel for pixel in found.convert("RGB").get_flattened_data() if pixel != (255, 255, 255)]
    assert 1 <= len(reds) <= max(1, size[0] - 20) * max(1, size[1] - 20)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
@pytest.mark.parametrize("colour", [RED, (0, 200, 40, 128)])
def test_alpha_and_grey_are_kept_where_nothing_covers_them(mode: str, colour: tuple[int, ...]) -> None:
    grounds: dict[str, Any] = {"L": 100, "LA": (100, 60), "RGBA": (10, 200, 30, 60)}
    under = Image.new(mode, (300, 200), grounds[mode])
    data, overlay = png(under), logo(colour=colour)
    wanted = (
        by_pillow(overlay, (10, 10), data) if mode != "LA" else by_pillow(overlay, (10, 10), png(under.convert("RGBA")))
    )
    assert worst(marked(overlay, data, watermark_position="northwest"), wanted) <= 2


def test_every_frame_of_an_animation_has_it() -> None:
    frames = [Image.new("RGB", (120, 80), colour) for colour in ((0, 0, 255), (0, 255, 0), (255, 255, 255))]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    shown = marked(logo(), file.getvalue(), animated=True, format="webp", watermark_position="centre", quality=95)
    for frame in range(3):
        shown.seek(frame)
        pixel: Any = shown.convert("RGB").getpixel((60, 40))
        assert pixel[0] > 200
        assert max(pixel[1:]) < 60


def test_overlay_of_any_kind_is_brought_to_srgb_and_upright() -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 60), (200, 20, 20)).save(file, "JPEG", exif=exif.tobytes(), quality=95)
    found = marked(file.getvalue(), watermark_position="northwest")
    pixel: Any = found.getpixel((40, 20))
    assert all(abs(a - b) <= 4 for a, b in zip(pixel, (200, 20, 20), strict=True))
    assert worst(marked(png(Image.new("L", (60, 20), 90))), by_pillow(logo(colour=(90, 90, 90, 255)), (230, 170))) <= 1


@pytest.mark.parametrize(
    ("overlay", "what"),
    [
        (b"text", "expected JPEG"),
        (logo()[:-9], "the PNG is damaged"),
        (logo(2001, 2000), "a watermark may have 4000000"),
    ],
)
def test_error_of_an_overlay_names_it(overlay: bytes, what: str) -> None:
    with pytest.raises(PermanentError, match=f"^s3://brand/logo.png: .*{what}"):
        marked(overlay)


def test_new_overlay_renews_targets() -> None:
    lake = Lake(handle, watermark=NAME, format="png", watermark_position="centre")
    for colour in (RED, (0, 0, 255, 255)):
        lake.put_asset(NAME, logo(colour=colour))
        assert (lake.notify if lake.outputs() else lambda key: lake.put(key, PHOTO))("a.png").changed
        (data,) = lake.outputs().values()
        assert Image.open(io.BytesIO(data)).getpixel((150, 100)) == colour[:3]


def test_renditions_alone_and_together_are_the_same() -> None:
    options = {"a": {"width": 100, "watermark": NAME}, "b": {"width": 50}, "c": {"watermark": NAME, "trim": 3}}
    both = [resize(PHOTO, rendition=name, renditions=options, assets={"watermark": logo()}).data for name in options]
    alone = [resize(PHOTO, assets={"watermark": logo()}, **options[name]).data for name in options]  # type: ignore[arg-type]
    assert both == alone
