"""TIFF's first directory (TIFF 6.0, BigTIFF): which numbers the samples are and what they mean.

libvips reads more kinds of numbers than have a meaning as a picture, and does not always say which it met. Here is
the list of those whose black and white are defined by the format. Everything else is refused.
"""

import struct
from dataclasses import replace
from typing import Final

from penstock import UnsupportedInput

from . import formats, pages, previews, strips, tiles
from .icc import SRGB, Gamut, matrix_profile, srgb_table, stored_table
from .tiff_directory import MAX_VALUES, Directory, read_directory
from .traits import Traits

_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES = 258, 259, 262, 277
_TILE_DEPTH: Final = 32_998
_TRANSFER, _WHITE, _PRIMARIES, _INKS, _EXTRA, _TYPE = 301, 318, 319, 332, 338, 339

_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _SEPARATED, _YCBCR, _CIELAB = 0, 1, 2, 3, 5, 6, 8
_COLOURS: Final = {_MIN_IS_WHITE: 1, _MIN_IS_BLACK: 1, _RGB: 3, _PALETTE: 1, _SEPARATED: 4, _YCBCR: 3, _CIELAB: 3}
_DEPTHS: Final = {
    _MIN_IS_WHITE: (1, 2, 4, 8, 16, 32),
    _MIN_IS_BLACK: (1, 2, 4, 8, 16, 32),
    _RGB: (8, 16, 32),
    _PALETTE: (1, 2, 4, 8),
    _SEPARATED: (8, 16),
    _YCBCR: (8,),
    _CIELAB: (8, 16),
}
_NAMES: Final = {
    4: "a transparency mask",
    _YCBCR: "YCbCr without JPEG compression",
    9: "ICC L*a*b*",
    10: "ITU L*a*b*",
    32_803: "the raw data of a sensor",
    32_844: "LogL",
    32_845: "LogLuv",
    34_892: "the raw data of a sensor",
}
_TYPES: Final = {2: "signed whole numbers", 3: "floating point", 5: "complex whole numbers", 6: "complex"}
_UNSIGNED, _UNDEFINED = 1, 4  # "as if the field were not present", says the format of the latter
_JPEG: Final = (6, 7)
_ASSOCIATED, _UNASSOCIATED = 1, 2
_CMYK_INKS: Final = 1


def look(name: str, data: bytes) -> Traits:
    """Raise `UnsupportedInput` for samples without a defined range, and for colours that are not converted.

    A first page that is a preview or a mask of another picture gives way to that one, if it is read.
    """
    directory = read_directory(data, _READ)
    if directory is None:
        return Traits()  # libvips says what is wrong with it
    if not previews.is_beside_a_picture(directory):
        return _look(name, data, directory)
    note = "the first page is a preview of a picture that is not there: it was taken"
    count, cut = pages.walk(data)
    main = next(previews.pictures(data, directory, count), None)
    other = None if main is None else read_directory(data, _READ, main.at)
    if main is not None and other is not None:
        moved = previews.beginning_with(data, main.at)
        try:
            traits = _look(name, moved, other)
        except UnsupportedInput:
            note = "the first page is a preview: it was taken, as the picture itself is of a kind that is not read"
        else:
            shown = f"page {main.page} of {count}" if main.page else "the picture behind it"
            note = f"the first page is a preview or a mask: {shown} was taken"
            return replace(
                traits, data=traits.data or moved, frames=1, fault=cut or traits.fault, notes=(*traits.notes, note)
            )
    traits = _look(name, data, directory)
    return replace(traits, notes=(*traits.notes, note))


