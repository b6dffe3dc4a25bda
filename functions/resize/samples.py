"""Images made for the tests, small and without a file, the same at every call; and what the tests do with them."""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import pyvips
from penstock.testing import Lake, Output, run

from .handler import handle

Image = Any  # pyvips has no types
Colour = Sequence[float]

READ: Final = ("jpeg", "png", "webp", "avif", "gif", "tiff")  # each kind that saved() can make and resize reads
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
ADOBE_RGB: Final = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB: Final = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))


def flat(width: int, height: int, colour: Colour) -> Image:
    """One colour, as many bands as it has numbers."""
    bands = len(colour)
    image = (pyvips.Image.black(width, height, bands=bands) + list(colour)).cast("uchar")
    return image.copy(interpretation="b-w" if bands <= 2 else "srgb")


def quarters(width: int, height: int) -> Image:
    """Red, green / blue, white: which corner is where says how it was turned."""
    w, h = width // 2, height // 2
    top = flat(w, h, RED).join(flat(width - w, h, GREEN), "horizontal")
    bottom = flat(w, height - h, BLUE).join(flat(width - w, height - h, WHITE), "horizontal")
    return top.join(bottom, "vertical").copy_memory()


def photo(width: int, height: int, *, alpha: bool = False) -> Image:
    """Three bands of smooth noise, with a round hole for alpha when asked for."""
    bands = [pyvips.Image.perlin(width, height, cell_size=24, seed=seed, uchar=True) for seed in (1, 2, 3)]
    image = bands[0].bandjoin(bands[1:])
    if alpha:
        image = image.bandjoin(pyvips.Image.perlin(width, height, cell_size=90, seed=4, uchar=True))
    return image.copy(interpretation="srgb").copy_memory()


def saved(image: Image, kind: str, **options: Any) -> bytes:
    """Encoded as jpeg, png, webp, avif, gif or tiff."""
    if kind == "avif":
        return bytes(image.heifsave_buffer(compression="av1", effort=0, **options))
    return bytes(getattr(image, f"{kind}save_buffer")(**options))


def turned(upright: Image, orientation: int) -> Image:
    """As a camera stores it that writes this EXIF orientation: shown by the rule, it is `upright` again."""
    stored = {
        1: lambda: upright,
        2: upright.fliphor,
        3: upright.rot180,
        4: upright.flipver,
        5: lambda: upright.rot90().fliphor(),
        6: upright.rot270,  # shown turned by 90 degrees clockwise
        7: lambda: upright.rot270().fliphor(),
        8: upright.rot90,
    }[orientation]()
    stored = stored.copy()
    stored.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return stored


def with_profile(image: Image, profile: bytes) -> Image:
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


def profile(colorants: Sequence[Colour], curve: bytes) -> bytes:
    """An ICC matrix profile (ICC.1:2001-04): colorants as red, green, blue in XYZ, one curve for all three."""
    texts = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"x\0",
    }
    xyz = {
        name: b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))
        for name, values in zip((b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ"), ((0.9642, 1.0, 0.8249), *colorants), strict=True)
    }
    tags = {**texts, **xyz, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    offset, directory, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        directory += struct.pack(">4sII", name, offset + len(data), len(value))
        data += value
    body = struct.pack(">I", len(tags)) + directory + data
    header = struct.pack(
        ">I4sI4s4s4s12s4s", 128 + len(body), bytes(4), 0x02100000, b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp"
    )
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)  # the illuminant, D50
    return header + bytes(128 - len(header)) + body


def gamma_curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def srgb_table(entries: int = 1024) -> bytes:
    values = [at / (entries - 1) for at in range(entries)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return b"curv" + bytes(4) + struct.pack(f">I{entries}H", entries, *(round(value * 65535) for value in linear))


def srgb_formula() -> bytes:
    numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"para" + bytes(4) + struct.pack(">2H5i", 3, 0, *(round(value * 65536) for value in numbers))


def resize(data: bytes | Iterable[bytes], name: str = "rose.jpg", **options: Any) -> Output:
    """One direct call."""
    return run(handle, data, name=name, **options)


def in_any_order(data: bytes, renditions: Mapping[str, Mapping[str, object]]) -> Iterator[dict[str, bytes]]:
    """What each rendition becomes when all are made from one input, in the order given and in the reverse one."""
    for names in (list(renditions), list(reversed(list(renditions)))):
        ordered = {name: renditions[name] for name in names}
        lake = Lake(handle, sink="s3://processed/{rendition}/{key}", renditions=ordered)
        assert lake.put("rose.jpg", data).changed
        yield {key.partition("/")[0]: made for key, made in lake.outputs().items()}


def still(made: Output) -> Image:
    """The result decoded, its first frame."""
    return pyvips.Image.new_from_buffer(made.data, "")
