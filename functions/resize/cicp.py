"""Colour told by code points (ITU-T H.273), as PNG's cICP and AVIF's nclx do: an ICC profile that says the same.

PQ and HLG are pictures of high dynamic range, brighter than a screen's white. They are brought to sRGB's range by the
curve of ITU-R BT.2390, for each channel.
"""

from functools import cache
from math import exp
from typing import Final

from .icc import SRGB, Curve, Gamut, matrix_profile, srgb_curve, srgb_profile, table

# H.273, table 2.
_D65: Final = (0.3127, 0.3290)
_C: Final = (0.310, 0.316)
GAMUTS: Final = {
    1: SRGB,
    4: Gamut((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: Gamut((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: Gamut((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: Gamut((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    8: Gamut((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: Gamut((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: Gamut((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: Gamut((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: Gamut((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
_UNSPECIFIED: Final = 2
_BT709_PRIMARIES: Final = 1
_PQ, _HLG, _SRGB_CURVE = 16, 18, 13
_BT709: Final = frozenset((1, 6, 11, 12, 14, 15))  # one curve under six numbers

_SDR_WHITE: Final = 203.0  # cd/m2, ITU-R BT.2408: what white paper has in a picture of high dynamic range
_PEAK: Final = 1000.0  # cd/m2, what such pictures are usually mastered for


def told(primaries: int, transfer: int, *, full_range: bool = True) -> tuple[bytes | None, tuple[str, ...]]:
    """An ICC profile for these code points, None for unspecified ones, and notes; what is not known is sRGB."""
    gamut = GAMUTS.get(_BT709_PRIMARIES if primaries == _UNSPECIFIED else primaries)
    curve = _curve(primaries, transfer)
    if (primaries, transfer) == (_UNSPECIFIED, _UNSPECIFIED):
        return None, ()
    if gamut is None or curve is None:
        return srgb_profile(), (
            f"colour space {primaries}/{transfer} of ITU-T H.273 is not known here: sRGB was assumed",
        )
    notes: tuple[str, ...] = ()
    if transfer in (_PQ, _HLG):
        name = "PQ" if transfer == _PQ else "HLG"
        notes = (f"high dynamic range ({name}) was tone-mapped to sRGB for a peak of {_PEAK:.0f} cd/m2",)
    return _profile(gamut, primaries, transfer, full_range), notes


@cache
def _profile(gamut: Gamut, primaries: int, transfer: int, full_range: bool) -> bytes:
    curve = _curve(primaries, transfer)
    if curve is None:
        raise ValueError(transfer)
    # Narrow range, H.273 8.3: black is 16 and white 235 of 255.
    return matrix_profile(
        gamut, [table(curve if full_range else lambda at: curve(min(1.0, max(0.0, (at * 255 - 16) / 219))))]
    )


def _curve(primaries: int, transfer: int) -> Curve | None:
    """Linear light of a value, both 0 to 1; 1 is the white of a usual screen (H.273, table 3)."""
    if transfer in (_UNSPECIFIED, _SRGB_CURVE):
        return srgb_curve
    if transfer in _BT709:
        # BT.709 in full is what video tools write beside stills in sRGB. Browsers show it as sRGB.
        return srgb_curve if primaries in (_BT709_PRIMARIES, _UNSPECIFIED) else _bt709
    curves: dict[int, Curve] = {
        4: lambda at: at**2.2,
        5: lambda at: at**2.8,
        7: lambda at: at / 4 if at < 0.0912 else ((at + 0.1115) / 1.1115) ** (1 / 0.45),
        8: lambda at: at,
        9: lambda at: 10 ** (2 * (at - 1)) if at > 0 else 0.0,
        10: lambda at: 10 ** (2.5 * (at - 1)) if at > 0 else 0.0,
        _PQ: lambda at: _mapped(pq_light(at)),
        17: lambda at: 52.37 / 48 * at**2.6,
        _HLG: lambda at: _mapped(hlg_light(at)),
    }
    return curves.get(transfer)


def _bt709(at: float) -> float:
    return float(((at + 0.0993) / 1.0993) ** (1 / 0.45)) if at >= 0.0812 else at / 4.5


_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def pq_light(at: float) -> float:
    """cd/m2 of a PQ value (SMPTE ST 2084)."""
    power = at ** (1 / _M2)
    return float(10_000 * (max(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1))


def pq(light: float) -> float:
    """The PQ value of a light in cd/m2 (SMPTE ST 2084)."""
    power = (light / 10_000) ** _M1
    return float(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def hlg_light(at: float) -> float:
    """cd/m2 of an HLG value on a screen of `_PEAK` (ITU-R BT.2100, table 5), its gamma of 1.2 for each channel."""
    scene = at * at / 3 if at <= 0.5 else (exp((at - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return float(_PEAK * scene**1.2)


def _mapped(light: float) -> float:
    """Light beyond a screen's white rolled off below it (ITU-R BT.2390, 5.4.1), as a share of that white."""
    peak, white = pq(_PEAK), pq(_SDR_WHITE)
    at, most = min(1.0, pq(light) / peak), white / peak
    knee = 1.5 * most - 0.5
    if at > knee:
        t = (at - knee) / (1 - knee)
        at = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * most
    return pq_light(at * peak) / _SDR_WHITE
