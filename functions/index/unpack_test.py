"""gzip and zstd: what is inside, cut short, damaged, too large."""

import gzip
import io
import itertools
import struct
import tracemalloc
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from penstock import Body
from penstock.testing import run

from .handler import handle
from .notes import Notes
from .samples import DONORS, cut, describe, noise
from .unpack import gunzip


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
    assert document["warnings"] == ["something that is not gzip follows gzip member 1"]


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
    document = run(handle, body).document
    assert document is not None
    assert document["kind"] == "binary"
    assert body.bytes_read < 1_000_000


@pytest.mark.parametrize("megabytes", [4, 40])
def test_memory_does_not_grow_with_the_object(megabytes: int) -> None:
    rows = b"1,2,3,4\n" * 32_768  # 256 KiB
    body = Body(lambda: itertools.chain([b"a,b,c,d\n"], itertools.repeat(rows, megabytes * 4)))
    tracemalloc.start()
    try:
        document = run(handle, body, name="big.csv").document
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert document is not None
    assert document["csv"]["rows"] == megabytes * 4 * 32_768
    assert peak < 4_000_000


def skipped(low: int, size: int = 4) -> bytes:
    """A frame that readers of zstd pass over (RFC 8878, 3.1.2)."""
    return bytes((0x50 | low,)) + b"\x2a\x4d\x18" + struct.pack("<I", size) + bytes(size)


@pytest.mark.parametrize("low", range(16))
@pytest.mark.parametrize("size", [0, 4, 5000])
def test_zstd_behind_skippable_frames_is_read(low: int, size: int) -> None:
    packed = zstandard.ZstdCompressor().compress(DONORS)
    document = describe(skipped(low, size) + skipped(0) + packed + skipped(low) + packed, "donors.csv.zst")
    assert (document["kind"], document["type"]) == ("csv", "application/zstd")
    assert document["csv"]["rows"] == 2001
    assert document["compression"]["original_size"] == 2 * len(DONORS)
    assert document["warnings"] == []


def test_a_skippable_frame_longer_than_what_is_looked_at_hides_nothing() -> None:
    document = describe(skipped(3, 300_000) + zstandard.compress(DONORS), "donors.csv.zst")
    assert document["csv"]["rows"] == 1000


def test_lz4_behind_a_skippable_frame_is_no_zstd() -> None:
    document = describe(skipped(0) + b"\x04\x22\x4d\x18" + bytes(20), "a")
    assert (document["kind"], document["type"]) == ("binary", "application/x-lz4")


@given(sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=30), chunk_bytes=st.integers(1, 5000))
def test_members_of_any_size_are_all_read(sizes: list[int], chunk_bytes: int) -> None:
    packed = b"".join(gzip.compress(noise(size)) for size in sizes)
    notes = Notes()
    assert b"".join(gunzip(cut(packed, chunk_bytes), notes)) == b"".join(noise(size) for size in sizes)
    assert notes.complete
    assert notes.warnings == []


@pytest.mark.parametrize(
    "pack", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress], ids=["gzip", "zstd"]
)
@pytest.mark.parametrize("rows", [1, 10, 1000, 100_000])
def test_rows_before_a_wrong_checksum_are_kept(pack: Callable[[bytes], bytes], rows: int) -> None:
    packed = bytearray(pack(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * 7919 % 10_007) for n in range(rows))))
    packed[-5 if packed[:2] == b"\x1f\x8b" else -1] ^= 1
    document = describe(bytes(packed), "crc.csv.gz")
    assert (document["kind"], document["csv"]["rows"], document["complete"]) == ("csv", rows, False)
    assert len(document["warnings"]) == 1
    assert document["compression"]["original_size"] is None or packed[:2] != b"\x1f\x8b"


def gzip_called(name: str, data: bytes) -> bytes:
    file = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=file) as packed:
        packed.write(data)
    return file.getvalue()


@pytest.mark.parametrize(
    ("original", "name"),
    [
        ("tmpab12", "t.csv.gz"),
        ("part-00000", "t.tsv.gz"),
        ("photo.jpg", "t.csv.gz"),
        ("t.csv", "a1b2c3"),
        ("T.CSV", "a1b2c3.gz"),
        ("", "UPPER.CSV.GZ"),
        ("", "t.csv.GZ"),
        ("", "t.csv.gzip"),
        ("", "t.csv"),
    ],
)
def test_the_name_that_tells_more_counts(original: str, name: str) -> None:
    assert describe(gzip_called(original, b"a,b\n1,2\n"), name)["kind"] == "csv"


