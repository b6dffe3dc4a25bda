"""Decoded pixels made plain: few kinds of numbers and colours, so that what follows need not know the file's."""

from typing import Final

from penstock import UnsupportedInput

from .colour import is_srgb
from .libvips import PROFILE, Image, pyvips
from .traits import Traits

_DEEP: Final = ("rgb16", "grey16")


def plain(name: str, traits: Traits, image: Image) -> Image:
    """Grey, RGB or CMYK in the file's own primaries and curve, of 8 bits, or of 16 that a profile is still to read."""
    if traits.bands is not None:
        meaning = image.interpretation
        image = image[traits.bands[0]].bandjoin([image[band] for band in traits.bands[1:]])
        image = image.copy(interpretation=meaning)
    if traits.limited:
        image = _full_range(image)
    if traits.grey and image.get_typeof(PROFILE) and image.get(PROFILE)[16:20] == b"GRAY":
        image = _one_channel(image)
    if traits.lab or image.interpretation in ("lab", "labs"):
        return _from_lab(image)
    if image.format == "uint":
        image = (image >> 24).cast("uchar").copy(interpretation="b-w" if image.bands <= 2 else "srgb")
    if image.format == "ushort" and image.interpretation == "cmyk":
        image = (image >> 8).cast("uchar").copy(interpretation="cmyk")
    if traits.profile is not None and (traits.outranks or not image.get_typeof(PROFILE)):
        image = image.copy()
        image.set_type(pyvips.GValue.blob_type, PROFILE, traits.profile)
    if image.interpretation in _DEEP and image.get_typeof(PROFILE) and not is_srgb(image.get(PROFILE)):
        return image
    if image.format != "uchar" or image.interpretation not in ("b-w", "srgb", "cmyk"):
        image = image.colourspace("b-w" if image.bands <= 2 else "srgb")
    if image.format != "uchar" or image.bands > (5 if image.interpretation == "cmyk" else 4):
        raise UnsupportedInput(f"{name}: {image.bands} channels of type {image.format} are not a picture")
    return image


def _one_channel(image: Image) -> Image:
    """Grey of one channel, and alpha, from three equal ones: a profile for grey has no use for three."""
    meaning = "grey16" if image.format == "ushort" else "b-w"
    made = image[0] if image.bands == 3 else image[0].bandjoin(image[3])
    return made.copy(interpretation=meaning)


def _full_range(image: Image) -> Image:
    """16 to 235 made 0 to 255 (ITU-T H.273, 8.3); alpha has the full range already."""
    unit = 256 if image.format == "ushort" else 1
    colours = image.bands - bool(image.hasalpha())
    white = 65_535 if unit > 1 else 255
    part = ((image.extract_band(0, n=colours) - 16 * unit) * (white / (219 * unit))).rint().cast(image.format)
    made = part if colours == image.bands else part.bandjoin(image[colours])
    return made.copy(interpretation=image.interpretation)


def _from_lab(image: Image) -> Image:
    """CIE L*a*b* under D50 (TIFF 6.0, section 23) in sRGB."""
    alpha = image[3] if image.bands > 3 else None
    if image.format == "uchar":
        signed = image[1].bandjoin(image[2]).copy(format="char")
        lab = (image[0] * (100 / 255)).bandjoin(signed.cast("float"))
    else:
        alpha = None if alpha is None else (alpha.cast("ushort") >> 8).cast("uchar")
        lab = image.extract_band(0, n=3).copy(interpretation="labs").labS2Lab()
    made = lab.cast("float").copy(interpretation="lab").icc_export(output_profile="srgb", pcs="lab", depth=8)
    made = made.copy()
    made.remove(PROFILE)
    return made if alpha is None else made.bandjoin(alpha).copy(interpretation="srgb")
