"""AVIF whose file says that it is turned or mirrored: odd sides, with colours at half the sides."""

import io

import pytest
from PIL import Image, ImageChops, ImageOps

from .samples import resize

TOLERANCE = 12  # levels: the peers do not enlarge the colours in the same way


def stored(width: int, height: int, orientation: int, subsampling: str) -> bytes:
    """Slopes in two colours, which libavif says are to be moved as this EXIF orientation says."""
    down = Image.linear_gradient("L")
    across = down.transpose(Image.Transpose.ROTATE_90)
    slopes = [each.resize((width, height), Image.Resampling.BILINEAR) for each in (across, down)]
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x112] = orientation
    picture = Image.merge("RGB", (*slopes, Image.new("L", (width, height), 128)))
    picture.save(file, "AVIF", quality=95, speed=10, subsampling=subsampling, exif=exif.tobytes())
    return file.getvalue()


def furthest(made: Image.Image, wanted: Image.Image) -> int:
    """The largest difference of any channel of any pixel, in levels."""
    difference = ImageChops.difference(made.convert("RGB"), wanted.convert("RGB"))
    return max(difference.tobytes())


@pytest.mark.long
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("size", [(33, 20), (20, 33), (33, 33), (17, 31), (32, 16)], ids=str)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_colours_lie_on_the_light(size: tuple[int, int], orientation: int, subsampling: str) -> None:
    data = stored(*size, orientation, subsampling)
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))  # Pillow tells the moves as EXIF
    made = Image.open(io.BytesIO(resize(data, format="png").data))
    assert made.size == wanted.size
    assert furthest(made, wanted) <= TOLERANCE


@pytest.mark.parametrize("orientation", [3, 6, 7])
def test_a_smaller_picture_is_upright_too(orientation: int) -> None:
    data = stored(401, 303, orientation, "4:2:0")
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    made = Image.open(io.BytesIO(resize(data, format="png", width="50").data))
    assert made.width == 50
    assert furthest(made, wanted.resize(made.size, Image.Resampling.LANCZOS)) <= TOLERANCE
