"""What is compressed already, told by its first bytes: a name may lie and a content type is a guess."""

import re
import zlib
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

from .frames import is_ac3, is_adts, is_loas, is_mp2, is_mp3, is_mpeg, is_transport_stream

# Two frames of sound, or the header of an Avro file, fit into as much. A source delivers more in one piece.
PEEK_BYTES: Final = 4096


class Signature(NamedTuple):
    kind: str
    magic: bytes
    offset: int = 0


# From each format's specification. Two bytes would match text and numbers by chance, so each has at least three,
# and those that spell letters carry on into what cannot be text. Bare JPEG XL has two bytes only (ISO 18181-1);
# no text in ASCII, UTF-8 or UTF-16 begins with them.
SIGNATURES: Final = (
    # Streams and archives
    Signature("gzip", b"\x1f\x8b\x08"),  # RFC 1952, with the only method there is
    Signature("zstd", b"\x28\xb5\x2f\xfd"),  # RFC 8878
    Signature("bzip2", b"\x31\x41\x59\x26\x53\x59", 4),  # after "BZh" and the level
    Signature("bzip2", b"\x17\x72\x45\x38\x50\x90", 4),  # the same of nothing
    Signature("xz", b"\xfd7zXZ\x00"),
    Signature("lzip", b"LZIP\x01"),
    Signature("lzop", b"\x89LZO\x00\r\n\x1a\n"),
    Signature("lz4", b"\x04\x22\x4d\x18"),
    Signature("lz4", b"\x02\x21\x4c\x18"),  # the legacy frame, which the Linux kernel uses
    Signature("lrzip", b"LRZI\x00"),
    Signature("snappy", b"\xff\x06\x00\x00sNaPpY"),
    Signature("zpaq", b"zPQ\x01"),
    Signature("zpaq", b"zPQ\x02"),
    Signature("zpaq", b"7kSt\xa01\x83\xd3\x8c\xb2\x28\xb0\xd3zPQ"),
    Signature("zip", b"PK\x03\x04"),  # and jar, docx, xlsx, odt, epub, apk, whl, npz
    Signature("zip", b"PK\x05\x06"),  # an empty one
    Signature("zip", b"PK\x07\x08PK\x03\x04"),  # the first of several volumes
    Signature("zip", b"PK00PK\x03\x04"),  # meant for several volumes, fitted into one
    Signature("7z", b"7z\xbc\xaf\x27\x1c"),
    Signature("rar", b"Rar!\x1a\x07"),
    Signature("cab", b"MSCF\x00\x00\x00\x00"),
    Signature("wim", b"MSWIM\x00\x00\x00"),
    Signature("xar", b"xar!\x00\x1c\x00\x01"),
    Signature("rpm", b"\xed\xab\xee\xdb"),
    Signature("crx", b"Cr24\x02\x00\x00\x00"),
    Signature("crx", b"Cr24\x03\x00\x00\x00"),
    Signature("chm", b"ITSF\x03\x00\x00\x00"),
    Signature("pbzx", b"pbzx\x00\x00\x00\x00"),
    Signature("SZDD", b"SZDD\x88\xf0\x27\x33"),
    Signature("KWAJ", b"KWAJ\x88\xf0\x27\xd1"),
    Signature("git pack", b"PACK\x00\x00\x00\x02"),
    # Images
    Signature("JPEG", b"\xff\xd8\xff"),
    Signature("PNG", b"\x89PNG\r\n\x1a\n"),
    Signature("MNG", b"\x8aMNG\r\n\x1a\n"),
    Signature("JNG", b"\x8bJNG\r\n\x1a\n"),
    Signature("JPEG XL", b"\x00\x00\x00\x0cJXL \r\n\x87\n"),
    Signature("JPEG XL", b"\xff\x0a"),
    Signature("JPEG 2000", b"\x00\x00\x00\x0cjP  \r\n\x87\n"),
    Signature("JPEG 2000", b"\xff\x4f\xff\x51"),
    Signature("JPEG XR", b"II\xbc\x01"),
    Signature("BPG", b"BPG\xfb"),
    Signature("JBIG2", b"\x97JB2\r\n\x1a\n"),
    # Sound and film
    Signature("Matroska or WebM", b"\x1a\x45\xdf\xa3"),
    Signature("Ogg", b"OggS\x00"),
    Signature("FLAC", b"fLaC\x00"),
    Signature("FLAC", b"fLaC\x80"),  # the only block of metadata is the last
    Signature("MP3", b"ID3\x02"),
    Signature("MP3", b"ID3\x03"),
    Signature("MP3", b"ID3\x04"),
    Signature("WMA or WMV", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    Signature("Flash video", b"FLV\x01"),
    Signature("RealMedia", b".RMF\x00\x00\x00"),
    Signature("TAK", b"tBaK\x01"),
    Signature("DTS", b"\x7f\xfe\x80\x01"),
    Signature("DTS", b"\xfe\x7f\x01\x80"),  # with the bytes of each word in the other order
    Signature("IVF", b"DKIF\x00\x00\x20\x00"),
    # Fonts and tables
    Signature("WOFF", b"wOFF\x00\x01\x00\x00"),
    Signature("WOFF2", b"wOF2\x00\x01\x00\x00"),
    # Its columns are compressed, and readers seek in it. 0x15 begins the first page's Thrift header.
    Signature("Parquet", b"PAR1\x15"),
    Signature("Parquet", b"PARE\x15"),  # with an encrypted footer
)

# What takes more than equal bytes at one place.
PATTERNS: Final = (
    # RFC 8878, 3.1.2: a frame to be skipped. pzstd begins with one, and lz4 has the same.
    ("zstd", rb"[\x50-\x5f]\x2a\x4d\x18"),
    ("zstd", rb"[\x22-\x27]\xb5\x2f\xfd"),  # the formats before 0.8
    ("compress", rb"\x1f\x9d[\x89-\x90]"),  # 9 to 16 bits, in blocks
    ("LZFSE", rb"bvx[12n].{3}\x00"),
    ("QOI", rb"qoif.{8}[\x03\x04][\x00\x01]"),  # qoiformat.org: size, channels, colour space
    ("GIF", rb"GIF8[79]a"),
    # The size that follows RIFF ends with a small byte. Below 512 MiB this byte is not a letter.
    ("WebP", rb"RIFF.{3}[\x00-\x1f]WEBPVP8[ LX]"),
    ("FLIF", rb"FLIF[\x31-\x34\x41-\x44\x51-\x54\x61-\x64][012]"),  # frames and channels, bytes a channel
    ("LHA", rb".{2}-lh[1-7x]-"),  # lh0 and lhd are stored as they are
    ("ACE", rb".{4}\x00.{2}\*\*ACE\*\*"),  # after the checksum, the size and the type of the first header
    # Its version comes after 28 bytes, in the order of bytes that the first letters tell.
    ("squashfs", rb"hsqs.{24}[\x02-\x04]\x00[\x00\x01]\x00|sqsh.{24}\x00[\x02-\x04]\x00[\x00\x01]"),
    ("Debian package", rb"!<arch>\ndebian-binary[ /].{,120}control\.tar\.(?:xz|gz|zst)"),
    # ISO 14496-12. The size of such a first box is small, and its first bytes are not letters.
    ("MP4, MOV, HEIC or AVIF", rb"\x00\x00.{2}(?:ftyp|styp|sidx|moof|emsg|prft|free|skip|pnot)"),
    # QuickTime before there was ftyp
    ("MP4, MOV, HEIC or AVIF", rb"[\x00-\x08].{3}(?:moov|mdat)|\x00\x00\x00\x08wide"),
    # The set of parameters that a stream begins with, or a delimiter before it (ITU-T H.264 and H.265, 7.3).
    (
        "H.264",
        rb"\x00?\x00\x00\x01(?:[\x27\x47\x67][\x42\x4d\x58\x64\x6e\x7a]|\x09[\x10\x30\x50\x70\x90\xb0\xd0\xf0]\x00\x00)",
    ),
    ("H.265", rb"\x00?\x00\x00\x01(?:\x40\x01\x0c|\x46\x01[\x10\x30\x50]\x00\x00)"),
    # ISO 14496-2, 6.2.2: a sequence, and the object in it
    ("MPEG", rb"\x00\x00\x01\xb0.\x00\x00\x01\xb5"),
    ("TrueHD", rb".{4}\xf8\x72\x6f[\xba\xbb]"),
    ("AAC", rb"ADIF"),
    ("DTS", rb"\x1f\xff\xe8\x00\x07[\xf0-\xff]|\xff\x1f\x00\xe8[\xf0-\xff]\x07"),  # 14 bits in each word
    ("ZOO", rb"ZOO [12]\.\d\d Archive\.\x1a"),
    ("DjVu", rb"AT&TFORM.{4}DJV[UMI]"),
    ("AMR", rb"#!AMR(?:-WB)?\n."),
    ("WavPack", rb"wvpk.{3}\x00"),
    ("Monkey's Audio", rb"MAC [\x5a-\xff]\x0f\x00"),
    ("Musepack", rb"MPCKSH|MP\+[\x07\x17]"),
    ("True Audio", rb"TTA1[\x01\x03]\x00"),
    ("Flash", rb"[CZ]WS[\x06-\x40].{3}[\x00-\x08]"),  # FWS is not compressed
    ("WOFF", rb"wOFF(?:OTTO|true|typ1)"),
    ("WOFF2", rb"wOF2(?:OTTO|true|typ1|ttcf)"),
    # What is compressed inside says so in its header, when that header is short enough to be seen.
    ("Avro", rb"Obj\x01.*\x14avro\.codec(?:\x0edeflate|\x0csnappy|\x0abzip2|\x12zstandard|\x04xz)"),
    # Arrow puts the length, then a whole lz4 or zstd frame for each column. A stream has no name.
    ("Arrow", rb"(?:ARROW1\x00\x00|\xff{4}..\x00\x00\x10\x00\x00\x00).*(?:\x04\x22\x4d\x18|\x28\xb5\x2f\xfd)"),
)

# A text may begin with their letters. Nothing compressed that is longer than they are is free of control characters.
_SPELLED: Final = frozenset(("bzip2", "AAC", "ACE", "AMR", "FLIF", "GIF", "LHA", "Musepack", "WOFF", "WOFF2"))
_CONTROLS: Final = bytes(code for code in (*range(32), 127) if code not in b"\t\n\v\f\r\x1b")  # no text has these

# Of the registered content encodings (IANA, RFC 9110, 9842), those whose data begin with anything. deflate is zlib's
# format by the RFC, which is known by its bytes; servers that send it bare are as old as the name.
_UNSIGNED: Final = {"br": "brotli", "dcb": "brotli", "dcz": "zstd", "deflate": "deflate", "exi": "EXI"}


def compressed_kind(head: bytes) -> str | None:
    """The format of an input that is compressed already, from its first `PEEK_BYTES` bytes, or None.

    >>> compressed_kind(b"\\x1f\\x8b\\x08\\x00")
    'gzip'
    """
    for kind, magic, offset in SIGNATURES:
        if head.startswith(magic, offset) and not _is_spelled(kind, head):
            return kind
    for kind, pattern in _compiled():
        if pattern.match(head) and not _is_spelled(kind, head):
            return kind
    return next((kind for kind, fits in _CHECKS if fits(head)), None)


@cache
def _compiled() -> tuple[tuple[str, re.Pattern[bytes]], ...]:
    """The patterns, once the first input has come: a start does not wait for them (ADR 20)."""
    return tuple((kind, re.compile(pattern, re.DOTALL)) for kind, pattern in PATTERNS)


def _is_spelled(kind: str, head: bytes) -> bool:
    """Whether this is a text that only begins with the letters of a format."""
    return kind in _SPELLED and _has_no_controls(head)


def _has_no_controls(head: bytes) -> bool:
    return len(head.translate(None, _CONTROLS)) == len(head)


def encoded_kind(content_encoding: str) -> str | None:
    """The format that a content encoding names, if its data have no signature, so that only this tells it, or None.

    >>> encoded_kind("br")
    'brotli'
    """
    names = [part.strip().lower() for part in content_encoding.split(",")]
    return next((_UNSIGNED[name] for name in reversed(names) if name in _UNSIGNED), None)


def _is_lzma(head: bytes) -> bool:
    """A header of .lzma, which has no magic: xz checks the same fields (lzma-file-format.txt, 1.1).

    The properties are those that every encoder writes; the coded data begin with a zero byte.
    """
    if head[:1] != b"\x5d" or head[13:14] != b"\0":
        return False
    window, size = int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:13], "little")
    is_usual = any(window in (1 << n, (1 << n) + (1 << n - 1)) for n in range(12, 32)) or window == 0xFFFFFFFF
    return is_usual and (size == 0xFFFFFFFFFFFFFFFF or 0 < size < 1 << 38)


def _is_zlib(head: bytes) -> bool:
    """RFC 1950 has a magic of four bits. That the rest can be unpacked tells it from text and numbers."""
    if head[:2] not in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        return False
    if _has_no_controls(head):  # x^2, a text
        return False
    try:
        return len(zlib.decompressobj().decompress(head, PEEK_BYTES)) > 0
    except zlib.error:
        return False


_CHECKS: Final[tuple[tuple[str, Callable[[bytes], bool]], ...]] = (
    ("MP3", is_mp3),
    ("MP2", is_mp2),
    ("AC-3", is_ac3),
    ("AAC", is_adts),
    ("AAC", is_loas),
    ("MPEG", is_mpeg),
    ("MPEG", is_transport_stream),
    ("lzma", _is_lzma),
    ("zlib", _is_zlib),
)
