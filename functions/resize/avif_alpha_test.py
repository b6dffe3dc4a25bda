"""AVIF with alpha that an older libavif wrote: turned by the picture's own property, which alpha has not."""

import base64
import io
from typing import Any

import pytest
from penstock import UnsupportedInput
from PIL import Image, ImageOps

from .samples import resize

# 32 x 16 in one colour; alpha is 64 at the upper left, 255 at the upper right and 128 below. Written by avifenc 0.11
# with --irot 1, with --imir 1, with --crop 8,0,16,8, and with --irot 1 --imir 0.
TURNED = """
AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAAGXbWV0YQAAAAAAAAAoaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAGxpYmF2aWYAAAAADn
BpdG0AAAAAAAEAAAAsaWxvYwAAAABEAAACAAEAAAABAAAB6QAAACMAAgAAAAEAAAG/AAAAKgAAAEJpaW5mAAAAAAACAAAAGmluZmUCAAAAAAEAAGF2MDFD
b2xvcgAAAAAaaW5mZQIAAAAAAgAAYXYwMUFscGhhAAAAABppcmVmAAAAAAAAAA5hdXhsAAIAAQABAAAAzWlwcnAAAACmaXBjbwAAABRpc3BlAAAAAAAAAC
AAAAAQAAAAEHBpeGkAAAAAAwgICAAAAAxhdjFDgSAAAAAAABNjb2xybmNseAABAA0ABoAAAAAJaXJvdAEAAAAOcGl4aQAAAAABCAAAAAxhdjFDgQAcAAAA
ADhhdXhDAAAAAHVybjptcGVnOm1wZWdCOmNpY3A6c3lzdGVtczphdXhpbGlhcnk6YWxwaGEAAAAAH2lwbWEAAAAAAAAAAgABBQECgwSFAAIEAQaHCAAAAF
VtZGF0EgAKBRgQ/+wqMh8QALUBGQINbpPHc3SNA+rTNTt0rUjmuZwsYhhfHVmgEgAKCDgQ/+wgIaDSMhUSgAIIIIQAxcBlFJu6aTb1TqJnwN4=
"""
MIRRORED = """
AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAAGXbWV0YQAAAAAAAAAoaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAGxpYmF2aWYAAAAADn
BpdG0AAAAAAAEAAAAsaWxvYwAAAABEAAACAAEAAAABAAAB6QAAACMAAgAAAAEAAAG/AAAAKgAAAEJpaW5mAAAAAAACAAAAGmluZmUCAAAAAAEAAGF2MDFD
b2xvcgAAAAAaaW5mZQIAAAAAAgAAYXYwMUFscGhhAAAAABppcmVmAAAAAAAAAA5hdXhsAAIAAQABAAAAzWlwcnAAAACmaXBjbwAAABRpc3BlAAAAAAAAAC
AAAAAQAAAAEHBpeGkAAAAAAwgICAAAAAxhdjFDgSAAAAAAABNjb2xybmNseAABAA0ABoAAAAAJaW1pcgEAAAAOcGl4aQAAAAABCAAAAAxhdjFDgQAcAAAA
ADhhdXhDAAAAAHVybjptcGVnOm1wZWdCOmNpY3A6c3lzdGVtczphdXhpbGlhcnk6YWxwaGEAAAAAH2lwbWEAAAAAAAAAAgABBQECgwSFAAIEAQaHCAAAAF
VtZGF0EgAKBRgQ/+wqMh8QALUBGQINbpPHc3SNA+rTNTt0rUjmuZwsYhhfHVmgEgAKCDgQ/+wgIaDSMhUSgAIIIIQAxcBlFJu6aTb1TqJnwN4=
"""
CUT = """
AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAAG2bWV0YQAAAAAAAAAoaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAGxpYmF2aWYAAAAADn
BpdG0AAAAAAAEAAAAsaWxvYwAAAABEAAACAAEAAAABAAACCAAAACMAAgAAAAEAAAHeAAAAKgAAAEJpaW5mAAAAAAACAAAAGmluZmUCAAAAAAEAAGF2MDFD
b2xvcgAAAAAaaW5mZQIAAAAAAgAAYXYwMUFscGhhAAAAABppcmVmAAAAAAAAAA5hdXhsAAIAAQABAAAA7GlwcnAAAADFaXBjbwAAABRpc3BlAAAAAAAAAC
AAAAAQAAAAEHBpeGkAAAAAAwgICAAAAAxhdjFDgSAAAAAAABNjb2xybmNseAABAA0ABoAAAAAoY2xhcAAAABAAAAABAAAACAAAAAEAAAAAAAAAAf////wA
AAABAAAADnBpeGkAAAAAAQgAAAAMYXYxQ4EAHAAAAAA4YXV4QwAAAAB1cm46bXBlZzptcGVnQjpjaWNwOnN5c3RlbXM6YXV4aWxpYXJ5OmFscGhhAAAAAB
9pcG1hAAAAAAAAAAIAAQUBAoMEhQACBAEGhwgAAABVbWRhdBIACgUYEP/sKjIfEAC1ARkCDW6Tx3N0jQPq0zU7dK1I5rmcLGIYXx1ZoBIACgg4EP/sICGg
0jIVEoACCCCEAMXAZRSbumk29U6iZ8De
"""
BOTH = """
AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAAGhbWV0YQAAAAAAAAAoaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAGxpYmF2aWYAAAAADn
BpdG0AAAAAAAEAAAAsaWxvYwAAAABEAAACAAEAAAABAAAB8wAAACMAAgAAAAEAAAHJAAAAKgAAAEJpaW5mAAAAAAACAAAAGmluZmUCAAAAAAEAAGF2MDFD
b2xvcgAAAAAaaW5mZQIAAAAAAgAAYXYwMUFscGhhAAAAABppcmVmAAAAAAAAAA5hdXhsAAIAAQABAAAA12lwcnAAAACvaXBjbwAAABRpc3BlAAAAAAAAAC
AAAAAQAAAAEHBpeGkAAAAAAwgICAAAAAxhdjFDgSAAAAAAABNjb2xybmNseAABAA0ABoAAAAAJaXJvdAEAAAAJaW1pcgAAAAAOcGl4aQAAAAABCAAAAAxh
djFDgQAcAAAAADhhdXhDAAAAAHVybjptcGVnOm1wZWdCOmNpY3A6c3lzdGVtczphdXhpbGlhcnk6YWxwaGEAAAAAIGlwbWEAAAAAAAAAAgABBgECgwSFhg
ACBAEHiAkAAABVbWRhdBIACgUYEP/sKjIfEAC1ARkCDW6Tx3N0jQPq0zU7dK1I5rmcLGIYXx1ZoBIACgg4EP/sICGg0jIVEoACCCCEAMXAZRSbumk29U6i
Z8De
"""


