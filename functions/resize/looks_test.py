"""Grey, blur, sharpen, trim and smart crop, against Pillow's pictures and plain arithmetic."""

import dataclasses
import io
import re
from math import exp
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw

from .handler import Options
from .samples import in_any_order, resize
from .sizes_test import by_pillow, off, on_white, resized, saved, slope


def plain(data: bytes, **options: Any) -> Image.Image:
    """The result as it is, alpha too."""
    return Image.open(io.BytesIO(resize(data, format="png", **options).data))


def luminance(red: int, green: int, blue: int) -> float:
    """Grey of the same light: linear, weighed by IEC 61966-2-1, and back."""

    def linear(value: float) -> float:
        value /= 255
        return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)

    light = 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    return 255 * (light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 90, 90), (200, 100, 50)])
def test_grayscale_has_the_light_of_the_colour(colour: tuple[int, int, int]) -> None:
    made = plain(saved(Image.new("RGB", (8, 8), colour), "PNG"), grayscale=True)
    assert made.mode == "L"
    assert abs(float(made.getpixel((2, 2)) or 0) - luminance(*colour)) <= 1  # type: ignore[arg-type]
    half = plain(saved(Image.new("RGBA", (8, 8), (*colour, 100)), "PNG"), grayscale=True, width=4)
    assert half.mode == "LA"
    found: Any = half.getpixel((2, 2))
    assert abs(found[0] - luminance(*colour)) <= 2
    assert found[1] == 100


def gaussian(row: list[float], sigma: float) -> list[float]:
    reach = int(4 * sigma) + 1
    weights = [exp(-(at * at) / (2 * sigma * sigma)) for at in range(-reach, reach + 1)]
    padded = [row[0]] * reach + row + [row[-1]] * reach
    return [
        sum(weight * padded[at + step] for step, weight in enumerate(weights)) / sum(weights) for at in range(len(row))
    ]


STEP = [40.0] * 20 + [210.0] * 20


def step_picture() -> bytes:
    image = Image.new("L", (40, 6))
    for y in range(6):
        for x, value in enumerate(STEP):
            image.putpixel((x, y), int(value))
    return saved(image, "PNG")


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.5, 6.0])
def test_blur_is_a_gaussian(sigma: float) -> None:
    made: Any = plain(step_picture(), blur=sigma)
    for x, wanted in enumerate(gaussian(STEP, sigma)):
        assert abs(made.getpixel((x, 3)) - wanted) <= 2, f"at {x}"


@pytest.mark.parametrize("share", [50, 100, 300])
def test_sharpen_adds_what_a_gaussian_takes_away(share: int) -> None:
    made: Any = plain(step_picture(), sharpen=share)
    for x, (value, soft) in enumerate(zip(STEP, gaussian(STEP, 1.0), strict=True)):
        wanted = min(255.0, max(0.0, value + (value - soft) * share / 100))
        assert abs(made.getpixel((x, 3)) - wanted) <= 2 + share / 100, f"at {x}"


def test_blur_does_not_draw_in_hidden_colours() -> None:
    image = Image.new("RGBA", (40, 20), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (20, 0, 40, 20))
    made: Any = plain(saved(image, "PNG"), blur=3.0, sharpen=100)
    for x in range(40):
        red, _, _, alpha = made.getpixel((x, 10))
        assert alpha < 24 or red < 12, f"red shines through at {x}"


def test_blur_is_in_pixels_of_the_result_and_leaves_the_border_sharp() -> None:
    data = saved(slope(160, 80), "PNG")
    made = plain(data, width=40, height=40, fit="contain", background="00ff00", blur=5.0)
    column: list[Any] = [made.getpixel((20, y)) for y in range(40)]
    assert column[9] == (0, 255, 0)
    assert column[10] != (0, 255, 0)


def bordered(mode: str, background: Any, noise: int = 0) -> Image.Image:
    image = Image.new(mode, (101, 67), background)
    image.paste(slope(30, 21).convert(mode), (37, 11))
    if noise:
        for at in range(0, 101, 3):
            image.putpixel((at, at % 9), tuple(min(255, value + noise) for value in background))
    return image


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF"])
@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (9, 99, 199)])
def test_trim_leaves_what_pillow_finds_inside_the_border(background: tuple[int, int, int], kind: str) -> None:
    data = saved(bordered("RGB", background), kind)
    read = Image.open(io.BytesIO(data)).convert("RGB")
    corner: Any = read.getpixel((0, 0))
    box = ImageChops.difference(read, Image.new("RGB", read.size, corner)).getbbox()
    assert box is not None
    made = resized(data, trim=0)
    assert off(made, read.crop(box)) == (0, 0.0)
    smaller = resized(data, trim=0, width=10)
    assert off(smaller, read.crop(box).resize(smaller.size, Image.Resampling.LANCZOS))[0] <= 8


def test_trim_overlooks_noise_up_to_its_levels() -> None:
    data = saved(bordered("RGB", (200, 200, 200), noise=6), "PNG")
    assert resized(data, trim=6).size == (30, 21)
    assert resized(data, trim=5).size != (30, 21)
    assert resized(saved(bordered("RGB", (255, 255, 255)), "JPEG"), trim=20).size == (30, 21)


