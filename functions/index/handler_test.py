"""The table of inputs, good and bad; the CSV reader against Python's own; memory that does not grow."""

import bz2
import csv
import gzip
import io
import itertools
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from penstock import Body, Context, Event, EventError, InputTooLarge, TemporaryError
from PIL import Image

from .handler import Options, handle, query
from .rows import MAX_FIELD_BYTES, RowCounter

DONORS = b"email, name, type, birthday, state\n" + b"".join(
    b"donor%d@example.com,Donor %d,A+,1970-01-%02d,Ohio\n" % (n, n, n % 28 + 1) for n in range(1000)
)
COLUMNS = ["email", "name", "type", "birthday", "state"]


def cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def describe(data: bytes, name: str = "object", *, chunk_bytes: int = 100_000, **options: int) -> dict[str, Any]:
    body = Body(lambda: cut(data, chunk_bytes))
    result = handle(Event(name, len(data), "x/y", {}, Options(**options), body), Context("index"))
    assert result.content_type == "application/json"
    assert isinstance(result.body, dict)
    return result.body


def image(kind: str = "JPEG", size: tuple[int, int] = (40, 30), **save: Any) -> bytes:
    noise = random.Random(7).randbytes(size[0] * size[1] * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", size, noise).save(file, kind, **save)
    return file.getvalue()


def exif(orientation: int = 6, date: str = "2023:04:05 06:07:08", offset: str | None = "+02:00") -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    inner = tags.get_ifd(0x8769)
    inner[0x9003] = date
    if offset:
        inner[0x9011] = offset
    return tags


def png(width: int, height: int, rest: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rest + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


GOOD = {
    "csv": (DONORS, "donors.csv", "csv", "text/csv"),
    "csv without a telling name": (DONORS, "object", "csv", "text/csv"),
    "csv.gz": (gzip.compress(DONORS), "donors.csv.gz", "csv", "application/gzip"),
    "csv.zst": (zstandard.compress(DONORS), "donors.csv.zst", "csv", "application/zstd"),
    "jpeg": (image(), "rose.jpg", "image", "image/jpeg"),
    "png": (image("PNG"), "rose.png", "image", "image/png"),
    "webp": (image("WEBP"), "rose.webp", "image", "image/webp"),
    "gif": (image("GIF"), "rose.gif", "image", "image/gif"),
    "tiff": (image("TIFF"), "rose.tif", "image", "image/tiff"),
    "bmp": (image("BMP"), "rose.bmp", "image", "image/bmp"),
    "avif": (image("AVIF"), "rose.avif", "image", "image/avif"),
    "jpeg that says csv": (image(), "rose.csv", "image", "image/jpeg"),
    "gif that says text": (image("GIF"), "rose.txt", "image", "image/gif"),
    "jpeg in gzip": (gzip.compress(image()), "rose.jpg.gz", "image", "application/gzip"),
    "csv that says jpeg": (DONORS, "rose.jpg", "csv", "text/csv"),
    "text": (b"Once upon a time,\nthere was a lake.\n", "story", "text", "text/plain"),
    "two bytes": (b"hi", "rose.jpg", "text", "text/plain"),
    "text like a signature": (b"ORC\nBZh ID3, and more of it\n", "words", "text", "text/plain"),
    "json lines": (b'{"a": 1, "b": 2}\n' * 5, "log", "text", "text/plain"),
    "pdf": (b"%PDF-1.7\n1 0 obj\n", "a", "binary", "application/pdf"),
    "zip": (b"PK\x03\x04\x14\0\0\0", "a.docx", "binary", "application/zip"),
    "bzip2": (bz2.compress(DONORS), "a", "binary", "application/x-bzip2"),
    "parquet": (b"PAR1\x15\0\x15\x04", "a", "binary", "application/vnd.apache.parquet"),
    "noise": (random.Random(1).randbytes(5000), "a.csv", "binary", "application/octet-stream"),
    "empty": (b"", "nothing.csv", "empty", "application/x-empty"),
    "gzip of nothing": (gzip.compress(b""), "nothing.gz", "empty", "application/gzip"),
    "gzip of a gzip": (gzip.compress(gzip.compress(DONORS)), "a.csv.gz", "binary", "application/gzip"),
}


@pytest.mark.parametrize(("data", "name", "kind", "media_type"), GOOD.values(), ids=GOOD)
def test_kind_comes_from_the_content(data: bytes, name: str, kind: str, media_type: str) -> None:
    document = describe(data, name)
    assert (document["kind"], document["type"], document["name"]) == (kind, media_type, name)
    assert document["complete"]
    assert document["warnings"] == []


@pytest.mark.parametrize(("data", "name"), [case[:2] for case in GOOD.values()], ids=GOOD)
@pytest.mark.parametrize("chunk_bytes", [1, 7, 10_000_000])
def test_document_does_not_depend_on_how_the_bytes_arrive(data: bytes, name: str, chunk_bytes: int) -> None:
    assert describe(data[:20_000], name, chunk_bytes=chunk_bytes) == describe(data[:20_000], name)


# CSV


@pytest.mark.parametrize("name", ["donors.csv", "donors.csv.gz", "donors.csv.zst"])
def test_csv_is_described(name: str) -> None:
    packs: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstandard.compress}
    pack = packs.get(name.rsplit(".", 1)[1], bytes)
    assert describe(pack(DONORS), name, sample_rows=1)["csv"] == {
        "encoding": "ascii",
        "delimiter": ",",
        "header": True,
        "columns": COLUMNS,
        "rows": 1000,
        "first_rows": [["donor0@example.com", "Donor 0", "A+", "1970-01-01", "Ohio"]],
    }


@pytest.mark.parametrize(
    ("text", "delimiter", "columns", "rows"),
    [
        ("a;b\n1;2\n3;4\n", ";", ["a", "b"], 2),
        ("a\tb\n1\t2\n3\t4\n", "\t", ["a", "b"], 2),
        ("a|b\n1|2\n3|4\n", "|", ["a", "b"], 2),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";", ["a", "b"], 2),
        ("a, b ,  c\n1,2,3", ",", ["a", "b", "c"], 1),
        ("a,b\r\n1,2\r\n\r\n3,4\r\n", ",", ["a", "b"], 2),
        ("a,b\r1,2\r3,4\r", ",", ["a", "b"], 2),
        ('"a, b", "c"\n"1\n2",3\n', ",", ["a, b", "c"], 1),
        ("1,2\n3,4\n", ",", ["column 1", "column 2"], 2),
        ("a,a\nb,b\n", ",", ["column 1", "column 2"], 2),
        (",price\n0,2\n1,3\n", ",", ["", "price"], 2),
        ("name\nAnn\nBob\n", ",", ["name"], 2),
        ("email, name\n", ",", ["email", "name"], 0),
    ],
)
def test_csv_dialects(text: str, delimiter: str, columns: list[str], rows: int) -> None:
    document = describe(text.encode(), "t.csv")
    assert document["warnings"] == []
    found = document["csv"]
    assert (found["delimiter"], found["columns"], found["rows"]) == (delimiter, columns, rows)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "windows-1252"]
)
def test_csv_in_every_encoding(encoding: str) -> None:
    text = "name,city\n" + "Jürgen,Köln\n" * 3000
    document = describe(text.encode(encoding), "t.csv", chunk_bytes=777, sample_rows=1)
    document["csv"].pop("encoding_confidence", None)
    assert document["csv"] == {
        "encoding": encoding,
        "delimiter": ",",
        "header": True,
        "columns": ["name", "city"],
        "rows": 3000,
        "first_rows": [["Jürgen", "Köln"]],
    }


