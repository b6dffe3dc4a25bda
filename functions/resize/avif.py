"""What AVIF and HEIC (ISO/IEC 23008-12) say of alpha and colour, which their decoders do not pass on."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from penstock import UnsupportedInput

from . import cicp
from .boxes import boxes, content, cut_short
from .traits import Traits

_CODINGS: Final = {"AVIF": ("AV1", (b"av01",)), "HEIC": ("HEVC", (b"hvc1", b"hev1"))}
_MADE_OF_OTHERS: Final = (b"grid", b"iovl", b"iden")
_ALPHA: Final = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
_AN: Final = {"AVIF": "an AVIF", "HEIC": "a HEIC"}
_FULL_RANGE, _MONOCHROME = 0x80, 0x10
_MAX_ITEMS: Final = 1000  # whose properties are looked through; a grid has one for each tile
# Turn, mirror, cut; and what a decoder finds in the coded picture, or does not use.
_MOVES: Final = frozenset((b"irot", b"imir", b"clap"))
_MOVED: Final = {
    (b"irot", 0): "copy",
    (b"irot", 1): "rot270",
    (b"irot", 2): "rot180",
    (b"irot", 3): "rot90",
    (b"imir", 0): "flipver",
    (b"imir", 1): "fliphor",
}
_NOT_NEEDED: Final = frozenset((b"pixi", b"pasp", b"colr"))


def look(name: str, data: bytes, form: str = "AVIF") -> Traits:
    """What the boxes of the primary picture say; the usual for what cannot be read, as libheif decides on damage.

    Raises `UnsupportedInput` for a picture that is not coded in AV1, in HEIC not in HEVC. The brand of the file does
    not count.
    """
    fault = "it is cut short" if cut_short(data) else ""
    try:
        return replace(_look(name, data, form), fault=fault)
    except (struct.error, IndexError):
        return Traits(fault=fault)


def _look(name: str, data: bytes, form: str) -> Traits:
    # Sample sizes of the first track (ISO/IEC 14496-12, 8.7.3): an animation beside the still that is shown.
    frames = int.from_bytes(content(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz")[8:12], "big") or None
    meta = content(data, b"meta")
    if not meta:
        return Traits(frames=frames)
    inside = dict(boxes(meta[4:]))  # a full box: version and flags come first
    primary = _primary(inside.get(b"pitm", b""))
    codec, codings = _CODINGS[form]
    coding = _coding(inside.get(b"iinf", b""), primary)
    if coding and coding not in (*codings, *_MADE_OF_OTHERS):
        shown = coding.decode("ascii", "backslashreplace")
        raise UnsupportedInput(
            f"{name}: expected {codec} in {_AN[form]}, got a picture coded as {shown!r}; convert it to JPEG"
        )
    if coding == b"grid":
        _refuse_turned_tiles(name, form, inside, primary)
    profile: bytes | None = None
    notes: tuple[str, ...] = ()
    limited = False
    unmoved = _unmoved(data, inside, primary)
    grey = _grey(inside.get(b"iprp", b""), {primary, *_tiles(inside.get(b"iref", b""), {primary})})
    for kind, body in _colours(inside.get(b"iprp", b""), primary):
        if kind == b"nclx" and len(body) >= 4:  # a profile beside it is passed on by the decoder, and counts before it
            profile, notes = cicp.told(*struct.unpack_from(">2H", body))
            limited = len(body) >= 7 and not body[6] & _FULL_RANGE and grey
            break
    return Traits(
        premultiplied=_premultiplied(inside.get(b"iref", b""), primary),
        profile=profile,
        limited=limited,
        grey=grey,
        frames=frames,
        data=unmoved[0] if unmoved else _with_alpha_moved(name, form, data, inside, primary),
        moves=unmoved[1] if unmoved else (),
        notes=notes,
    )


def _unmoved(data: bytes, inside: dict[bytes, bytes], primary: int) -> tuple[bytes, tuple[str, ...]] | None:
    """A copy that is neither turned nor mirrored, and how to do that afterwards, or None where nothing is to be done.

    libheif turns and mirrors the colours as they are stored. Where they are stored at half the sides and a side is odd,
    they do not lie on the light any more. A picture that is cut too is left to libheif, as is one whose alpha is
    moved in another way.
    """
    iprp = inside.get(b"iprp", b"")
    properties = list(boxes(dict(boxes(iprp)).get(b"ipco", b"")))
    moves = having(iprp, _MOVES, {primary})
    told = [_move(properties, one) for one in moves]
    operations = tuple(_MOVED.get(each, "") for each in told)
    if not moves or not all(operations):
        return None
    for alpha in _alphas(inside, primary):
        of_alpha = having(iprp, _MOVES, {alpha})
        if of_alpha and [_move(properties, one) for one in of_alpha] != told:
            return None
        moves += of_alpha
    return _associated(data, iprp, [(one, 0) for one in moves]), operations  # 0 is no property


def _associated(data: bytes, iprp: bytes, values: Iterable[tuple["_Association", int]]) -> bytes:
    """A copy with these values, property and whether it is essential, in these places (ISO/IEC 23008-12, 9.3.1)."""
    start = data.find(b"ipma" + dict(boxes(iprp)).get(b"ipma", b"")) + 4
    changed = bytearray(data)
    for one, value in values:
        changed[start + one.at : start + one.at + one.wide] = value.to_bytes(one.wide, "big")
    return bytes(changed)


def _move(properties: list[tuple[bytes, bytes]], one: "_Association") -> tuple[bytes, int]:
    """Its kind, and what its one byte says: quarter turns against the clock, or the mirror."""
    kind, body = properties[one.property - 1]
    return kind, (body[0] & 3 if kind == b"irot" else body[0] & 1 if kind == b"imir" else -1)


def _with_alpha_moved(name: str, form: str, data: bytes, inside: dict[bytes, bytes], primary: int) -> bytes | None:
    """A copy whose alpha is turned and cut as its picture is, or None where nothing is to be done.

    libavif and browsers turn both by what the picture's own properties say. libheif turns each by its own, and files
    of libavif have none for alpha. There is no room to add one, so it takes the place of one that no decoder needs.
    Raises `UnsupportedInput` where there is no such place.
    """
    alphas = _alphas(inside, primary)
    iprp = inside.get(b"iprp", b"")
    moves = having(iprp, _MOVES, {primary})
    if not moves or not alphas or having(iprp, _MOVES, alphas):
        return None
    values = []
    for alpha in alphas:
        places = having(iprp, _NOT_NEEDED, {alpha})
        if len(places) < len(moves):
            what = f"{_AN[form]} with alpha that is turned, mirrored or cut, more than one of them,"
            raise UnsupportedInput(f"{name}: {what} is not read; save it upright")
        values += [
            (place, move.property | 1 << (8 * place.wide - 1)) for place, move in zip(places, moves, strict=False)
        ]
    return _associated(data, iprp, values)


def _refuse_turned_tiles(name: str, form: str, inside: dict[bytes, bytes], primary: int) -> None:
    """Raise `UnsupportedInput` for tiles that are turned, mirrored or cut: libheif moves them, libavif does not."""
    iref = inside.get(b"iref", b"")
    if having(inside.get(b"iprp", b""), _MOVES, _tiles(iref, {primary, *_alphas(inside, primary)})):
        raise UnsupportedInput(
            f"{name}: {_AN[form]} made of tiles that are turned, mirrored or cut is not read, as viewers differ on it; "
            "save it as one picture"
        )


def _tiles(iref: bytes, grids: set[int]) -> set[int]:
    """The pictures that these are made of: references `dimg` from them (ISO/IEC 23008-12, 6.6.2.3)."""
    return {item for grid, items in _references(iref, b"dimg") if grid in grids for item in items}


def _alphas(inside: dict[bytes, bytes], primary: int) -> set[int]:
    """The alpha of this one: references `auxl` to it, from what says that it is alpha (ISO/IEC 23008-12, 6.5.8, 6.4.5).

    Depth and gain maps are auxiliary pictures too.
    """
    iprp = dict(boxes(inside.get(b"iprp", b"")))
    properties = list(boxes(iprp.get(b"ipco", b"")))
    alphas = {
        one.item
        for one in _associations(iprp.get(b"ipma", b""))
        if 0 < one.property <= len(properties) and _is_alpha(*properties[one.property - 1])
    }
    return alphas & {item for item, items in _references(inside.get(b"iref", b""), b"auxl") if primary in items}


def _is_alpha(kind: bytes, body: bytes) -> bool:
    return kind == b"auxC" and body[4:].split(b"\0", 1)[0] in _ALPHA


def _references(iref: bytes, kind: bytes) -> Iterator[tuple[int, Iterator[int]]]:
    """The references of one kind: the picture that they come from, and those that they lead to (14496-12, 8.11.12)."""
    wide = 2 if iref[:1] == b"\0" else 4
    for name, body in boxes(iref[4:]):
        if name == kind:
            yield int.from_bytes(body[:wide], "big"), _numbers(body[wide + 2 :], wide)


def _numbers(data: bytes, wide: int) -> Iterator[int]:
    # One by one: a damaged file may have millions.
    return (int.from_bytes(data[at : at + wide], "big") for at in range(0, len(data), wide))


def _grey(iprp: bytes, items: set[int]) -> bool:
    """Whether a picture or its tiles are coded without colours (`av1C`, AV1 in ISOBMFF, 2.3.3).

    libheif leaves their range then, and makes three equal channels of the one.
    """
    properties = list(boxes(dict(boxes(iprp)).get(b"ipco", b"")))
    places = having(iprp, frozenset((b"av1C",)), items)
    return any(int.from_bytes(properties[one.property - 1][1][2:3], "big") & _MONOCHROME for one in places)


def _primary(pitm: bytes) -> int:
    return int.from_bytes(pitm[4:6] if pitm[:1] == b"\0" else pitm[4:8], "big")


def _coding(iinf: bytes, primary: int) -> bytes:
    """The type of the primary item (ISO/IEC 14496-12, 8.11.6), nothing where it is not told."""
    for name, body in boxes(iinf[6:] if iinf[:1] == b"\0" else iinf[8:]):
        wide = 4 if body[:1] == b"\3" else 2
        if name == b"infe" and body[:1] in (b"\2", b"\3") and int.from_bytes(body[4 : 4 + wide], "big") == primary:
            return body[6 + wide : 10 + wide]
    return b""


def _premultiplied(iref: bytes, primary: int) -> bool:
    """A reference `prem` from the colours to their alpha (ISO/IEC 23008-12, 6.10.1.1)."""
    return any(item == primary for item, _ in _references(iref, b"prem"))


def _colours(iprp: bytes, primary: int) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the `colr` properties of the primary picture, or of all where it has none: a grid's tiles."""
    inside = dict(boxes(iprp))
    properties = list(boxes(inside.get(b"ipco", b"")))
    mine = [
        properties[one.property - 1]
        for one in _associations(inside.get(b"ipma", b""))
        if one.item == primary and 0 < one.property <= len(properties)
    ]
    for name, body in mine if any(name == b"colr" for name, _ in mine) else properties:
        if name == b"colr":
            yield body[:4], body[4:]


