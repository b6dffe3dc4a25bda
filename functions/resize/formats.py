"""What is read and what is written. Content decides, never a name."""

from importlib.util import find_spec
from typing import Final, NamedTuple

# Others that are read come out as PNG, or as WebP when they move.
WRITTEN: Final = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "avif": "image/avif"}
SUFFIXES: Final = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "avif": ".avif"}
MOVING: Final = frozenset({"gif", "webp"})
WITHOUT_ALPHA: Final = frozenset({"jpeg"})
MAX_SIDE: Final = {"jpeg": 65_535, "png": 2**31 - 1, "webp": 16_383, "avif": 65_535}
DEFAULT_QUALITY: Final = {"jpeg": 80, "webp": 80, "avif": 50}
NAMES: Final = {"jpeg": "JPEG", "png": "PNG", "webp": "WebP", "avif": "AVIF", "gif": "GIF", "tiff": "TIFF"}
EXPECTED: Final = "JPEG, PNG, WebP, AVIF, GIF or TIFF"

# Frames and pages of a file, counted before it is decoded: libvips looks at all of them to open it, and at WebP's in
# quadratic time.
MAX_PAGES: Final = 4000
WALKED: Final = frozenset({"gif", "webp", "tiff"})

PEEK_BYTES: Final = 64

# To say what came instead; none of these is read.
_OTHERS: Final = (
    (b"%!PS", "PostScript"),
    (b"BM", "BMP"),
    (b"8BPS", "Photoshop"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\x01\0", "an icon file"),
    (b"\0\0\x02\0", "a cursor file"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"BPG\xfb", "BPG"),
    (b"II\xbc", "JPEG XR"),
    (b"AT&TFORM", "DjVu"),
    (b"\x8aMNG", "MNG"),
    (b"\x8bJNG", "JNG"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "ZIP"),
    (b"{", "JSON"),
)


class Extra(NamedTuple):
    """A format that is read where the deployment switches it on: its name, the option, the package that decodes it."""

    name: str
    option: str
    package: str
    requirements: str


EXTRAS: Final = {
    "pdf": Extra("PDF", "pdf", "pypdfium2", "requirements-pdf.txt"),
    "heic": Extra("HEIC", "heic", "pi-heif", "requirements-heic.txt"),
}
_HEIC: Final = frozenset((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1"))


def recognise_extra(head: bytes) -> str | None:
    """The key in `EXTRAS`, or None. What `recognise` knows comes first: AVIF has brands of HEIC's too."""
    if head.lstrip(b"\xef\xbb\xbf\0 \t\r\n").startswith(b"%PDF-"):  # readers skip what is before it
        return "pdf"
    return "heic" if _brands(head) & _HEIC else None


def how_to_switch_on(kind: str) -> str:
    """What the operator does so that this format is read: the option, and the package if it is not there."""
    extra = EXTRAS[kind]
    option = f"{extra.name} is an extra that is off: set OPTION_{extra.option.upper()}=true"
    return option if is_installed(kind) else f"{option}, and {_how_to_install(extra)}"


def how_to_install(kind: str) -> str:
    """What the operator does where the format is on and its package is not there."""
    return f"{EXTRAS[kind].name} is on, but {EXTRAS[kind].package} is not installed: {_how_to_install(EXTRAS[kind])}"


def _how_to_install(extra: Extra) -> str:
    return f"add the lines of {extra.requirements} to requirements.txt (pip install {extra.package})"


def is_installed(kind: str) -> bool:
    return find_spec(EXTRAS[kind].package.replace("-", "_")) is not None


def recognise(head: bytes) -> str | None:
    """The format's name by the first `PEEK_BYTES`, or None when it is not one that is read.

    >>> recognise(b"\\xff\\xd8\\xff\\xe0")
    'jpeg'
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):  # the latter two are BigTIFF
        return "tiff"
    return "avif" if _brands(head) & {b"avif", b"avis"} else None


def describe(head: bytes) -> str:
    """What the first bytes look like, for an error text."""
    if not head:
        return "an empty file"
    extra = recognise_extra(head)
    if extra is not None:
        return f"{EXTRAS[extra].name}; {how_to_switch_on(extra)}"
    if _brands(head):
        return "a video or another ISO media file"
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return name
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] == b"<":
        return "SVG, XML or HTML"
    if all(byte >= 0x20 or byte in b"\t\r\n" for byte in head):
        return "text"
    return "an unknown format"


def _brands(head: bytes) -> set[bytes]:
    """Major and compatible brands of an ISO base media file (ISO/IEC 14496-12, `ftyp`)."""
    if head[4:8] != b"ftyp":
        return set()
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12]} | {head[at : at + 4] for at in range(16, size - 3, 4)}
