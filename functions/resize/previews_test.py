"""TIFF whose first page is a preview or a mask of the picture (TIFF 6.0, NewSubfileType)."""

import io
import struct

import pytest
from PIL import Image, TiffImagePlugin

from .samples import resize

SUBFILE, LISTED, SPARE = 254, 330, 60_000
PREVIEW, MASK, PAGE = 1, 4, 2
BEHIND = "the first page is a preview or a mask: {} was taken"
NOT_READ = "the first page is a preview: it was taken, as the picture itself is of a kind that is not read"
MISSING = "the first page is a preview of a picture that is not there: it was taken"


def entry(tag: int, kind: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, 1, value)


def pages(*kinds: int) -> bytes:
    """A red page, then a green and a blue one, twice as large each, of these kinds; the first has a spare field."""
    fields = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in (SUBFILE, SPARE):
        fields.tagtype[tag] = 4
        fields[tag] = 9
    colours = ("red", "lime", "blue")
    first, *others = (Image.new("RGB", (8 << at, 4 << at), colours[at]) for at in range(len(kinds)))
    file = io.BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=others, tiffinfo=fields)
    data = file.getvalue()
    assert data.count(entry(SUBFILE, 4, 9)) == len(kinds)
    for kind in kinds:
        data = data.replace(entry(SUBFILE, 4, 9), entry(SUBFILE, 4, kind), 1)
    return data


def listed(data: bytes) -> bytes:
    """The second page in the list of the first one, as cameras have it, and not behind it."""
    changed = bytearray(data)
    (at,) = struct.unpack_from("<I", data, 4)
    following = at + 2 + 12 * struct.unpack_from("<H", data, at)[0]
    (second,) = struct.unpack_from("<I", data, following)
    struct.pack_into("<I", changed, following, 0)
    return bytes(changed).replace(entry(SPARE, 4, 9), entry(LISTED, 4, second), 1)


def shown(data: bytes) -> tuple[str, list[str]]:
    """The colour of the result, which its size must fit, and the notes about pages."""
    made = resize(data, format="png")
    image = Image.open(io.BytesIO(made.data)).convert("RGB")
    sizes = {(255, 0, 0): ("red", 8), (0, 255, 0): ("green", 16), (0, 0, 255): ("blue", 32)}
    name, width = sizes[image.getpixel((0, 0))]  # type: ignore[index]
    assert image.size == (width, width // 2)
    return name, [note for note in made.notes if "colour space" not in note]


@pytest.mark.parametrize(
    ("kinds", "wanted", "notes"),
    [
        ((PREVIEW, 0), "green", [BEHIND.format("page 2 of 2")]),
        ((MASK, 0), "green", [BEHIND.format("page 2 of 2")]),
        ((PREVIEW, PREVIEW | MASK, PAGE), "blue", [BEHIND.format("page 3 of 3")]),
        ((0, PREVIEW), "red", ["the first page of 2 was taken"]),
        ((PAGE, PAGE), "red", ["the first page of 2 was taken"]),
        ((PREVIEW, PREVIEW), "red", [MISSING, "the first page of 2 was taken"]),
        ((PREVIEW,), "red", [MISSING]),
    ],
)
def test_picture_is_taken_and_not_its_preview(kinds: tuple[int, ...], wanted: str, notes: list[str]) -> None:
    assert shown(pages(*kinds)) == (wanted, notes)


def test_picture_that_the_preview_lists_is_taken() -> None:
    assert shown(listed(pages(PREVIEW, 0))) == ("green", [BEHIND.format("the picture behind it")])


def test_preview_of_a_picture_that_is_not_read_is_taken() -> None:
    data = pages(PREVIEW, 0)
    sensor = data.replace(entry(262, 3, 2), entry(262, 3, 32_803)).replace(entry(262, 3, 32_803), entry(262, 3, 2), 1)
    assert shown(listed(sensor)) == ("red", [NOT_READ])
    assert shown(sensor) == ("red", [NOT_READ, "the first page of 2 was taken"])
