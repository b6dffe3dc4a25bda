"""AVIF and HEIC whose file says that they are turned or mirrored: odd sides, with colours at half the sides."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from .samples import resize

TOLERANCE = 12  # levels: the peers do not enlarge the colours in the same way


def stored(width: int, height: int, orientation: int, subsampling: str, **options: Any) -> bytes:
    """Slopes in two colours, which libavif says are to be moved as this EXIF orientation says."""
    across, down = np.linspace(0, 255, width), np.linspace(0, 255, height)
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = across[None, :], down[:, None], 128
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x112] = orientation
    picture = Image.fromarray(pixels)
    picture.save(file, "AVIF", quality=95, speed=10, subsampling=subsampling, exif=exif.tobytes(), **options)
    return file.getvalue()


def pixels_of(picture: Image.Image) -> Any:
    return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("size", [(33, 20), (20, 33), (33, 33), (17, 31), (32, 16)], ids=str)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_colours_lie_on_the_light(size: tuple[int, int], orientation: int, subsampling: str) -> None:
    data = stored(*size, orientation, subsampling)
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))  # Pillow tells the moves as EXIF
    made = Image.open(io.BytesIO(resize(data, format="png").data))
    assert made.size == wanted.size
    assert np.abs(pixels_of(made) - pixels_of(wanted)).max() <= TOLERANCE


@pytest.mark.parametrize("orientation", [3, 6, 7])
def test_a_smaller_picture_is_upright_too(orientation: int) -> None:
    data = stored(401, 303, orientation, "4:2:0")
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    made = Image.open(io.BytesIO(resize(data, format="png", width="50").data))
    assert made.width == 50
    assert np.abs(pixels_of(made) - pixels_of(wanted.resize(made.size, Image.Resampling.LANCZOS))).max() <= TOLERANCE
