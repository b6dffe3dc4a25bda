"""Work grows with the input and no faster: steps are counted, never time, on inputs made to be costly."""

import gzip
import io
import struct
from collections.abc import Callable
from typing import Any

import pytest

from . import cells, dialects, exif, headers, lines, rows, source
from .charsets import guess, text_encoding
from .exif import MAX_NUMBERS
from .samples import describe, image
from .samples.pictures import tiff
from .source import MAX_STEPS

Input = Callable[[int], bytes]
Function = Callable[..., Any]


class Counter:
    """Counts calls of a function, or what they cost."""

    def __init__(self) -> None:
        self.steps = 0

    def counting(
        self, function: Callable[..., Any], cost: Callable[..., int] = lambda *_, **__: 1
    ) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            self.steps += cost(*given, **named)
            return function(*given, **named)

        return counted


def grows_no_faster(steps: Callable[[int], int], size: int) -> None:
    once, twice = steps(size), steps(2 * size)
    assert once > 0
    assert twice <= 2 * once + 100


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + bytes(4)


def riff(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


HEAD = box(b"ftyp", b"avif\0\0\0\0avif")
JPEG, PNG, GIF = image("JPEG"), image("PNG"), image("GIF")
GIF_START = 13 + (3 << (GIF[10] & 7) + 1)

IMAGES: dict[str, Input] = {
    "jpeg of empty segments": lambda n: JPEG[:2] + b"\xff\xfe\0\2" * n + JPEG[2:],
    "jpeg of filler": lambda n: JPEG[:2] + b"\xff" * n + JPEG[2:],
    "jpeg of restarts": lambda n: JPEG[:-2] + b"\xff\xd0" * n + b"\xff\xd9",
    "jpeg of scans": lambda n: JPEG[:-2] + b"\xff\xda\0\2x" * n + b"\xff\xd9",
    "jpeg of starts": lambda n: JPEG[:2] + b"\xff\xd8" * n + JPEG[2:],
    "jpeg of no length": lambda n: JPEG[:2] + b"\xff\xe0\0\0" * n + JPEG[2:],
    "png of empty chunks": lambda n: PNG[:33] + chunk(b"teXt") * n + PNG[33:],
    "png of empty pixels": lambda n: PNG[:33] + chunk(b"IDAT") * n + PNG[33:],
    "png of exif": lambda n: PNG[:33] + chunk(b"eXIf") * n + PNG[33:],
    "gif of comments": lambda n: GIF[:GIF_START] + b"!\xfe\0" * n + GIF[GIF_START:],
    "gif of short blocks": lambda n: GIF[:GIF_START] + b"!\xfe" + b"\1x" * n + b"\0" + GIF[GIF_START:],
    "webp of frames": lambda n: riff(b"VP8X\x0a\0\0\0" + bytes(10) + b"ANMF\0\0\0\0" * n),
    "webp of exif": lambda n: riff(b"VP8X\x0a\0\0\0" + bytes(10) + b"EXIF\2\0\0\0xx" * n),
    "boxes of nothing": lambda n: HEAD + box(b"free", b"") * n,
    "boxes of meta": lambda n: HEAD + box(b"meta", bytes(4)) * n,
    "boxes within meta": lambda n: HEAD + box(b"meta", bytes(4) + box(b"free", b"") * n),
    "tiff of pages": lambda n: b"II*\0\x08\0\0\0" + b"".join(
        struct.pack("<HHHIII", 1, 256, 3, 1, 1, 8 + 18 * (page + 1)) for page in range(n)),
}  # fmt: skip


@pytest.mark.parametrize("make", IMAGES.values(), ids=IMAGES)
def test_an_image_of_twice_as_many_parts_takes_at_most_twice_the_steps(
    make: Input, monkeypatch: pytest.MonkeyPatch
) -> None:
    def steps(count: int) -> int:
        counter = Counter()
        with monkeypatch.context() as patch:
            patch.setattr(source.Source, "at", counter.counting(source.Source.at))
            patch.setattr(source.Source, "step", counter.counting(source.Source.step))
            describe(make(count), chunk_bytes=1_000_000)
        return counter.steps

    grows_no_faster(steps, 1000)


@pytest.mark.parametrize("make", IMAGES.values(), ids=IMAGES)
def test_what_is_fetched_is_copied_a_few_times_and_no_more(make: Input, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make(20_000)
    counter = Counter()
    at = source.Source.at

    def counted(self: source.Source, position: int, size: int) -> bytes:
        piece = at(self, position, size)
        counter.steps += len(piece)
        return piece

    monkeypatch.setattr(source.Source, "at", counted)
    describe(data, chunk_bytes=1000)
    assert counter.steps <= 200 * len(data)


def test_a_file_of_endless_parts_is_given_up_and_says_so() -> None:
    document = describe(JPEG[:2] + b"\xff\xfe\0\2" * (MAX_STEPS + 10) + JPEG[2:])
    assert not document["complete"]
    assert f"more than {MAX_STEPS} parts" in document["warnings"][0]


def test_pages_that_name_the_same_strips_are_not_added_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    strips, pages = 100_000, 900
    counter = Counter()
    monkeypatch.setattr(exif.Tags, "value_of", counter.counting(exif.Tags.value_of, lambda _, tag, __: tag.length))
    size = 2 + 4 * 12 + 4
    end = 8 + pages * size
    data = b"II*\0\x08\0\0\0" + b"".join(
        struct.pack("<H", 4)
        + struct.pack("<HHII", 256, 3, 1, 1)
        + struct.pack("<HHII", 257, 3, 1, 1)
        + struct.pack("<HHII", 273, 4, strips, end)
        + struct.pack("<HHII", 279, 4, strips, end)
        + struct.pack("<I", 8 + (page + 1) * size if page + 1 < pages else 0)
        for page in range(pages)
    )
    document = describe(data + bytes(4 * strips))
    assert counter.steps <= MAX_NUMBERS + 2 * strips
    assert not document["complete"]
    assert document["image"]["width"] == 1


def test_extents_of_no_bytes_are_counted_once() -> None:
    item = struct.pack(">HHH", 1, 0, 0xFFFF)
    iloc = bytes(4) + b"\0\0" + struct.pack(">H", 0xFFFF) + item * 60_000
    document = describe(HEAD + box(b"meta", bytes(4) + box(b"iloc", iloc)))
    assert not document["complete"]


TABLES: dict[str, Input] = {
    "open quotes": lambda n: b"a,b\n" + b'1,"x\n' * n,
    "an open quote and doubled ones": lambda n: b"a,b\n" + b'1,"x""\n' * n,
    "quotes and delimiters": lambda n: b"a,b\n" + b'","' * n,
    "quotes only": lambda n: b"a,b\n" + b'"' * n,
    "spaces before quotes": lambda n: b"a,b\n" + b'1,   "x"\n' * n,
    "one row of delimiters": lambda n: b"a,b\n" + b"," * n,
    "ragged rows": lambda n: b"a,b\n" + b"1,2,3\n1\n" * n,
    "carriage returns": lambda n: b"a,b\n" + b"1,2\r" * n,
}


@pytest.mark.long
@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_a_table_of_twice_the_size_takes_at_most_twice_the_bytes(make: Input, monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(count: int) -> int:
        counter = Counter()
        with monkeypatch.context() as patch:
            looked_at = counter.counting(rows.RowCounter.reduce, lambda _, data: len(data))
            patch.setattr(rows.RowCounter, "reduce", looked_at)
            describe(make(count), "t.csv")
        return counter.steps

    # More than a field may have, from where on an unfinished row is not held whole.
    unit = len(make(2)) - len(make(1))
    grows_no_faster(steps, 1_200_000 // unit)


NAMES: dict[str, Input] = {
    "the same name": lambda n: b"a," * n + b"a\n" + b"1," * n + b"1\n",
    "names in pairs": lambda n: b"".join(b"n%d," % (m % (n // 2 + 1)) for m in range(n)) + b"x\n" + b"y," * n + b"y\n",
    "values of names": lambda n: (b"a," * n + b"b\n") * 20,
}


@pytest.mark.parametrize("make", NAMES.values(), ids=NAMES)
def test_twice_as_many_columns_take_at_most_twice_the_looks_at_cells(
    make: Input, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cell(str):
        """A cell that counts how often it is compared."""

        __slots__ = ()
        compared = 0

        def __eq__(self, other: object) -> bool:
            Cell.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

        def strip(self, chars: str | None = None) -> "Cell":
            return Cell(super().strip(chars))

    parse = lines.parse

    def parsed(text: str, delimiter: str, *, is_whole: bool) -> list[list[str]]:
        return [[Cell(cell) for cell in row] for row in parse(text, delimiter, is_whole=is_whole)]

    def steps(count: int) -> int:
        counter = Counter()
        Cell.compared = 0
        with monkeypatch.context() as patch:
            patch.setattr(dialects, "parse", parsed)
            patch.setattr(headers, "kind_of", counter.counting(cells.kind_of))
            describe(make(count), "t.csv")
        return counter.steps + Cell.compared

    grows_no_faster(steps, 1000)


def test_many_small_members_are_not_handed_on_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from isal import igzip_lib

    counter = Counter()
    real = igzip_lib.IgzipDecompressor

    class Counted:
        def __init__(self, **given: int) -> None:
            self._real = real(**given)

        def decompress(self, data: bytes, most: int) -> bytes:
            counter.steps += len(data)
            return bytes(self._real.decompress(data, most))

        def __getattr__(self, name: str) -> object:
            return getattr(self._real, name)

    monkeypatch.setattr(igzip_lib, "IgzipDecompressor", Counted)
    data = gzip.compress(b"") * 20_000
    describe(data, "a.gz")
    assert counter.steps <= 60 * len(data)


def test_only_a_sample_is_judged_for_its_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    import chardetng_py  # type: ignore[import-untyped]

    counter = Counter()
    real = chardetng_py.EncodingDetector

    class Counted:
        def __init__(self) -> None:
            self._real = real()

        def feed(self, data: bytes, *, last: bool) -> bool:
            counter.steps += len(data)
            return bool(self._real.feed(data, last=last))

        def guess(self, **given: Any) -> str:
            return str(self._real.guess(**given))

    monkeypatch.setattr(chardetng_py, "EncodingDetector", Counted)
    describe("東京,大阪\n".encode("shift_jis") * 100_000, "t.csv")
    assert counter.steps <= 2 * 32 * 1024
    assert guess("é".encode("cp1252")).name == "windows-1252"
    assert text_encoding(b"a", is_hinted=False) is not None


def test_a_large_header_is_read_to_one_mebibyte_a_piece() -> None:
    size = 3 * 1024 * 1024
    exif_block = chunk(b"eXIf", b"II*\0\x08\0\0\0" + bytes(size))
    document = describe(PNG[:33] + exif_block + PNG[33:])
    assert document["image"]["width"] == 40
    assert document["complete"]


def test_a_tiff_behind_what_is_kept_still_has_its_size() -> None:
    small = tiff(b"", width=7, height=5, bits=8, sample_format=1, order="<", is_big=False)
    directory = small[8:]
    far = 33 * 1024 * 1024
    file = io.BytesIO()
    file.write(b"II*\0" + struct.pack("<I", far))
    file.write(bytes(far - 8))
    file.write(directory)
    document = describe(file.getvalue())
    assert (document["image"]["width"], document["image"]["height"]) == (7, 5)
