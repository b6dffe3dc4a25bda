"""The pictures that bench/resize.py works on, made from scikit-image's photographs: nothing is fetched."""

import io
from functools import cache
from typing import Any, Final

# libjpeg's quality by name. 12 megapixels from a camera have 3 to 5 MB; what a decoder costs grows with the bytes.
JPEG: Final = {"jpeg, 1.6 MB": 85, "jpeg, 3.0 MB": 93, "jpeg, 4.0 MB": 95}
USUAL: Final = "jpeg, 3.0 MB"
KINDS: Final = (*JPEG, "progressive jpeg", "png", "alpha png", "webp", "avif", "tiff")


@cache
def photograph() -> Any:
    """12 megapixels: four photographs, upscaled, side by side, with a sensor's grain."""
    import numpy as np
    import skimage.data
    from PIL import Image

    sheet = Image.new("RGB", (4000, 3000))
    for index, name in enumerate(("astronaut", "chelsea", "coffee", "retina")):
        tile = Image.fromarray(getattr(skimage.data, name)()[..., :3])
        scale = max(2000 / tile.width, 1500 / tile.height)
        size = (round(tile.width * scale), round(tile.height * scale))
        tile = tile.resize(size, Image.Resampling.BICUBIC).crop((0, 0, 2000, 1500))
        sheet.paste(tile, (index % 2 * 2000, index // 2 * 1500))
    grain = np.random.default_rng(7).normal(0, 3, (3000, 4000, 1))
    return Image.fromarray(np.clip(np.asarray(sheet) + grain, 0, 255).astype(np.uint8))


@cache
def encoded(kind: str) -> bytes:
    """The photograph as a file, one of `KINDS`; with alpha it is 2000 x 2000 with soft round corners."""
    from PIL import Image, ImageDraw, ImageFilter

    image, out = photograph(), io.BytesIO()
    if kind == "alpha png":
        image = image.crop((0, 0, 2000, 2000))
        mask = Image.new("L", image.size)
        ImageDraw.Draw(mask).rounded_rectangle((40, 40, 1960, 1960), 400, fill=255)
        image.putalpha(mask.filter(ImageFilter.GaussianBlur(12)))
    if kind in JPEG:
        image.save(out, "JPEG", quality=JPEG[kind])
        return out.getvalue()
    settings: dict[str, dict[str, Any]] = {
        "progressive jpeg": {"quality": JPEG[USUAL], "progressive": True},
        "avif": {"quality": 70, "speed": 10},
        "tiff": {"compression": "tiff_lzw"},
        "webp": {"quality": 85, "method": 0},
    }
    image.save(out, kind.rpartition(" ")[2].upper(), **settings.get(kind, {"compress_level": 3}))
    return out.getvalue()