def test_ragged_rows_are_counted_and_the_first_is_named() -> None:
    document = describe(b"a,b\n" + b"1,2\n" * 50_000 + b"1,2,3\n4\n" + b"1,2\n" * 50_000, "t.csv")
    assert document["csv"]["rows"] == 100_002
    assert document["warnings"] == ["2 rows have not 2 fields, the first is row 50002"]


@pytest.mark.parametrize("size", [1_000, 3_000_000])
def test_stray_quote_does_not_hide_the_rows_after_it(size: int) -> None:
    rows = size // 4
    document = describe(b'a,b\n1,"2\n' + b"1,2\n" * rows, "t.csv")
    assert document["csv"]["rows"] == rows + 1
    assert document["warnings"] == [
        "1 quotes are never closed, the first in row 2: taken for ordinary characters"
    ]  # fmt: skip


def test_quote_inside_a_field_is_an_ordinary_character() -> None:
    document = describe(b'size,b\n5" disk,2\n' * 100, "t.csv")
    assert document["csv"]["rows"] == 199
    assert document["warnings"] == []


def test_nul_in_a_csv_is_noted() -> None:
    document = describe(b"a,b\n1,\0\n", "t.csv")
    assert document["csv"]["rows"] == 1
    assert document["csv"]["first_rows"] == [["1", "\0"]]
    assert document["warnings"] == ["has NUL characters"]


