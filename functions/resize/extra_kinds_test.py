"""Kinds of PDF and HEIC that decoders show otherwise than viewers, or that were shown in part and called whole.

The samples were written by pillow-heif 1.8.1 and x265: quarters of red, green, blue and white.
"""

import io
import struct

import pytest
from penstock import PermanentError, UnsupportedInput
from PIL import Image

from . import avif
from .avif_grid_test import box, coded, full
from .boxes import boxes, content
from .extras_test import QUARTERS, corners, heic, near, pdf
from .samples import resize

RED, GREEN, BLUE, WHITE = QUARTERS
TURNED = (BLUE, RED, WHITE, GREEN)  # by 90 degrees, clockwise
# Four quarters of 300 x 200 points, as the content of a page or of an annotation.
CONTENT = "".join(
    f"{' '.join(f'{value / 255:.4f}' for value in colour)} rg {x} {y} 150 100 re f\n"
    for colour, (x, y) in zip(QUARTERS, ((0, 100), (150, 100), (0, 0), (150, 0)), strict=True)
)


def written(*objects: str) -> bytes:
    """A PDF 1.7 of these objects, the catalogue first."""
    text, places = "%PDF-1.7\n", []
    for number, made in enumerate(objects, 1):
        places.append(len(text))
        text += f"{number} 0 obj\n{made}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(text)}\n%%EOF\n"
    return f"{text}xref\n0 {size}\n0000000000 65535 f \n{table}{end}".encode()


def stream(content: str, more: str = "") -> str:
    return f"<< /Length {len(content)} {more} >>\nstream\n{content}\nendstream"


def page(entries: str, *objects: str, catalogue: str = "") -> bytes:
    """One page with these entries; what belongs to it begins with object 4."""
    return written(
        f"<< /Type /Catalog /Pages 2 0 R {catalogue} >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R {entries} >>",
        *objects,
    )


APPEARANCE = stream(CONTENT, "/Type /XObject /Subtype /Form /BBox [0 0 300 200]")
STAMP = "<< /Type /Annot /Subtype /Stamp /Rect [0 0 300 200] /F 4 /AP << /N 5 0 R >> >>"
WIDGET = "/Type /Annot /Subtype /Widget /T (name) /Rect [0 0 300 200] /F 4 /P 3 0 R"


def form(widget: str, more: str = "") -> bytes:
    return page(
        "/MediaBox [0 0 300 200] /Annots [4 0 R]",
        f"<< {WIDGET} {widget} >>",
        APPEARANCE,
        catalogue=f"/AcroForm << /Fields [4 0 R] {more} >>",
    )


@pytest.mark.long
@pytest.mark.parametrize(
    "data",
    [
        page("/MediaBox [0 0 300 200] /Annots [4 0 R]", STAMP, APPEARANCE),
        form("/FT /Tx /V (Ann) /AP << /N 5 0 R >>"),
        form("/FT /Btn /V /Yes /AS /Yes /AP << /N << /Yes 5 0 R >> >>"),
        form("/FT /Ch /Ff 131072 /V (Ann) /Opt [(Ann) (Bob)] /AP << /N 5 0 R >>"),
        form("/FT /Sig /AP << /N 5 0 R >>"),
    ],
    ids=["stamp", "text", "check box", "choice", "signature"],
)
def test_page_shows_its_annotations_and_the_fields_of_its_form(data: bytes) -> None:
    _, found = corners(data, pdf=True)
    assert near(found, QUARTERS, 1)
    assert resize(data, "a", pdf=True, width=9).notes == ()


def test_value_of_a_field_without_an_appearance_is_drawn() -> None:
    made = resize(form("/FT /Tx /V (MMM) /DA (/Helv 90 Tf 0 g)"), "a", pdf=True, format="png", width=60)
    assert _darkest(made.data) < 100
    empty = resize(form("/FT /Tx /DA (/Helv 90 Tf 0 g)"), "a", pdf=True, format="png", width=60)
    assert _darkest(empty.data) == 255


def _darkest(data: bytes) -> int:
    return int(Image.open(io.BytesIO(data)).convert("L").getextrema()[0])  # type: ignore[arg-type]


def test_form_that_makes_its_pages_itself_is_not_read() -> None:
    """Its one page in PDF asks the reader to wait."""
    data = page(
        "/MediaBox [0 0 300 200] /Contents 4 0 R",
        stream(CONTENT),
        stream("<xdp:xdp xmlns:xdp='http://ns.adobe.com/xdp/'/>"),
        catalogue="/AcroForm << /XFA 5 0 R /Fields [] >> /NeedsRendering true",
    )
    with pytest.raises(UnsupportedInput, match="a PDF whose pages an XFA form makes is not read"):
        resize(data, "a", pdf=True)


