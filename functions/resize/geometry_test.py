import pytest
from hypothesis import given
from hypothesis import strategies as st

from .geometry import FITS, GRAVITIES, Plan, Size, plan, reduction

sides = st.integers(1, 20_000)
sizes = st.builds(Size, sides, sides)
LANDSCAPE, PORTRAIT = Size(4000, 3000), Size(3000, 4000)


@pytest.mark.parametrize(
    ("fit", "scaled", "canvas"),
    [
        ("inside", Size(800, 600), Size(800, 600)),
        ("contain", Size(800, 600), Size(800, 800)),
        ("cover", Size(1067, 800), Size(800, 800)),
        ("outside", Size(1067, 800), Size(1067, 800)),
        ("fill", Size(800, 800), Size(800, 800)),
    ],
)
def test_each_fit_of_a_square_box(fit: str, scaled: Size, canvas: Size) -> None:
    wide = plan(LANDSCAPE, 800, 800, fit=fit)
    tall = plan(PORTRAIT, 800, 800, fit=fit)
    assert (wide.scaled, wide.canvas) == (scaled, canvas)
    assert (tall.scaled, tall.canvas) == (scaled.turned, canvas.turned)


@pytest.mark.parametrize("fit", FITS)
def test_one_side_keeps_the_aspect_whatever_the_fit(fit: str) -> None:
    assert plan(LANDSCAPE, 800, None, fit=fit).canvas == Size(800, 600)
    assert plan(LANDSCAPE, None, 600, fit=fit).canvas == Size(800, 600)
    assert plan(LANDSCAPE, None, None, fit=fit).canvas == LANDSCAPE


@pytest.mark.parametrize(
    ("fit", "canvas"),
    [
        ("inside", Size(40, 30)),
        ("outside", Size(40, 30)),
        ("contain", Size(100, 100)),
        ("cover", Size(40, 30)),
        ("fill", Size(40, 30)),
    ],
)
def test_small_picture_does_not_grow_unless_asked(fit: str, canvas: Size) -> None:
    kept = plan(Size(40, 30), 100, 100, fit=fit)
    assert (kept.scaled, kept.canvas) == (Size(40, 30), canvas)
    assert plan(Size(40, 30), 100, 100, fit=fit, enlarge=True).scaled != Size(40, 30)


def test_cover_cuts_the_long_side_of_a_picture_smaller_than_the_box_in_one_direction() -> None:
    assert plan(Size(300, 50), 100, 100, fit="cover") == Plan(Size(300, 50), Size(100, 50), -100, 0)


@pytest.mark.parametrize("gravity", GRAVITIES)
def test_gravity_says_what_cover_keeps(gravity: str) -> None:
    made = plan(Size(200, 100), 100, 100, fit="cover", gravity=gravity)
    assert made.left == (0 if "west" in gravity else -100 if "east" in gravity else -50)
    tall = plan(Size(100, 200), 100, 100, fit="cover", gravity=gravity)
    assert tall.top == (0 if "north" in gravity else -100 if "south" in gravity else -50)


@given(sizes, sides, sides, st.sampled_from(FITS), st.booleans(), st.sampled_from(GRAVITIES))
def test_every_plan_keeps_its_promise(
    source: Size, width: int, height: int, fit: str, enlarge: bool, gravity: str
) -> None:
    made = plan(source, width, height, fit=fit, enlarge=enlarge, gravity=gravity)
    scaled, canvas = made.scaled, made.canvas
    assert min(scaled.width, scaled.height, canvas.width, canvas.height) >= 1
    if not enlarge:
        assert scaled.width <= source.width
        assert scaled.height <= source.height
    if fit != "outside":
        assert canvas.width <= width
        assert canvas.height <= height
    if fit == "contain" or (enlarge and fit in ("cover", "fill")):
        assert canvas == Size(width, height)
    if fit != "fill":
        # In proportion to half a pixel of the side that was rounded; one pixel is the least there is.
        exact = abs(scaled.width * source.height - scaled.height * source.width)
        assert exact <= max(source.width, source.height) / 2 or 1 in (scaled.width, scaled.height)
    # The picture lies within its canvas, or the canvas within the picture: never askew.
    for space, offset in ((canvas.width - scaled.width, made.left), (canvas.height - scaled.height, made.top)):
        assert min(space, 0) <= offset <= max(space, 0)


@given(sizes, sides, sides)
def test_what_is_decoded_is_never_smaller_than_what_is_made(source: Size, width: int, height: int) -> None:
    scaled = Size(min(width, source.width), min(height, source.height))
    factor = reduction(source, scaled)
    assert factor in (1, 2, 4)
    assert source.width // factor >= scaled.width
    assert source.height // factor >= scaled.height


@given(sizes, sizes)
def test_reduction_does_not_depend_on_how_the_picture_is_turned(source: Size, scaled: Size) -> None:
    assert reduction(source, scaled) == reduction(source.turned, scaled.turned)
