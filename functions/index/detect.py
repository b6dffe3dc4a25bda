"""What kind of bytes these are, from the bytes: a name can lie.

Signatures are from the formats' own specifications; media types are IANA's where it has one. Only the
first 32 KiB are looked at.
"""

from typing import NamedTuple

PEEK_BYTES = 64 * 1024

# (where, what is there, media type); the first that fits counts.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x04\x22\x4d\x18", "application/x-lz4"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (257, b"ustar", "application/x-tar"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"ORC", "application/vnd.apache.orc"),
    (0, b"Obj\x01", "application/avro"),
    (0, b"ARROW1", "application/vnd.apache.arrow.file"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"\0asm", "application/wasm"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "application/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (0, b"glTF", "model/gltf-binary"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)
_IN_TEXT_TOO = (b"%PDF-",)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_FTYP = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"qt  ": "video/quicktime",
}
_TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".text", ".log", ".md", ".json", ".jsonl", ".xml", ".html", ".yaml")

# Control characters that no text has; \t \n \v \f \r and ESC are left out, terminals' logs have that one.
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\t\n\v\f\r\x1b")
_BOMS = (  # UTF-32's little-endian mark begins with UTF-16's, so it comes first
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
ENOUGH = 32 * 1024


class Detected(NamedTuple):
    """A media type, and the encoding when it is a text."""

    media_type: str
    encoding: str | None = None


def detect(head: bytes, name: str) -> Detected:
    """Tell what the first bytes are; the name only decides between text and binary in doubt."""
    if not head:
        return Detected("application/x-empty")
    start = head[:ENOUGH]
    plain = text_encoding(start, is_hinted=False)
    for offset, magic, media_type in _SIGNATURES:
        # A text may begin with the letters of a signature; nothing binary is free of control characters.
        if head.startswith(magic, offset) and (plain is None or magic in _IN_TEXT_TOO):
            return Detected(media_type)
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return Detected(_RIFF[head[8:12]])
    if head[4:8] == b"ftyp":
        return Detected(_FTYP.get(head[8:12], "video/mp4"))
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":  # the reserved field
        return Detected("image/bmp")
    # What is a text without a hint is the same one with it.
    encoding = plain or text_encoding(start, is_hinted=name.lower().endswith(_TEXT_SUFFIXES))
    return Detected("text/plain", encoding) if encoding else Detected("application/octet-stream")


def text_encoding(head: bytes, *, is_hinted: bool) -> str | None:
    """The encoding, as Python names it, or None for bytes that are no text.

    A byte order mark decides, then NULs in every other byte (UTF-16), then whether it is valid UTF-8; anything
    else is taken for windows-1252, the superset of ISO 8859-1 that files without a declaration mostly are.
    Few control characters make a text; many are let pass when the name says text, so that a damaged CSV is still read.
    """
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding
    if (wide := _utf16_without_mark(head)) is not None:
        return wide
    controls = len(head) - len(head.translate(None, _CONTROLS))
    encoding = "utf-8" if is_utf8(head) else "windows-1252"
    share = (0.3 if encoding == "utf-8" else 0.02) if is_hinted else 0.0  # of random bytes, a tenth are
    return encoding if controls <= len(head) * share else None


def is_utf8(head: bytes) -> bool:
    """Whether these bytes, perhaps cut inside a character, are valid UTF-8."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True


def _utf16_without_mark(head: bytes) -> str | None:
    if len(head) < 4 or 0 not in head:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > 0.7 * half and even == 0:
        return "utf-16-le"
    if even > 0.7 * half and odd == 0:
        return "utf-16-be"
    return None
