"""What the tests describe: inputs, and the handler called on them."""

import hashlib
import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from penstock.testing import run
from PIL import Image

from ..handler import handle

DONORS = b"email, name, type, birthday, state\n" + b"".join(
    b"donor%d@example.com,Donor %d,A+,1970-01-%02d,Ohio\n" % (n, n, n % 28 + 1) for n in range(1000)
)
COLUMNS = ["email", "name", "type", "birthday", "state"]


def noise(size: int) -> bytes:
    return hashlib.shake_128(b"noise").digest(size)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def describe(data: bytes, name: str = "object", *, chunk_bytes: int = 100_000, **options: Any) -> dict[str, Any]:
    made = run(handle, cut(data, chunk_bytes), name=name, **options)
    assert made.document is not None
    return dict(made.document)


def image(kind: str = "JPEG", size: tuple[int, int] = (40, 30), **save: Any) -> bytes:
    file = io.BytesIO()
    Image.frombytes("RGB", size, noise(size[0] * size[1] * 3)).save(file, kind, **save)
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
