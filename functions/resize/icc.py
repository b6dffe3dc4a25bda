"""ICC profiles made from numbers, for pictures that tell their colour space without one."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

Curve = Callable[[float], float]
Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]
XY = tuple[float, float]

_D50: Final[Row] = (0.9642, 1.0, 0.8249)  # ICC.1:2022, 7.2.16
_BRADFORD: Final[Matrix] = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_STEPS: Final = 4096
_SMALLEST: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Gamut:
    """The chromaticities (CIE 1931 x, y) of the three primaries and of white."""

    red: XY
    green: XY
    blue: XY
    white: XY


SRGB: Final = Gamut((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290))


def srgb_curve(at: float) -> float:
    """Linear light of a value, both 0 to 1, by IEC 61966-2-1."""
    return float(((at + 0.055) / 1.055) ** 2.4) if at > 0.04045 else at / 12.92


def table(curve: Curve) -> bytes:
    """A curve as a `curv` table (ICC.1:2022, 10.6); what is outside 0 to 1 is cut off."""
    values = [round(min(1.0, max(0.0, curve(at / (_STEPS - 1)))) * 65535) for at in range(_STEPS)]
    return stored_table(values)


@cache
def srgb_table() -> bytes:
    return table(srgb_curve)


@cache
def srgb_profile() -> bytes:
    return matrix_profile(SRGB, [srgb_table()])


@cache
def adobe_rgb() -> bytes:
    """Adobe RGB (1998), 4.3.1."""
    gamut = Gamut((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), SRGB.white)
    return matrix_profile(gamut, [table(lambda at: at ** (563 / 256))])


def stored_table(values: Sequence[int]) -> bytes:
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


def matrix_profile(gamut: Gamut, curves: Sequence[bytes]) -> bytes:
    """An RGB profile with one curve for all channels, or three.

    Raises `ValueError` for primaries that span no colours.
    """
    colorants = _colorants(gamut)
    tags: dict[bytes, bytes] = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"told\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": _xyz(_D50),
    }
    for index, colour in enumerate(b"rgb"):
        tags[bytes((colour,)) + b"XYZ"] = _xyz((colorants[0][index], colorants[1][index], colorants[2][index]))
    # Channels with the same curve share its bytes, which the format allows.
    for index, colour in enumerate(b"rgb"):
        tags[bytes((colour,)) + b"TRC"] = curves[index if len(curves) == 3 else 0]
    start = 128 + 4 + 12 * len(tags)
    places: dict[bytes, int] = {}
    directory, body = b"", b""
    for name, value in tags.items():
        if value not in places:
            places[value] = start + len(body)
            body += value + bytes(-len(value) % 4)
        directory += struct.pack(">4sII", name, places[value], len(value))
    header = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + directory + body


def _xyz(values: Row) -> bytes:
    """s15Fixed16 numbers."""
    if max(map(abs, values)) >= 32_768:
        raise ValueError("a primary beyond every colour")
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _colorants(gamut: Gamut) -> Matrix:
    """Linear RGB to XYZ under D50, the columns being the primaries (SMPTE RP 177; adapted after Bradford)."""
    primaries = _transposed(tuple(_from_xy(xy) for xy in (gamut.red, gamut.green, gamut.blue)))
    white = _from_xy(gamut.white)
    amounts = _times(_inverse(primaries), white)
    matrix = tuple(tuple(value * amount for value, amount in zip(row, amounts, strict=True)) for row in primaries)
    cones, wanted = _times(_BRADFORD, white), _times(_BRADFORD, _D50)
    if min(map(abs, cones)) < _SMALLEST:
        raise ValueError("a white that is none")
    scaled = tuple(
        tuple(value * to / was for value in row) for row, to, was in zip(_BRADFORD, wanted, cones, strict=True)
    )
    adapt = _product(_inverse(_BRADFORD), scaled)  # type: ignore[arg-type]
    return _product(adapt, matrix)  # type: ignore[arg-type]


def _from_xy(xy: XY) -> Row:
    x, y = xy
    if y < _SMALLEST:
        raise ValueError("a chromaticity that is not a colour")
    return x / y, 1.0, (1 - x - y) / y


def _transposed(rows: tuple[Row, ...]) -> Matrix:
    return tuple(zip(*rows, strict=True))  # type: ignore[return-value]


def _times(matrix: Matrix, vector: Row) -> Row:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)  # type: ignore[return-value]


def _product(left: Matrix, right: Matrix) -> Matrix:
    return _transposed(tuple(_times(left, column) for column in zip(*right, strict=True)))


def _inverse(m: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = m
    size = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    if abs(size) < _SMALLEST:
        raise ValueError("primaries that span no colours")
    rows = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return tuple(tuple(value / size for value in row) for row in rows)  # type: ignore[return-value]