def test_one_line_of_ten_megabytes_is_one_row() -> None:
    line = b"a,b\n" + b'"x",' * 2_500_000
    document = describe(line, "t.csv")
    assert document["csv"]["rows"] == 1
    assert document["warnings"] == ["1 rows have not 2 fields, the first is row 2"]
    text = describe(b"x" * 10_000_000, "t.txt")
    assert text["text"] == {"encoding": "ascii", "lines": 1, "beginning": "x" * 2000}


def test_long_cells_and_many_columns_are_cut() -> None:
    document = describe(("a" * 5000 + "".join(f",c{n}" for n in range(2000)) + "\n").encode(), "t.csv")
    assert len(document["csv"]["columns"]) == 1000
    assert len(document["csv"]["columns"][0]) == 200
    assert document["warnings"] == ["2001 columns: the first 1000 are named here"]


def stdlib_rows(text: str) -> tuple[int, int]:
    """How many rows Python's csv module finds, empty lines left out, and how many differ from the first in width."""
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True) if row]
    return len(rows), sum(len(row) != len(rows[0]) for row in rows)


def counted(text: str, block_bytes: int, width: int, max_field_bytes: int = MAX_FIELD_BYTES) -> RowCounter:
    counter = RowCounter(",", width, max_field_bytes=max_field_bytes)
    for block in cut(text.encode(), block_bytes):
        counter.feed(block)
    counter.finish()
    return counter


cells = st.text(alphabet='ab ,"\r\n', max_size=6)


@given(st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=20), st.integers(1, 40))
def test_written_csv_is_counted_as_the_csv_module_reads_it(table: list[list[str]], block_bytes: int) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(table)
    text = file.getvalue()
    rows, ragged = stdlib_rows(text)
    width = len(next(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)))
    counts = counted(text, block_bytes, width).counts
    assert (counts.rows, counts.ragged, counts.unclosed) == (rows, ragged, 0)


@settings(max_examples=500)
@given(st.text(alphabet='a ,"\r\n', max_size=60), st.integers(1, 20))
@example('"""a","\n"\n', 3)
@example('a, "b\n",c\n', 4)
@example('"a"b",c\n', 1)
def test_any_csv_is_counted_as_the_csv_module_reads_it(text: str, block_bytes: int) -> None:
    rows = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True))
    width = next((len(row) for row in rows if row), 1)
    counts = counted(text, block_bytes, width).counts
    if counts.unclosed == 0:  # where the csv module takes the rest for one field, and this does not
        assert (counts.rows, counts.ragged) == (
            sum(map(bool, rows)),
            sum(bool(row) and len(row) != width for row in rows),
        )


@given(st.text(alphabet='a ,"\n', max_size=60))
def test_unclosed_quote_is_reported_whenever_the_csv_module_runs_into_the_end(text: str) -> None:
    try:
        list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=False))
        strict_error = ""
        list(csv.reader(io.StringIO(text.rstrip("\n"), newline=""), skipinitialspace=True, strict=True))
    except csv.Error as error:
        strict_error = str(error)
    if strict_error == "unexpected end of data":
        assert counted(text.rstrip("\n"), 100, 1).counts.unclosed > 0


@given(st.text(alphabet='a ,"\n', max_size=80), st.integers(1, 20), st.integers(4, 12))
def test_long_rows_are_forgotten_without_losing_count(text: str, block_bytes: int, limit: int) -> None:
    text = text.replace('"', "x")
    whole = counted(text, 1000, 2).counts
    assert counted(text, block_bytes, 2, max_field_bytes=limit).counts == whole


# Compressed


def test_gzip_tells_what_was_packed() -> None:
    file = io.BytesIO()
    with gzip.GzipFile("donors.csv", "wb", fileobj=file) as packed:
        packed.write(DONORS)
    document = describe(file.getvalue(), "a1b2c3")
    assert document["kind"] == "csv"
    assert document["compression"] == {
        "format": "gzip",
        "original_name": "donors.csv",
        "original_size": len(DONORS),
        "type": "text/csv",
    }


