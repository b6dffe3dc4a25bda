"""`compress` and `index` tell formats by tables of their own, which must not disagree (ADR 43)."""

from __future__ import annotations

import pytest

from functions.compress.signatures import SIGNATURES, Signature, compressed_kind
from functions.index.detect import LETTERS, UNMISTAKABLE, detect

# Names of `compress` and media types of `index` for the same formats.
MEDIA_TYPES = {
    "7z": "application/x-7z-compressed",
    "FLAC": "audio/flac",
    "GIF": "image/gif",
    "JPEG": "image/jpeg",
    "JPEG 2000": "image/j",
    "JPEG XL": "image/jxl",
    "MP3": "audio/mpeg",
    "Matroska or WebM": "video/x-matroska",
    "Ogg": "application/ogg",
    "PNG": "image/png",
    "Parquet": "application/vnd.apache.parquet",
    "WebP": "image/webp",
    "bzip2": "application/x-bzip2",
    "gzip": "application/gzip",
    "lz4": "application/x-lz4",
    "rar": "application/vnd.rar",
    "xz": "application/x-xz",
    "zip": "application/zip",
    "zstd": "application/zstd",
}
# What only one of both is asked for: rare archives are never text, and an index calls them bytes.
UNKNOWN = "application/octet-stream"
# Formats that may be compressed inside and often are not: `compress` looks at more than their beginning, or takes them.
NOT_COMPRESSED = {
    "application/avro",
    "application/pdf",
    "application/vnd.apache.arrow.file",
    "application/vnd.apache.orc",
    "application/vnd.sqlite3",
    "application/wasm",
    "application/x-elf",
    "application/x-hdf5",
    "application/x-ole-storage",
    "application/x-spss-sav",
    "application/x-tar",
    "image/tiff",
    "image/vnd.adobe.photoshop",
    "model/gltf-binary",
}


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda each: f"{each.kind} {each.magic.hex()}")
def test_what_compress_knows_has_no_other_name_in_an_index(signature: Signature) -> None:
    start = b"BZh9" if signature.kind == "bzip2" else bytes(signature.offset)
    found = detect(start + signature.magic + bytes(range(256)), "").media_type
    assert found == UNKNOWN or found.startswith(MEDIA_TYPES.get(signature.kind, "none"))


@pytest.mark.parametrize(("offset", "magic", "media_type"), [*UNMISTAKABLE, *LETTERS])
def test_what_an_index_calls_compressed_is_left_as_it_is(offset: int, magic: bytes, media_type: str) -> None:
    # The bytes that follow in each format's own samples: a level, a version, a flag.
    behind = {b"BZh": b"91AY&SY", b"OggS": b"\0", b"fLaC": b"\0", b"ID3": b"\3", b"PAR1": b"\x15"}.get(magic, b"")
    head = bytes(offset) + magic + behind + bytes(64)
    assert (compressed_kind(head) is None) == (media_type in NOT_COMPRESSED)