def test_trim_of_transparent_borders_goes_by_alpha() -> None:
    image = Image.new("RGBA", (60, 50), (255, 0, 0, 0))
    image.putpixel((3, 3), (0, 255, 0, 0))  # another hidden colour is nothing to see
    image.paste(slope(20, 10).convert("RGBA"), (5, 30))
    made = plain(saved(image, "PNG"), trim=0)
    assert made.size == (20, 10)


def test_trim_of_one_colour_leaves_the_picture() -> None:
    assert resized(saved(Image.new("RGB", (30, 20), "red"), "PNG"), trim=0).size == (30, 20)


def test_trim_of_a_turned_picture_is_upright() -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    data = saved(bordered("RGB", (255, 255, 255)), "TIFF", exif=exif)
    assert resized(data, trim=0).size == (21, 30)
    assert resized(data, trim=0, height=15).size == (11, 15)


def test_trim_of_an_animation_keeps_what_any_frame_shows() -> None:
    frames = [Image.new("RGB", (40, 30), "white") for _ in range(2)]
    ImageDraw.Draw(frames[0]).rectangle((5, 6, 9, 10), "red")
    ImageDraw.Draw(frames[1]).rectangle((20, 15, 29, 24), "blue")
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    made = Image.open(io.BytesIO(resize(data, trim=20, animated=True).data))
    assert made.size == (25, 19)


def spot(width: int, height: int, at: tuple[int, int]) -> bytes:
    image = Image.new("RGB", (width, height), (120, 130, 140))
    ImageDraw.Draw(image).ellipse((at[0] - 12, at[1] - 12, at[0] + 12, at[1] + 12), (230, 60, 40))
    ImageDraw.Draw(image).line((at[0] - 10, at[1] - 10, at[0] + 10, at[1] + 10), (255, 255, 255), 3)
    return saved(image, "PNG")


@pytest.mark.parametrize("gravity", ["attention", "entropy"])
@pytest.mark.parametrize(
    ("size", "at"), [((300, 100), (30, 50)), ((300, 100), (265, 50)), ((100, 300), (50, 30)), ((100, 300), (50, 265))]
)
def test_smart_gravity_keeps_what_stands_out(size: tuple[int, int], at: tuple[int, int], gravity: str) -> None:
    def red(image: Image.Image) -> int:
        places = [(x, y) for x in range(image.width) for y in range(image.height)]
        pixels: list[Any] = [image.getpixel(place) for place in places]
        return sum(1 for pixel in pixels if pixel[0] > 180 and pixel[1] < 120)

    data = spot(*size, at)
    kept = resized(data, width=50, height=50, fit="cover", gravity=gravity)
    assert kept.size == (50, 50)
    assert red(kept) > 60
    assert red(resized(data, width=50, height=50, fit="cover")) == 0
    # Where nothing is cut, it is as the middle.
    assert off(resized(data, width=50, gravity=gravity), resized(data, width=50)) == (0, 0.0)
    contained = {"width": 50, "height": 50, "fit": "contain", "background": "000000"}
    assert off(resized(data, **contained, gravity=gravity), resized(data, **contained)) == (0, 0.0)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P"])
def test_smart_gravity_takes_every_kind_of_picture(mode: str) -> None:
    read = Image.open(io.BytesIO(spot(300, 100, (30, 50))))
    source = read.quantize(16) if mode == "P" else read.convert(mode)
    assert plain(saved(source, "PNG"), width=40, height=40, fit="cover", gravity="attention").size == (40, 40)


def test_all_frames_are_cut_alike() -> None:
    frames = [Image.open(io.BytesIO(spot(300, 100, at))) for at in ((30, 50), (260, 50))]
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    made = Image.open(
        io.BytesIO(resize(data, width=50, height=50, fit="cover", gravity="attention", animated=True).data)
    )
    made.seek(1)
    pixel: Any = made.convert("RGB").getpixel((25, 25))
    assert all(abs(a - b) < 20 for a, b in zip(pixel, (120, 130, 140), strict=True))


def test_ranges_are_as_readme_says() -> None:
    text = (Path(__file__).parent / "README.md").read_text()
    for field in dataclasses.fields(Options):
        least, most = field.metadata["ge"], field.metadata["le"]
        if most is not None:
            assert re.search(rf"^\| `{field.name}` \| [^|]+ \| {least} to {most} \|", text, re.MULTILINE), field.name


@pytest.mark.long
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_renditions_with_looks_have_the_same_bytes_alone_and_with_others(kind: str) -> None:
    data = saved(bordered("RGB", (255, 255, 255)).resize((1003, 702)), kind)
    renditions: dict[str, dict[str, Any]] = {
        "thumb": {"width": 100, "height": 100, "fit": "cover", "gravity": "attention"},
        "trimmed": {"width": 100, "trim": 12},
        "tight": {"width": 100, "trim": 40},
        "soft": {"width": 300, "blur": 2.0},
        "plain": {"width": 300},
    }
    alone = {name: resize(data, **options).data for name, options in renditions.items()}
    for made in in_any_order(data, renditions):
        assert made == alone


def test_looks_change_nothing_unless_asked() -> None:
    data = saved(slope(60, 40), "PNG")
    assert off(on_white(plain(data, width=30)), by_pillow(data, (30, 20)))[0] <= 4