def test_all_members_of_a_gzip_count() -> None:
    document = describe(gzip.compress(DONORS) + gzip.compress(DONORS) + b"\0" * 512, "d.csv.gz")
    assert document["compression"]["original_size"] == 2 * len(DONORS)
    assert document["csv"]["rows"] == 2001
    assert document["warnings"] == []


def test_what_follows_a_gzip_is_noted() -> None:
    document = describe(gzip.compress(DONORS) + b"garbage", "d.csv.gz")
    assert document["compression"]["original_size"] == len(DONORS)
    assert document["warnings"] == ["something that is no gzip follows gzip member 1"]


def test_all_frames_of_a_zstd_count() -> None:
    document = describe(zstandard.compress(DONORS) + zstandard.compress(DONORS), "d.csv.zst")
    assert document["compression"]["original_size"] == 2 * len(DONORS)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_truncated_archive_is_described_as_far_as_it_goes(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b"".join(b"%d,%d\n" % (n, n * n) for n in range(200_000)))
    document = describe(packed[: len(packed) // 2], "d.csv")
    assert document["kind"] == "csv"
    assert not document["complete"]
    assert document["csv"]["first_rows"][1] == ["1", "1"]
    assert 0 < document["csv"]["rows"] < 200_000


@pytest.mark.parametrize(
    ("pack", "warning"),
    [
        (gzip.compress, "gzip ends early in member 1: the file is truncated"),
        (
            zstandard.ZstdCompressor(write_content_size=False).compress,
            "zstd ends early in frame 1: the file is truncated",
        ),
    ],
)
def test_truncated_archive_says_so(pack: Callable[[bytes], bytes], warning: str) -> None:
    for missing in (1, 4, 30):
        document = describe(pack(DONORS)[:-missing], "d.csv.gz")
        assert not document["complete"]
        assert warning in document["warnings"]
        assert document["compression"]["original_size"] is None


def test_damaged_gzip_says_so() -> None:
    packed = bytearray(gzip.compress(DONORS))
    packed[-6] ^= 0xFF  # the checksum
    document = describe(bytes(packed), "d.csv.gz")
    assert not document["complete"]
    assert document["warnings"][0].startswith("gzip is damaged in member 1")


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_bomb_is_read_to_the_limit_only(pack: Callable[[bytes], bytes]) -> None:
    document = describe(pack(b"a,b\n" * 5_000_000), "bomb.csv", max_scan_bytes=65_536)
    assert not document["complete"]
    assert document["csv"]["rows"] == 65_536 // 4 - 1
    assert document["warnings"] == ["read to byte 65536 only: raise max_scan_bytes to see more"]


def test_zstd_beyond_the_limit_still_tells_the_size_in_its_header() -> None:
    document = describe(zstandard.compress(b"a,b\n" * 5_000_000), "bomb.csv", max_scan_bytes=65_536)
    assert document["compression"]["original_size"] == 20_000_000


def test_large_text_is_read_to_the_limit_only() -> None:
    document = describe(b"line\n" * 100_000, "t.txt", max_scan_bytes=65_536)
    assert not document["complete"]
    assert document["text"]["lines"] == 13_108


def test_binary_is_not_read_to_its_end() -> None:
    body = Body(lambda: itertools.repeat(b"\0\1\2\3" * 16_384))  # endless
    result = handle(Event("endless", -1, "x/y", {}, Options(), body), Context("index"))
    assert isinstance(result.body, Mapping)
    assert result.body["kind"] == "binary"
    assert body.bytes_read < 1_000_000


@pytest.mark.parametrize("megabytes", [4, 40])
def test_memory_does_not_grow_with_the_object(megabytes: int) -> None:
    rows = b"1,2,3,4\n" * 32_768  # 256 KiB
    body = Body(lambda: itertools.chain([b"a,b,c,d\n"], itertools.repeat(rows, megabytes * 4)))
    tracemalloc.start()
    try:
        result = handle(Event("big.csv", -1, "x/y", {}, Options(), body), Context("index"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(result.body, Mapping)
    assert result.body["csv"]["rows"] == megabytes * 4 * 32_768
    assert peak < 4_000_000


# Images


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_image_is_described_from_its_header(kind: str) -> None:
    document = describe(image(kind, exif=exif(orientation=6).tobytes()), "rose")
    assert document["image"] == {
        "format": kind.lower(),
        "width": 40,
        "height": 30,
        "orientation": 6,
        "date": "2023-04-05T06:07:08+02:00",
    }
    assert document["warnings"] == []


def test_tiff_is_described_as_it_is_stored() -> None:
    tags = Image.Exif()
    tags[0x0112], tags[0x0132] = 6, "2023:04:05 06:07:08"
    assert describe(image("TIFF", exif=tags))["image"] == {
        "format": "tiff",
        "width": 40,
        "height": 30,
        "orientation": 6,
        "date": "2023-04-05T06:07:08",
    }


@pytest.mark.parametrize(
    ("date", "offset", "expected"),
    [
        ("2023:04:05 06:07:08", None, "2023-04-05T06:07:08"),
        ("2023:04:05 06:07:08", "Zulu", "2023-04-05T06:07:08"),
        ("0000:00:00 00:00:00", None, None),
        ("    :  :     :  :  ", None, None),
        ("yesterday", "+02:00", None),
    ],
)
def test_exif_date(date: str, offset: str | None, expected: str | None) -> None:
    assert describe(image(exif=exif(date=date, offset=offset)))["image"]["date"] == expected


def test_image_without_exif_lies_as_it_is_stored() -> None:
    assert describe(image())["image"] == {
        "format": "jpeg",
        "width": 40,
        "height": 30,
        "orientation": 1,
        "date": None,
    }


def test_unknown_orientation_is_noted() -> None:
    document = describe(image(exif=exif(orientation=9)))
    assert document["image"]["orientation"] == 1
    assert document["warnings"] == ["EXIF orientation 9 is none: taken for 1"]


@pytest.mark.parametrize(
    ("kind", "save"),
    [("JPEG", {}), ("PNG", {}), ("WEBP", {}), ("WEBP", {"lossless": True}), ("WEBP", {"exif": exif().tobytes()})],
)
def test_truncated_image_keeps_its_size_and_is_not_complete(kind: str, save: dict[str, Any]) -> None:
    whole = image(kind, (400, 300), **save)
    document = describe(whole[: len(whole) * 2 // 3])
    assert not document["complete"]
    assert "the image is truncated" in document["warnings"][-1]
    assert (document["image"]["width"], document["image"]["height"]) == (400, 300)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("length", [12, 25, 60])
@pytest.mark.filterwarnings("ignore:Truncated File Read")
def test_image_cut_in_its_header_is_still_an_entry(kind: str, length: int) -> None:
    document = describe(image(kind)[:length])
    assert not document["complete"] or kind in ("GIF", "BMP", "TIFF")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_bytes_after_an_image_do_not_make_it_incomplete(kind: str) -> None:
    assert describe(image(kind) + b"appended by somebody" * 10)["complete"]


def test_thumbnail_in_the_exif_is_not_taken_for_the_end() -> None:
    whole = image(size=(400, 300), exif=exif().tobytes() + image(size=(8, 8)))
    assert b"\xff\xd9" in whole[: len(whole) // 2]
    assert not describe(whole[: len(whole) // 2])["complete"]


def webp(width: int, height: int) -> bytes:
    canvas = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"WEBPVP8X" + struct.pack("<I", len(canvas)) + canvas
    return b"RIFF" + struct.pack("<I", len(chunk)) + chunk


@pytest.mark.parametrize("bomb", [png(100_000, 100_000), webp(100_000, 100_000)])
def test_pixel_bomb_is_measured_and_never_decoded(bomb: bytes) -> None:
    tracemalloc.start()
    try:
        document = describe(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (document["image"]["width"], document["image"]["height"]) == (100_000, 100_000)
    assert peak < 4_000_000


@given(
    st.binary(max_size=200), st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]), st.integers(8, 80)
)
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_damage_to_an_image_makes_it_fail(noise: bytes, kind: str, where: int) -> None:
    whole = image(kind)
    describe(whole[:where] + noise + whole[where + len(noise) :])


@given(st.binary(max_size=400), st.sampled_from(["a.csv", "a", "a.gz"]))
@settings(max_examples=300)
def test_no_bytes_make_it_fail(data: bytes, name: str) -> None:
    assert describe(data, name)["kind"] in {"csv", "text", "binary", "empty", "image"}


# Text


@pytest.mark.parametrize(
    ("data", "encoding", "lines"),
    [
        (b"one\ntwo\n", "ascii", 2),
        (b"one\ntwo", "ascii", 2),
        (b"one\r\ntwo\r\n", "ascii", 2),
        (b"one\rtwo\r", "ascii", 2),
        (b"\n\n\n", "ascii", 3),
        ("Grüße\n日本語\n".encode(), "utf-8", 2),
        ("Grüße\n".encode("utf-8-sig"), "utf-8-sig", 1),
        ("Grüße\n".encode("utf-16"), "utf-16", 1),
        ("one\ntwo\n".encode("utf-16-be"), "utf-16-be", 2),
        ("Grüße\n".encode("latin-1"), "windows-1252", 1),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [1, 2, 1000])
def test_text_encoding_and_lines(data: bytes, encoding: str, lines: int, chunk_bytes: int) -> None:
    document = describe(data, chunk_bytes=chunk_bytes)
    assert (document["text"]["encoding"], document["text"]["lines"]) == (encoding, lines)
    assert document["text"]["beginning"] == data.decode(encoding)


def test_text_that_stops_being_utf8_says_where() -> None:
    document = describe("é\n".encode() * 50_000 + b"\xff\n", chunk_bytes=1000)
    assert document["text"]["encoding"] == "windows-1252"
    assert document["warnings"] == ["begins as UTF-8, but byte 150000 is none: taken for windows-1252"]


def test_text_that_ends_inside_a_character_says_so() -> None:
    assert describe("日本".encode()[:-1] * 1)["warnings"] == ["ends inside a UTF-8 character"]


@given(st.text(alphabet="a\r\n", max_size=30), st.integers(1, 5))
def test_lines_are_counted_as_python_splits_them(text: str, chunk_bytes: int) -> None:
    document = describe(text.encode() or b"a", chunk_bytes=chunk_bytes)
    assert document["text"]["lines"] == len((text or "a").splitlines())


# The source, and questions


def failing(error: Exception, data: bytes) -> Iterator[bytes]:
    yield data
    raise error


@pytest.mark.parametrize(
    "data", [image(size=(400, 300))[:700], DONORS, gzip.compress(DONORS)[:-1], b"\x28\xb5\x2f\xfd"]
)
@pytest.mark.parametrize("error", [TemporaryError("store gone"), InputTooLarge("too large"), OSError("reset")])
def test_source_that_fails_is_not_taken_for_damage(data: bytes, error: Exception) -> None:
    event = Event("object", -1, "x/y", {}, Options(), Body(lambda: failing(error, data)))
    with pytest.raises(type(error), match=str(error)):
        handle(event, Context("index"))


class Shelf:
    """An index in memory, enough to ask it."""

    def search(self, text: str, *, limit: int, offset: int) -> list[dict[str, Any]]:
        return [{"key": text, "range": (offset, limit)}]

    def document(self, bucket: str, key: str) -> dict[str, Any] | None:
        return {"bucket": bucket, "key": key} if key == "there" else None


def test_search_is_asked_with_its_range() -> None:
    assert query({"q": "rose", "limit": "5", "offset": "10"}, Shelf()) == {
        "q": "rose",
        "limit": 5,
        "offset": 10,
        "documents": [{"key": "rose", "range": (10, 5)}],
    }


def test_one_document_is_read() -> None:
    assert query({"bucket": "upload", "key": "there"}, Shelf()) == {"bucket": "upload", "key": "there"}
    assert query({"bucket": "upload", "key": "gone"}, Shelf()) is None


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"bucket": "b"},
        {"key": "k"},
        {"q": "x", "key": "k"},
        {"q": "x", "limit": "many"},
        {"q": "x", "offset": "-1"},
    ],
)
def test_other_questions_are_bad_requests(request_: dict[str, str]) -> None:
    with pytest.raises(EventError):
        query(request_, Shelf())


def test_sink_that_is_no_index_cannot_be_asked() -> None:
    with pytest.raises(EventError, match="SINK"):
        query({"q": "x"}, object())  # type: ignore[arg-type]
