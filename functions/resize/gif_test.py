"""GIF as browsers show it: what no frame covers is transparent, and a file without its end is cut short."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock import PermanentError
from PIL import Image

from . import gif as blocks
from .samples import resize
from .writers_test import BLUE, GREEN, RED, gif, gif_frame

WIDTH, HEIGHT = 16, 12
CLEAR = (0, 0, 0, 0)
COLOURS = {RED: (255, 0, 0, 255), GREEN: (0, 255, 0, 255), BLUE: (0, 0, 255, 255)}
MIDDLE = (4, 3, 8, 6)
WHOLE = (0, 0, WIDTH, HEIGHT)


def frames(data: bytes, **options: Any) -> list[Image.Image]:
    """Every frame of the result in RGBA, as Pillow composes it."""
    image = Image.open(io.BytesIO(resize(data, **options).data))
    made = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        made.append(image.convert("RGBA"))
    return made


def near(found: Any, wanted: Sequence[int], tolerance: int = 20) -> bool:
    if wanted[3] == 0:
        return bool(found[3] <= tolerance)
    return all(abs(a - b) <= tolerance for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("width", [None, 8])
@pytest.mark.parametrize("into", ["png", "webp", "avif", "jpeg"])
@pytest.mark.parametrize("disposal", [None, 0, 1, 2])
def test_canvas_that_no_frame_covers_is_seen_through(disposal: int | None, into: str, width: int | None) -> None:
    data = gif(WIDTH, HEIGHT, gif_frame(*MIDDLE, GREEN, disposal=disposal))
    (image,) = frames(data, format=into, width=width)
    behind = (255, 255, 255, 255) if into == "jpeg" else CLEAR
    assert near(image.getpixel((0, 0)), behind, 30)
    assert near(image.getpixel((image.width - 1, image.height - 1)), behind, 30)
    assert near(image.getpixel((image.width // 2, image.height // 2)), COLOURS[GREEN], 60)


@pytest.mark.parametrize(
    ("first", "second"), [((10, 8, 6, 4), (0, 0, 4, 4)), ((0, 0, 4, 4), WHOLE), (WHOLE, MIDDLE), (MIDDLE, MIDDLE)]
)
@pytest.mark.parametrize("disposal", [1, 2, 3])
@pytest.mark.parametrize("into", ["webp", "keep"])
def test_animation_is_seen_through_where_no_frame_is(
    first: Sequence[int], second: Sequence[int], disposal: int, into: str
) -> None:
    one = gif_frame(*first, RED, disposal=disposal)  # type: ignore[misc]
    data = gif(WIDTH, HEIGHT, one, gif_frame(*second, BLUE))  # type: ignore[call-arg]
    shown = frames(data, format=into, animated=True)
    assert len(shown) == 2
    for made, held in zip(shown, _as_browsers_show((first, second), disposal), strict=True):
        for place in ((1, 1), (8, 6), (14, 1), (14, 10)):
            assert near(made.getpixel(place), held.get(place, CLEAR), 60), (place, made.getpixel(place))


def _as_browsers_show(places: Sequence[Sequence[int]], disposal: int) -> list[Mapping[tuple[int, int], Sequence[int]]]:
    """What is covered after each of a red and a blue frame, by pixel."""
    covered = [
        {(x, y) for x in range(left, left + width) for y in range(top, top + height)}
        for left, top, width, height in places
    ]
    red = dict.fromkeys(covered[0], COLOURS[RED])
    return [red, {**(red if disposal == 1 else {}), **dict.fromkeys(covered[1], COLOURS[BLUE])}]


def test_frame_that_covers_its_canvas_brings_no_alpha() -> None:
    data = gif(WIDTH, HEIGHT, gif_frame(*WHOLE, GREEN), gif_frame(*MIDDLE, BLUE, disposal=1))
    assert Image.open(io.BytesIO(resize(data).data)).mode == "RGB"


@pytest.mark.parametrize(("disposal", "expected"), [(0, COLOURS[RED]), (1, COLOURS[RED]), (2, CLEAR), (3, CLEAR)])
@pytest.mark.parametrize("code_size", [2, 8])
def test_what_a_frame_leaves_behind_is_as_its_disposal_says(
    disposal: int, expected: Sequence[int], code_size: int
) -> None:
    colours = 1 << code_size
    one = gif_frame(*WHOLE, RED, disposal=disposal, code_size=code_size)
    two = gif_frame(*MIDDLE, BLUE, disposal=1, code_size=code_size)
    shown = frames(gif(WIDTH, HEIGHT, one, two, colours=colours), animated=True)
    assert len(shown) == 2
    assert near(shown[0].getpixel((0, 0)), COLOURS[RED])
    assert near(shown[1].getpixel((8, 6)), COLOURS[BLUE])
    assert near(shown[1].getpixel((0, 0)), expected)


def test_frame_that_is_taken_away_again_shows_what_was_cleared_before_it() -> None:
    one = gif_frame(*MIDDLE, RED, disposal=2)
    two = gif_frame(*WHOLE, GREEN, disposal=3)
    shown = frames(gif(WIDTH, HEIGHT, one, two, gif_frame(0, 0, 4, 4, BLUE)), animated=True)
    assert [near(frame.getpixel((8, 6)), COLOURS[GREEN], 60) for frame in shown] == [False, True, False]
    assert near(shown[2].getpixel((8, 6)), CLEAR), shown[2].getpixel((8, 6))
    assert near(shown[2].getpixel((14, 10)), CLEAR), shown[2].getpixel((14, 10))


def test_colour_that_a_frame_uses_is_not_made_transparent() -> None:
    # The last colour is taken, the one before is not.
    one = gif_frame(*WHOLE, RED, disposal=2, code_size=8, others=[255, 254, 1, 252])
    data = gif(WIDTH, HEIGHT, one, gif_frame(*MIDDLE, BLUE, code_size=8), colours=256)
    (frame, _), _ = blocks.read_frames(data)
    assert blocks.unused_colour(8, blocks.codes_of(data, frame)) == 253
    every = gif_frame(0, 0, 16, 16, RED, disposal=2, code_size=8, others=list(range(256)))
    data = gif(16, 16, every, colours=256)
    (full,), _ = blocks.read_frames(data)
    assert blocks.unused_colour(8, blocks.codes_of(data, full)) is None


def test_colours_of_a_frame_are_found_in_what_pillow_writes() -> None:
    image = Image.effect_noise((90, 70), 90).quantize(200)
    file = io.BytesIO()
    image.save(file, "GIF")
    data = file.getvalue()
    (frame,), _ = blocks.read_frames(data)
    read = Image.open(io.BytesIO(data))
    counted: Any = read.getcolors(256)
    assert read.mode in ("L", "P")
    assert blocks.used_colours(blocks.codes_of(data, frame)) == {colour for _, colour in counted}


def test_transparent_frames_are_as_they_were() -> None:
    one = gif_frame(*WHOLE, RED, disposal=2, transparent=BLUE)
    two = gif_frame(*MIDDLE, GREEN, disposal=2, transparent=BLUE)
    shown = frames(gif(WIDTH, HEIGHT, one, two), animated=True)
    assert near(shown[0].getpixel((0, 0)), COLOURS[RED])
    assert near(shown[1].getpixel((0, 0)), CLEAR)


ANIMATION = gif(WIDTH, HEIGHT, *(gif_frame(*WHOLE, colour, disposal=1) for colour in (RED, GREEN, BLUE)))
STILL = gif(WIDTH, HEIGHT, gif_frame(*WHOLE, GREEN))
UNCOVERED = gif(WIDTH, HEIGHT, gif_frame(*MIDDLE, GREEN, disposal=1), gif_frame(*MIDDLE, BLUE, disposal=1))


@pytest.mark.long
@pytest.mark.parametrize("animated", [False, True])
@pytest.mark.parametrize("data", [ANIMATION, STILL, UNCOVERED], ids=["animation", "still", "uncovered"])
def test_cut_anywhere_is_damage(data: bytes, animated: bool) -> None:
    for kept in range(len(data)):
        if kept < 6:
            continue  # not recognised as GIF at all
        with pytest.raises(PermanentError, match=r"the GIF is damaged: ."):
            resize(data[:kept], width=8, animated=animated)


def test_bytes_after_the_end_are_forgiven() -> None:
    assert frames(STILL + b"more", width=8)
    assert frames(UNCOVERED + b"more", width=8)


@pytest.mark.parametrize("data", [ANIMATION, UNCOVERED], ids=["animation", "uncovered"])
def test_number_of_frames_and_their_times_stay(data: bytes) -> None:
    number = 3 if data is ANIMATION else 2
    made = resize(data, animated=True, width=8).data
    delays = [made[at + 20 : at + 23] for at in range(len(made)) if made[at : at + 4] == b"ANMF"]  # WebP's container
    assert [int.from_bytes(delay, "little") for delay in delays] == [100] * number


def test_picture_bounds_are_checked_before_a_copy_with_alpha_is_decoded() -> None:
    assert frames(UNCOVERED, max_frames=2, animated=True)
    with pytest.raises(PermanentError, match="2 frames, more than max_frames=1"):
        resize(UNCOVERED, max_frames=1, animated=True)


@given(st.binary(max_size=300))
def test_junk_is_no_error_of_its_own(junk: bytes) -> None:
    blocks.look(b"GIF89a" + junk)


@pytest.mark.parametrize("count", [1, 4, 300])
@pytest.mark.parametrize("place", ["before the first frame", "between two", "before the trailer"])
def test_stray_bytes_between_blocks_are_stepped_over(place: str, count: int) -> None:
    parts = [gif_frame(0, 0, 8, 8, GREEN, disposal=1), gif_frame(0, 0, 8, 8, RED, disposal=1)]
    parts.insert(("before the first frame", "between two", "before the trailer").index(place), bytes(count))
    stray = gif(8, 8, *parts)
    parts = [part for part in parts if any(part)]
    assert resize(stray, format="png").data == resize(gif(8, 8, *parts), format="png").data
    made = Image.open(io.BytesIO(resize(stray, animated=True).data))
    assert getattr(made, "n_frames", 1) == 2


@pytest.mark.parametrize("zeros", [1, 20, 300])
def test_frame_whose_codes_end_early_before_stray_bytes_is_damage(zeros: int) -> None:
    whole = gif(64, 48, gif_frame(0, 0, 64, 48, GREEN))
    start = whole.index(b"," + bytes(4)) + 11
    first = whole[: start + 1 + whole[start]]
    with pytest.raises(PermanentError, match="the GIF is damaged: the data of a picture end early"):
        resize(first + bytes(1 + zeros) + b";")
