"""What README.md says is in the file, read from its bytes (RFC 1952, RFC 8878)."""

import hashlib
from dataclasses import asdict

import pytest
import zstandard
from penstock.testing import run

from .codecs import BLOCK_BYTES
from .handler import PLANS, Options, handle

GZIP_SETTINGS = [setting for kind, setting in PLANS if kind == "gzip"]
ZSTD_SETTINGS = [setting for kind, setting in PLANS if kind == "zstd"]


def text(size: int) -> bytes:
    return hashlib.shake_128(b"text").digest(size).hex().encode()[:size]


def made(size: int, **options: object) -> bytes:
    return run(handle, text(size), name="a.csv", **asdict(Options(**options))).data  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", GZIP_SETTINGS)
@pytest.mark.parametrize("threads", [1, 2])
def test_time_is_0_and_the_system_unknown(setting: str, threads: int) -> None:
    data = made(BLOCK_BYTES * 3, setting=setting, threads=threads)
    assert data[:3] == b"\x1f\x8b\x08"
    assert data[4:8] == bytes(4)
    assert data[9] == 255


@pytest.mark.parametrize("setting", ZSTD_SETTINGS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [0, 5, BLOCK_BYTES * 9])
def test_zstd_is_one_frame_with_a_checksum_and_without_a_size(setting: str, threads: int, size: int) -> None:
    data = made(size, format="zstd", setting=setting, threads=threads)
    frame = zstandard.get_frame_parameters(data)
    assert frame.has_checksum
    assert frame.content_size == zstandard.CONTENTSIZE_UNKNOWN
    reader = zstandard.ZstdDecompressor().decompressobj()
    assert reader.decompress(data) == text(size)
    assert reader.eof
    assert reader.unused_data == b""


def test_an_object_of_up_to_a_mebibyte_is_packed_by_igzip_alone() -> None:
    assert BLOCK_BYTES == 512 * 1024
    mebibyte = 2 * BLOCK_BYTES
    assert made(mebibyte) == made(mebibyte, setting="fast")
    assert made(mebibyte + BLOCK_BYTES) != made(mebibyte + BLOCK_BYTES, setting="fast")