@pytest.mark.parametrize("name", ["t.csv.zst", "T.CSV.ZST", "t.csv.zstd"])
def test_suffixes_of_zstd_are_taken_off_in_any_case(name: str) -> None:
    assert describe(zstandard.compress(b"a,b\n1,2\n"), name)["kind"] == "csv"


def test_an_original_name_of_another_text_still_says_what_it_is() -> None:
    assert describe(gzip_called("notes.txt", b"a,b\n1,2\n"), "t.csv.gz")["kind"] == "text"


def gzip_of(data: bytes, *, checksum: int = 0, length: int = 0) -> bytes:
    """A member of which the checksum or the length may be off."""
    packed = gzip.compress(data)
    wrong = struct.unpack("<II", packed[-8:])
    return packed[:-8] + struct.pack("<II", wrong[0] ^ checksum, wrong[1] ^ length)


@pytest.mark.long
@pytest.mark.parametrize("rows", [1, 100, 40_000])
@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize(("what", "wrong"), [("checksum", {"checksum": 1}), ("length", {"length": 1})])
def test_a_wrong_checksum_of_any_member_takes_no_row_away(
    which: int, rows: int, what: str, wrong: dict[str, int]
) -> None:
    parts = [b"".join(b"%d,%d\n" % (n, n * 7919 % 10_007) for n in range(rows)) for _ in range(3)]
    packed = b"".join(gzip_of(part, **(wrong if n == which else {})) for n, part in enumerate(parts))
    document = describe(gzip.compress(b"a,b\n") + packed, "t.csv.gz")
    assert (document["csv"]["rows"], document["complete"]) == (3 * rows, False)
    assert document["warnings"] == [f"gzip is damaged in member {which + 2}: its {what} is wrong"]
    assert document["compression"]["original_size"] is None


def gzip_with(flags: int, fields: bytes, data: bytes) -> bytes:
    packed = gzip.compress(data)
    return packed[:3] + bytes([flags]) + packed[4:10] + fields + packed[10:]


@pytest.mark.parametrize("chunk_bytes", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("flags", "fields"),
    [
        (1, b""),
        (2, b"\1\2"),
        (4, b"\5\0extra"),
        (8, b"t.csv\0"),
        (16, b"a comment\0"),
        (31, b"\5\0extrat.csv\0a comment\0\1\2"),
        (4, b"\xff\xff" + bytes(65_535)),
        (8, b"n" * 300_000 + b"\0"),
    ],
)
def test_every_field_of_a_gzip_header_is_passed_over(flags: int, fields: bytes, chunk_bytes: int) -> None:
    packed = gzip_with(flags, fields, b"a,b\n1,2\n") + gzip_with(flags, fields, b"3,4\n")
    notes = Notes()
    assert b"".join(gunzip(cut(packed, chunk_bytes), notes)) == b"a,b\n1,2\n3,4\n"
    assert (notes.complete, notes.warnings) == (True, [])
    second = len(gzip_with(flags, fields, b"3,4\n"))
    for end in range(len(packed) - 1, len(packed) - min(second, 40), -1):
        short = Notes()
        list(gunzip(cut(packed[:end], 100_000), short))
        assert not short.complete


@pytest.mark.parametrize("head", [b"\x1f\x8b\x07\0", b"\x1f\x8b\x08\x20", b"\x1f\x8b\x08\xff"])
def test_a_member_with_a_header_of_another_kind_is_damage(head: bytes) -> None:
    document = describe(gzip.compress(b"a,b\n1,2\n") + head + bytes(30), "t.csv.gz")
    assert document["csv"]["rows"] == 1
    assert document["warnings"] == ["gzip is damaged in member 2: its header cannot be read"]


def test_a_header_without_an_end_is_damage_and_bounded() -> None:
    document = describe(gzip_with(8, b"", b"")[:10] + b"n" * 3_000_000, "t.csv.gz")
    assert document["warnings"] == ["gzip is damaged in member 1: its header cannot be read"]