@pytest.mark.parametrize(("turn", "wanted"), [(90, (2, 0, 3, 1)), (180, (3, 2, 1, 0)), (-90, (1, 3, 0, 2))])
def test_page_is_turned_also_by_what_a_parent_says(turn: int, wanted: tuple[int, ...]) -> None:
    for data in (
        page(f"/MediaBox [0 0 300 200] /Rotate {turn} /Contents 4 0 R", stream(CONTENT)),
        pdf().replace(b"/Kids", f"/Rotate {turn} /Kids".encode()),
    ):
        _, found = corners(data, pdf=True)
        assert near(found, [QUARTERS[at] for at in wanted], 1)


@pytest.mark.parametrize(
    ("entries", "size", "wanted"),
    [
        ("/MediaBox [300 200 0 0]", (834, 556), QUARTERS),
        ("/MediaBox [0 0 300 200] /CropBox [-9 -9 400 400]", (834, 556), QUARTERS),
        ("/MediaBox [0 0 300 200] /CropBox [0 0 150 100]", (417, 278), [BLUE] * 4),
    ],
    ids=["turned over", "cut beyond", "cut"],
)
def test_boxes_of_a_page(entries: str, size: tuple[int, int], wanted: list[tuple[int, int, int]]) -> None:
    found_size, found = corners(page(f"{entries} /Contents 4 0 R", stream(CONTENT)), pdf=True)
    assert found_size == size
    assert near(found, wanted, 1)


@pytest.mark.parametrize("side", [10**6, 10**9])
def test_huge_page_is_drawn_within_the_bounds(side: int) -> None:
    size, found = corners(pdf(width=side, height=side), pdf=True, max_pixels=250_000)
    assert size == (500, 500)
    assert near(found, QUARTERS, 1)


@pytest.mark.parametrize("numbers", ["0 0 0 0", "0 0 300", "0 0 999999999999999999999999 10"])
def test_size_that_is_assumed_is_noted(numbers: str) -> None:
    made = resize(page(f"/MediaBox [{numbers}] /Contents 4 0 R", stream(CONTENT)), "a", pdf=True, width=9)
    assert made.notes == ("the first page has no size: that of US Letter was assumed",)


@pytest.mark.parametrize(
    "data",
    [
        pdf(content=""),
        page("/MediaBox [0 0 300 200]"),
        page("/MediaBox [0 0 300 200] /Contents 9 0 R"),
        page("/MediaBox [0 0 300 200] /Contents 4 0 R", stream("\x78\x9cno zlib", "/Filter /FlateDecode")),
    ],
    ids=["empty", "without content", "content is missing", "content is damaged"],
)
def test_page_of_which_nothing_is_drawn_is_noted(data: bytes) -> None:
    assert resize(data, "a", pdf=True, width=9).notes == ("the first page is empty, or nothing of it could be read",)


def test_pdf_that_is_cut_is_damaged_also_behind_its_first_page() -> None:
    """PDFium looks for the objects that are there, and draws a page of them."""
    whole = page("/MediaBox [0 0 300 200] /Contents 4 0 R", stream(CONTENT), stream(" " * 999))
    changed = whole + b"5 0 obj\n<< /Length 10 >>\nstream\n          \nendstream\nendobj\n"  # and no new table
    for data in (whole[:-400], whole[: whole.rindex(b"startxref")], changed):
        with pytest.raises(PermanentError, match="the PDF is damaged: it is cut short"):
            resize(data, "a", pdf=True)
    for data in (whole + bytes(3000), whole[: -len(b"%%EOF\n")], b"\xef\xbb\xbf\r\n" + whole):
        _, found = corners(data, pdf=True)
        assert near(found, QUARTERS, 1)


def test_primary_picture_of_several_is_read_and_noted() -> None:
    _, found = corners(heic("two"), heic=True)  # the other one, which comes first, is red
    assert near(found, QUARTERS)
    note = "the primary picture of 2 was taken"
    assert resize(heic("two"), "a", heic=True).notes == (note,)
    assert resize(heic(), "a", heic=True).notes == ()
    assert note in resize(two_stills(), "a").notes


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_of_the_file_counts_and_that_of_exif_does_not(orientation: int) -> None:
    data = bytearray(heic("turned"))
    place = data.index(struct.pack(">HHI", 0x0112, 3, 1), data.index(b"Exif")) + 8
    data[place : place + 2] = orientation.to_bytes(2, "big")
    size, found = corners(bytes(data), heic=True)
    assert size == (48, 64)
    assert near(found, TURNED)


@pytest.mark.parametrize("name", ["alpha_turned", "alpha_turned, by its picture alone"])
def test_alpha_is_turned_with_its_picture(name: str) -> None:
    data = heic("alpha_turned")
    if name != "alpha_turned":  # as libavif writes it: the last property of alpha becomes one that does not matter
        data = without_a_turn_of_alpha(data)
    size, found = corners(data, heic=True)
    assert size == (48, 64)
    assert [colour[3] for colour in found] == pytest.approx([0, 255, 200, 128], abs=1)
    assert near(found[1:], ((*RED, 255), (*WHITE, 200), (*GREEN, 128)))