def _look(name: str, data: bytes, directory: Directory) -> Traits:
    if _PHOTOMETRIC not in directory.fields and pages.walk(data)[0] <= formats.MAX_PAGES:  # too many are refused first
        raise _unsupported(name, "a TIFF that does not tell what its samples mean (PhotometricInterpretation)")
    photometric, samples = directory.one(_PHOTOMETRIC, _MIN_IS_WHITE), directory.one(_SAMPLES, 1)
    colours = _COLOURS.get(photometric)
    if colours is None or (photometric == _YCBCR and directory.one(_COMPRESSION, 1) not in _JPEG):
        raise _unsupported(name, f"a TIFF of {_NAMES.get(photometric, f'photometric interpretation {photometric}')}")
    others = set(directory.fields.get(_TYPE, ())) - {_UNSIGNED, _UNDEFINED}
    if others:
        kind = int(max(others))
        raise _unsupported(
            name, f"a TIFF with samples of {_TYPES.get(kind, f'type {kind}')}, whose black and white are not defined,"
        )
    bits = {int(value) for value in directory.fields.get(_BITS) or (1,)}
    if len(bits) > 1 or not bits <= set(_DEPTHS[photometric]):
        raise _unsupported(name, f"a TIFF with samples of {'/'.join(map(str, sorted(bits)))} bits")
    if samples > 1 and (max(bits) < 8 or photometric == _PALETTE):  # libvips shows the latter's numbers as grey
        what = "a palette" if photometric == _PALETTE else f"samples of {max(bits)} bits"
        raise _unsupported(name, f"a TIFF of {samples} channels with {what}")
    if photometric == _SEPARATED and directory.one(_INKS, _CMYK_INKS) != _CMYK_INKS:
        raise _unsupported(name, "a TIFF of inks other than cyan, magenta, yellow and black")
    if samples < colours:
        raise _unsupported(name, f"a TIFF with {samples} of the {colours} channels of its colours")
    bands, notes = _bands(directory, colours, samples)
    profile = _told(directory) if photometric in (_RGB, _PALETTE) else None
    sample_bytes = -(-max(bits) // 8)
    count, cut = pages.walk(data)
    if not cut and strips.zeroed(data, directory.one(_COMPRESSION, 1), directory.fields):
        cut = strips.ENDS_EARLY
    traits = Traits(profile=profile, bands=bands, notes=notes, frames=count, fault=cut)
    associated = _ASSOCIATED in directory.fields.get(_EXTRA, ())
    if photometric == _CIELAB and associated:
        raise _unsupported(name, "a TIFF of L*a*b* multiplied by alpha")
    if photometric == _CIELAB and bits == {8}:
        traits = replace(traits, lab=True, data=_with(data, directory, _PHOTOMETRIC, _RGB))
    elif associated and (bits == {32} or photometric == _SEPARATED):
        # libvips would divide by alpha as if 255 were opaque, also for other numbers of bits. When alpha is called the
        # other kind, the samples come as they are.
        traits = replace(traits, premultiplied=True, data=_with(data, directory, _EXTRA, _UNASSOCIATED))
    found = tiles.find(directory.fields)
    return traits if found is None else _tiled(name, data, traits, directory, found, samples * sample_bytes)


def fault(data: bytes) -> str:
    """What is missing of the pixels of a file that its decoder warned of, or "" where the warning was about a field."""
    directory = read_directory(data, _READ)
    return "" if directory is None else strips.fault(data, directory.fields)


def checksum_fault(data: bytes, pixel_bytes: int) -> str:
    """What is wrong with the checksum of pixels that take `pixel_bytes`, or ""."""
    directory = read_directory(data, _READ)
    if directory is None:
        return ""
    is_other = strips.has_other_checksum(data, directory.one(_COMPRESSION, 1), directory.fields, 2 * pixel_bytes)
    return strips.OTHER_CHECKSUM if is_other else ""


def _tiled(
    name: str, data: bytes, traits: Traits, directory: Directory, found: tiles.Tiles, pixel_bytes: int
) -> Traits:
    if found.across * found.down > MAX_VALUES or directory.one(_TILE_DEPTH, 1) != 1:
        raise _unsupported(name, f"a TIFF of more than {MAX_VALUES} tiles, or of tiles with a depth,")
    fault = traits.fault or tiles.fault(data, directory.fields, found, directory.one(_SAMPLES, 1))
    if not fault and tiles.left_out(directory.fields):
        raise _unsupported(name, "a TIFF that leaves out tiles")
    big = data[2:4] in (b"+\0", b"\0+")
    patched = None if fault else tiles.as_strips(traits.data or data, directory.order, big=big, tiles=found)
    return replace(
        traits,
        data=patched or traits.data,
        tiles=None if patched is None else found,
        held_bytes=found.pixels * pixel_bytes,
        fault=fault,
    )


def _unsupported(name: str, what: str) -> UnsupportedInput:
    return UnsupportedInput(f"{name}: {what} is not read; save it as RGB or grey of 8 or 16 bits")


def _bands(directory: Directory, colours: int, samples: int) -> tuple[tuple[int, ...] | None, tuple[str, ...]]:
    """The channels that are colour and alpha. Others carry data of their own, which a picture does not show."""
    meanings = directory.fields.get(_EXTRA)
    if samples == colours:
        return None, ()
    if meanings is None:  # the format wants it said; what writers that leave it out mean is alpha
        meanings = (_UNASSOCIATED,)
    alpha = next((at for at, meaning in enumerate(meanings) if meaning in (_ASSOCIATED, _UNASSOCIATED)), None)
    kept = tuple(range(colours)) + (() if alpha is None else (colours + alpha,))
    if kept == tuple(range(samples)):
        return None, ()
    return kept, (f"{samples - len(kept)} of {samples} channels are neither colour nor alpha and were left out",)


def _told(directory: Directory) -> bytes | None:
    """A profile by WhitePoint, PrimaryChromaticities and TransferFunction (TIFF 6.0, section 20)."""
    white, points = directory.fields.get(_WHITE, ()), directory.fields.get(_PRIMARIES, ())
    values = [int(value) for value in directory.fields.get(_TRANSFER, ())]
    if len(points) != 6 and not values:
        return None
    gamut, curves = SRGB, [srgb_table()]
    if len(points) == 6:
        red, green, blue = zip(points[::2], points[1::2], strict=True)
        gamut = Gamut(red, green, blue, (white[0], white[1]) if len(white) == 2 else SRGB.white)
    entries = 1 << directory.one(_BITS, 8)
    if len(values) in (entries, 3 * entries):
        curves = [stored_table(values[at : at + entries]) for at in range(0, len(values), entries)]
    try:
        return matrix_profile(gamut, curves)
    except ValueError:
        return None


def _with(data: bytes, directory: Directory, tag: int, value: int) -> bytes:
    """A copy with another first value of a field, so that libvips passes on the samples as they are."""
    at = directory.places[tag]
    return data[:at] + struct.pack(directory.order + "H", value) + data[at + 2 :]


_READ: Final = frozenset(
    (
        *tiles.FIELDS,
        *strips.FIELDS,
        _TILE_DEPTH,
        *previews.FIELDS,
        _BITS,
        _COMPRESSION,
        _PHOTOMETRIC,
        _SAMPLES,
        _TRANSFER,
        _WHITE,
        _PRIMARIES,
        _INKS,
        _EXTRA,
        _TYPE,
    )
)