class _Association(NamedTuple):
    """That a picture has a property, by its number from 1; `at` is where it stands in the box, in `wide` bytes."""

    item: int
    property: int
    at: int
    wide: int


def having(iprp: bytes, kinds: frozenset[bytes], items: set[int]) -> list[_Association]:
    """What gives one of these pictures a property of one of these kinds."""
    inside = dict(boxes(iprp))
    properties = list(boxes(inside.get(b"ipco", b"")))
    return [
        one
        for one in _associations(inside.get(b"ipma", b""))
        if one.item in items and 0 < one.property <= len(properties) and properties[one.property - 1][0] in kinds
    ]


def _associations(ipma: bytes) -> Iterator[_Association]:
    if not ipma:
        return
    version, wide = ipma[0], 2 if ipma[3] & 1 else 1
    (count,) = struct.unpack_from(">I", ipma, 4)
    at = 8
    for _ in range(min(count, _MAX_ITEMS)):
        item = int.from_bytes(ipma[at : at + (2 if version < 1 else 4)], "big")
        at += 2 if version < 1 else 4
        number, at = ipma[at], at + 1
        for _ in range(number):
            # The highest bit says whether the property is essential.
            mask = (1 << (8 * wide - 1)) - 1
            yield _Association(item, int.from_bytes(ipma[at : at + wide], "big") & mask, at, wide)
            at += wide
