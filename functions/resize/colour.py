"""Colour profiles: recognise the ones that say sRGB, so that the usual photograph is not converted to what it is."""

import struct
from typing import Final

from .icc import srgb_curve

# Media-relative colorants of IEC 61966-2-1 adapted to D50, as in every sRGB profile.
_COLORANTS: Final = {
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
_COLORANT_TOLERANCE: Final = 0.002
_CURVE_TOLERANCE: Final = 0.004  # one step of eight bits
_PROBES: Final = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9)
_SPACES: Final = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}
_PADDING: Final = 3  # bytes that may be missing at the end of the last tag
_HEADER_BYTES, _TAG_BYTES, _MAX_TAGS = 128, 12, 100


def is_srgb(profile: bytes) -> bool:
    """Whether an ICC profile (ICC.1:2022) is an RGB matrix profile with sRGB's primaries and curves.

    False when in doubt, and for one that cannot be read: converting is always right, only slower.
    """
    try:
        return _is_srgb(profile)
    except (struct.error, IndexError, ValueError, OverflowError):
        return False


def fits(profile: bytes, channels: int) -> bool:
    """Whether an ICC profile is whole and for pictures of so many channels without alpha (ICC.1:2022, 7.2)."""
    size = int.from_bytes(profile[:4], "big")
    grey = channels == 1
    return (
        profile[16:20] == _SPACES.get(channels)
        and size - len(profile) <= _PADDING
        and (not grey or b"kTRC" in profile or b"A2B0" in profile)
    )


def _is_srgb(profile: bytes) -> bool:
    if profile[16:20] != b"RGB " or profile[20:24] != b"XYZ ":
        return False
    (count,) = struct.unpack_from(">I", profile, _HEADER_BYTES)
    tags: dict[bytes, bytes] = {}
    for index in range(min(count, _MAX_TAGS)):
        name, offset, size = struct.unpack_from(">4sII", profile, _HEADER_BYTES + 4 + index * _TAG_BYTES)
        tags[name] = profile[offset : offset + size]
    if b"A2B0" in tags:  # a table takes precedence over the matrix
        return False
    for name, expected in _COLORANTS.items():
        values = struct.unpack_from(">3i", tags.get(name, b""), 8)  # s15Fixed16
        if any(
            abs(value / 65536 - wanted) > _COLORANT_TOLERANCE for value, wanted in zip(values, expected, strict=True)
        ):
            return False
    return all(
        abs(_curve(tags.get(name, b""), at) - srgb_curve(at)) < _CURVE_TOLERANCE
        for name in (b"rTRC", b"gTRC", b"bTRC")
        for at in _PROBES
    )


def _curve(tag: bytes, at: float) -> float:
    """A tone curve's value: `curv` with a table or a gamma, or `para` of type 3, which sRGB profiles use."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return at
        if count == 1:
            return float(at ** (struct.unpack_from(">H", tag, 12)[0] / 256))
        place = at * (count - 1)
        low = min(int(place), count - 2)
        first, second = struct.unpack_from(">2H", tag, 12 + 2 * low)
        return float(first + (second - first) * (place - low)) / 65535
    if tag[:4] == b"para" and struct.unpack_from(">H", tag, 8)[0] == 3:
        gamma, a, b, c, d = (value / 65536 for value in struct.unpack_from(">5i", tag, 12))
        return float((a * at + b) ** gamma) if at >= d else c * at
    raise ValueError("a curve that no sRGB profile has")
