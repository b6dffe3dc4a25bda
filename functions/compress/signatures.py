"""What is compressed already, told by its first bytes: a name may lie and a content type is a guess."""

from typing import Final, NamedTuple


class Signature(NamedTuple):
    kind: str
    magic: bytes
    offset: int = 0


# From each format's specification. Two bytes would match text and numbers by chance, so each has at least three,
# and those that spell letters carry on into what cannot be text.
SIGNATURES: Final = (
    # Streams and archives
    Signature("gzip", b"\x1f\x8b\x08"),  # RFC 1952, with the only method there is
    Signature("zstd", b"\x28\xb5\x2f\xfd"),  # RFC 8878
    Signature("bzip2", b"\x31\x41\x59\x26\x53\x59", 4),  # after "BZh" and the level
    Signature("bzip2", b"\x17\x72\x45\x38\x50\x90", 4),  # the same of nothing
    Signature("xz", b"\xfd7zXZ\x00"),
    Signature("lzip", b"LZIP\x01"),
    Signature("lz4", b"\x04\x22\x4d\x18"),
    Signature("snappy", b"\xff\x06\x00\x00sNaPpY"),
    Signature("zip", b"PK\x03\x04"),  # and jar, docx, xlsx, odt, epub, apk, whl
    Signature("zip", b"PK\x05\x06"),  # an empty one
    Signature("7z", b"7z\xbc\xaf\x27\x1c"),
    Signature("rar", b"Rar!\x1a\x07"),
    # Images
    Signature("JPEG", b"\xff\xd8\xff"),
    Signature("PNG", b"\x89PNG\r\n\x1a\n"),
    Signature("GIF", b"GIF87a"),
    Signature("GIF", b"GIF89a"),
    Signature("WebP", b"WEBPVP8", 8),
    Signature("JPEG XL", b"\x00\x00\x00\x0cJXL \r\n\x87\n"),
    # Sound and film
    Signature("MP4, MOV, HEIC or AVIF", b"ftyp", 4),  # ISO 14496-12
    Signature("Matroska or WebM", b"\x1a\x45\xdf\xa3"),
    Signature("Ogg", b"OggS\x00"),
    Signature("FLAC", b"fLaC\x00"),
    Signature("MP3", b"ID3\x02"),
    Signature("MP3", b"ID3\x03"),
    Signature("MP3", b"ID3\x04"),
    # Fonts and tables
    Signature("WOFF", b"wOFF\x00\x01\x00\x00"),
    Signature("WOFF", b"wOFFOTTO"),
    Signature("WOFF2", b"wOF2\x00\x01\x00\x00"),
    Signature("WOFF2", b"wOF2OTTO"),
    # Its columns are compressed, and readers seek in it. 0x15 begins the first page's Thrift header.
    Signature("Parquet", b"PAR1\x15"),
)
PEEK_BYTES: Final = max(sign.offset + len(sign.magic) for sign in SIGNATURES)


def compressed_kind(head: bytes) -> str | None:
    """The format of an input that is compressed already, from its first `PEEK_BYTES` bytes, or None.

    >>> compressed_kind(b"\\x1f\\x8b\\x08\\x00")
    'gzip'
    """
    for kind, magic, offset in SIGNATURES:
        if head.startswith(magic, offset):
            return None if kind.startswith("MP4") and head[:2] != b"\x00\x00" else kind
    return None
