"""The table of inputs, good and bad; the source that fails; what the index is asked."""

import bz2
import gzip
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard
from penstock import EventError, InputTooLarge, TemporaryError
from penstock.testing import Lake, run

from .handler import handle, query
from .samples import DONORS, describe, image, noise

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
    "noise": (noise(5000), "a.csv", "binary", "application/octet-stream"),
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


def failing(error: Exception, data: bytes) -> Iterator[bytes]:
    yield data
    raise error


@pytest.mark.parametrize(
    "data",
    [image(size=(400, 300))[:700], DONORS, gzip.compress(DONORS, mtime=0)[:-1], b"\x28\xb5\x2f\xfd"],
    ids=["cut short", "whole", "gzip without its end", "zstd without a frame"],
)
@pytest.mark.parametrize("error", [TemporaryError("store gone"), InputTooLarge("too large"), OSError("reset")])
def test_source_that_fails_is_not_taken_for_damage(data: bytes, error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        run(handle, failing(error, data))


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


@pytest.mark.parametrize(("name", "most"), [("sample_rows", 5), ("sample_chars", 2000), ("max_scan_bytes", 100_000)])
def test_a_direct_call_may_only_tighten_a_limit(name: str, most: int) -> None:
    client = Lake(handle, max_scan_bytes=100_000).app.test_client()
    assert client.post(f"/?{name}={most - 1}", data=DONORS).status_code == 200
    refused = client.post(f"/?{name}={most + 1}", data=DONORS)
    assert refused.status_code == 400
    assert f"option {name}='{most + 1}': expected at most {most}, which this deployment allows" in refused.text