def test_heic_of_tiles_as_phones_write_it() -> None:
    """120 x 100 of tiles of 64 x 64, turned by 270 degrees as a whole; the tiles alone say that they are Display P3."""
    size, found = corners(heic("grid"), heic=True)
    assert size == (100, 120)
    assert near(found, ((0, 183, 0), WHITE, (240, 0, 0), (30, 30, 229)), 4)  # as LittleCMS converts them


def without_a_turn_of_alpha(data: bytes) -> bytes:
    iprp = dict(boxes(content(data, b"meta")[4:]))[b"iprp"]
    ipma = dict(boxes(iprp))[b"ipma"]
    (turn,) = avif.having(iprp, frozenset((b"irot",)), {2})
    (cut,) = avif.having(iprp, frozenset((b"clap",)), {2})
    (bits,) = avif.having(iprp, frozenset((b"pixi",)), {2})
    changed = bytearray(data)
    for one in (turn, cut):
        changed[data.index(b"ipma" + ipma) + 4 + one.at] = bits.property
    return bytes(changed)


def test_colours_multiplied_by_alpha_are_divided_again() -> None:
    _, found = corners(heic("premultiplied"), heic=True)
    assert near(found, ((*RED, 255), (*GREEN, 128), (*BLUE, 255), (*WHITE, 200)))


def test_more_than_8_bits() -> None:
    _, found = corners(heic("ten"), heic=True)
    assert near(found, QUARTERS)
    _, found = corners(heic("grey10"), heic=True)
    assert [round(value) for value in found] == pytest.approx([87, 118, 52, 240], abs=1)
    made = resize(heic("pq10"), "a", heic=True)
    assert made.notes == ("high dynamic range (PQ) was tone-mapped to sRGB for a peak of 1000 cd/m2",)


def test_colour_space_that_nothing_tells_is_noted() -> None:
    made = resize(heic().replace(b"colr", b"free"), "a", heic=True)
    assert made.notes == ("no colour space is told: sRGB was assumed",)


@pytest.mark.parametrize("coding", [b"vvc1", b"av01", b"j2k1", b"jpeg", b"unci"])
def test_whole_heic_in_another_coding_is_not_called_damaged(coding: bytes) -> None:
    with pytest.raises(UnsupportedInput, match=f"expected HEVC in a HEIC, got a picture coded as '{coding.decode()}'"):
        resize(heic().replace(b"hvc1", coding), "a", heic=True)


def two_stills() -> bytes:
    """An AVIF of two pictures; the first one is the primary one."""
    pictures = [coded((255, 0, 0)), coded((0, 255, 0))]
    properties = (full(b"ispe", 0, 0, struct.pack(">2I", 64, 64)), box(b"av1C", pictures[0][0]))

    def meta(place: int) -> bytes:
        places = b"".join(
            struct.pack(">3H2I", number, 0, 1, place + sum(len(data) for _, data in pictures[: number - 1]), len(data))
            for number, (_, data) in enumerate(pictures, 1)
        )
        items = (full(b"infe", 2, 0, struct.pack(">2H4s", number, 0, b"av01"), b"\0") for number in (1, 2))
        has = b"\0\1\2\1\x82\0\2\2\1\x82"
        return full(
            b"meta", 0, 0,
            full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)),
            full(b"pitm", 0, 0, b"\0\1"),
            full(b"iloc", 0, 0, b"\x44\0\0\2", places),
            full(b"iinf", 0, 0, b"\0\2", *items),
            box(b"iprp", box(b"ipco", *properties), full(b"ipma", 0, 0, struct.pack(">I", 2), has)),
        )  # fmt: skip

    ftyp = box(b"ftyp", b"avif", bytes(4), b"avif", b"mif1")
    return ftyp + meta(len(ftyp) + len(meta(0)) + 8) + box(b"mdat", *(data for _, data in pictures))


@pytest.mark.parametrize("missing", [1, 9, 20])
def test_file_that_is_cut_in_a_picture_that_is_not_shown_is_damaged(missing: int) -> None:
    stills = two_stills()
    assert resize(stills + b"stray bytes", "a").data == resize(stills, "a").data
    with pytest.raises(PermanentError, match="the AVIF is damaged: it is cut short"):
        resize(stills[:-missing], "a")
    data = heic("two").replace(b"pitm\0\0\0\0\0\2", b"pitm\0\0\0\0\0\1")
    _, found = corners(data, heic=True)
    assert near(found, [(254, 0, 0)] * 4)
    with pytest.raises(PermanentError, match="the HEIC is damaged: it is cut short"):
        resize(data[:-missing], "a", heic=True)
