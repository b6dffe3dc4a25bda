"""What kind of bytes these are, from the bytes: a name can lie.

Signatures are from the formats' own specifications; media types are IANA's where it has one. Only the
first 32 KiB are looked at.
"""

from typing import NamedTuple

from .charsets import Encoding, text_encoding

PEEK_BYTES = 64 * 1024

# (where, what is there, media type); the first that fits counts. No text has these bytes at its beginning.
UNMISTAKABLE: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0\x08\0\0\0", "image/tiff"),  # BigTIFF
    (0, b"MM\0+\0\x08\0\0", "image/tiff"),
    (0, b"8BPS\0\x01", "image/vnd.adobe.photoshop"),
    (0, b"8BPS\0\x02", "image/vnd.adobe.photoshop"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (0, b"\xff\x0a", "image/jxl"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (0, b"\xff\x4f\xff\x51", "image/j2c"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (4, b"1AY&SY", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x04\x22\x4d\x18", "application/x-lz4"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"Obj\x01", "application/avro"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"\0asm", "application/wasm"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)
# Most inputs are texts, so few of these are tried for a letter; the order stays.
_ANYWHERE = tuple(sign for sign in UNMISTAKABLE if sign[0])
_BY_FIRST_BYTE = {
    first: tuple(sign for sign in UNMISTAKABLE if sign[0] or sign[1][0] == first)
    for first in {magic[0] for offset, magic, _ in UNMISTAKABLE if not offset}
}
# A text may begin with these letters; nothing binary is free of control characters.
LETTERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"BZh", "application/x-bzip2"),
    (257, b"ustar", "application/x-tar"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"ORC", "application/vnd.apache.orc"),
    (0, b"ARROW1", "application/vnd.apache.arrow.file"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "application/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"glTF", "model/gltf-binary"),
    (0, b"$FL2@(#)", "application/x-spss-sav"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_FTYP = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic",
    b"hevx": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
    b"qt  ": "video/quicktime",
}
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # the sizes that a header may have
TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".text", ".log", ".md", ".json", ".jsonl", ".xml", ".html", ".yaml")

ENOUGH = 32 * 1024


class Detected(NamedTuple):
    """A media type, and the encoding when it is a text."""

    media_type: str
    encoding: Encoding | None = None


def detect(head: bytes, name: str) -> Detected:
    """Tell what the first bytes are; the name only decides between text and binary in doubt."""
    if not head:
        return Detected("application/x-empty")
    for offset, magic, media_type in _BY_FIRST_BYTE.get(head[0], _ANYWHERE):
        if head.startswith(magic, offset):
            return Detected(media_type)
    if (by_fields := _by_fields(head)) is not None:
        return Detected(by_fields)
    start = head[:ENOUGH]
    encoding = text_encoding(start, is_hinted=False)
    if encoding is None:
        for offset, magic, media_type in LETTERS:
            if head.startswith(magic, offset):
                return Detected(media_type)
        if head[:4] == b"RIFF" and head[8:12] in _RIFF:
            return Detected(_RIFF[head[8:12]])
        encoding = text_encoding(start, is_hinted=name.lower().endswith(TEXT_SUFFIXES))
    return Detected("text/plain", encoding) if encoding else Detected("application/octet-stream")


def _by_fields(head: bytes) -> str | None:
    """The formats that take more than equal bytes at one place."""
    if head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        # A frame to be skipped. zstd and lz4 have the same, and what follows it may be further than was read.
        return "application/x-lz4" if behind_skipped(head).startswith(b"\x04\x22\x4d\x18") else "application/zstd"
    if head[4:8] == b"ftyp" and head[:2] == b"\0\0":
        return _ftyp(head)
    # The size ends with a small byte. Below 512 MiB this byte is not a letter. In a text it would be one.
    if head[:4] == b"RIFF" and head[7:8] < b"\x20" and head[8:15] == b"WEBPVP8":
        return "image/webp"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "image/bmp"
    if head[:4] == b"\0\0\1\0" and _is_icon(head):
        return "image/vnd.microsoft.icon"
    return "image/gif" if _is_gif(head) else None


def behind_skipped(head: bytes) -> bytes:
    """What follows the frames that zstd skips (RFC 8878, 3.1.2), as far as it is in `head`."""
    start = 0
    while head[start + 1 : start + 4] == b"\x2a\x4d\x18" and head[start] & 0xF0 == 0x50:
        start += 8 + int.from_bytes(head[start + 4 : start + 8], "little")
    return head[start:]


def _ftyp(head: bytes) -> str:
    """By the major brand, or for the general ones by those it is compatible with (ISO 23008-12, MIAF)."""
    brand = head[8:12]
    if brand in (b"mif1", b"msf1", b"miaf"):
        others = head[16 : min(int.from_bytes(head[:4], "big"), 256)]
        brands = [others[n : n + 4] for n in range(0, len(others), 4)]
        brand = next((other for other in brands if _FTYP.get(other) in ("image/avif", "image/heic")), brand)
    return _FTYP.get(brand, "video/mp4")


def _is_gif(head: bytes) -> bool:
    """Whether a block follows where the header ends: a GIF may begin with a comment longer than what is looked at."""
    if head[:6] not in (b"GIF87a", b"GIF89a") or len(head) < 14:
        return False
    start = 13 + (3 << (head[10] & 7) + 1 if head[10] & 0x80 else 0)
    block = head[start : start + 2]
    is_image = block[:1] == b"," and 1 <= int.from_bytes(head[start + 10 : start + 11]) <= 12
    return is_image or block in (b"!\xf9", b"!\xfe", b"!\xff", b"!\x01")


def _is_icon(head: bytes) -> bool:
    count, first = int.from_bytes(head[4:6], "little"), head[6:22]
    if not 1 <= count <= 256 or len(first) < 16 or first[3]:
        return False
    size, offset = int.from_bytes(first[8:12], "little"), int.from_bytes(first[12:16], "little")
    return size > 0 and offset >= 6 + 16 * count
