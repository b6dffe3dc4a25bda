"""Sentences of README.md that no other test holds."""

import gzip
import zlib

import pytest
import zstandard
from penstock.testing import Lake, run

from .handler import handle


@pytest.mark.parametrize(
    "head",
    [
        bytes(257) + b"ustar\0" + b"00",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"RIFF\x24\0\0\0AVI LIST",
        b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
        b"II*\0\x08\0\0\0",
        b"%PDF-1.7\n",
        b"ORC",
        b"Obj\x01" + bytes(5000),
        b"ARROW1\0\0" + bytes(5000),
    ],
    ids=["tar", "wav", "avi", "bmp", "tiff", "pdf", "orc", "avro", "arrow"],
)
def test_formats_that_may_be_compressed_inside_are_compressed(head: bytes) -> None:
    data = head + b"text, and more of it\n" * 50
    assert gzip.decompress(run(handle, data, name="a").data) == data


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_an_empty_object_becomes_a_valid_file(form: str) -> None:
    made = run(handle, b"", name="a", format=form).data
    unpacked = (
        gzip.decompress(made) if form == "gzip" else zstandard.ZstdDecompressor().decompressobj().decompress(made)
    )
    assert unpacked == b""
    assert made


def test_gzip_has_one_member_for_any_size() -> None:
    data = bytes(3_000_000)
    unpacker = zlib.decompressobj(31)
    assert unpacker.decompress(run(handle, data, name="a").data) == data
    assert unpacker.eof
    assert unpacker.unused_data == b""


def test_what_is_compressed_already_is_recorded_and_a_second_event_changes_nothing() -> None:
    lake = Lake(handle, sink="s3://processed/{key}.gz")
    first = lake.put("a.csv.gz", gzip.compress(b"a,b\n"))
    second = lake.notify("a.csv.gz")
    assert (first.kind, first.status, first.changed) == ("refused", 200, True)
    assert (second.kind, second.status, second.changed) == ("refused", 200, False)
    assert second.reason == first.reason == "a.csv.gz: already compressed (gzip)"