def corners(data: bytes) -> list[Any]:
    """Alpha at the corners, clockwise from the upper left."""
    alpha = Image.open(io.BytesIO(resize(data, format="png").data)).getchannel("A")
    right, bottom = alpha.width - 1, alpha.height - 1
    return [alpha.getpixel(place) for place in ((0, 0), (right, 0), (right, bottom), (0, bottom))]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [(TURNED, (255, 128, 128, 64)), (MIRRORED, (255, 64, 128, 128)), (CUT, (64, 255, 255, 64))],
    ids=["turned", "mirrored", "cut"],
)
def test_alpha_moves_with_its_picture(text: str, wanted: tuple[int, ...]) -> None:
    found = corners(base64.b64decode(text))
    assert all(abs(a - b) <= 6 for a, b in zip(found, wanted, strict=True)), found


def test_a_picture_with_alpha_that_is_turned_and_mirrored_is_as_its_viewers_show_it() -> None:
    data = base64.b64decode(BOTH)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).getchannel("A")  # Pillow tells the moves as EXIF
    right, bottom = shown.width - 1, shown.height - 1
    places = ((0, 0), (right, 0), (right, bottom), (0, bottom))
    assert corners(data) == pytest.approx([shown.getpixel(place) for place in places], abs=2)


def test_two_cuts_of_a_picture_with_alpha_are_refused_as_there_is_no_room_for_them() -> None:
    twice = base64.b64decode(CUT).replace(b"\5\1\2\x83\4\x85", b"\5\1\2\x83\x85\x85")
    with pytest.raises(UnsupportedInput, match="an AVIF with alpha that is turned, mirrored or cut"):
        resize(twice)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_alpha_that_has_the_property_too_is_not_moved_twice(orientation: int) -> None:
    source = Image.new("RGBA", (32, 16), (200, 60, 30, 128))
    source.paste((200, 60, 30, 255), (16, 0, 32, 8))
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    source.save(file, "AVIF", exif=exif, quality=95)
    moves = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_270],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_90],
    }
    alpha = source.getchannel("A")
    for move in moves.get(orientation, []):
        alpha = alpha.transpose(move)
    right, bottom = alpha.width - 1, alpha.height - 1
    wanted: list[Any] = [alpha.getpixel(place) for place in ((0, 0), (right, 0), (right, bottom), (0, bottom))]
    found = corners(file.getvalue())
    assert all(abs(a - b) <= 6 for a, b in zip(found, wanted, strict=True)), found
