"""Pictures for the tests, whole ones, some of them made by hand."""

import io
import struct

from PIL import Image

from . import image


def tiff(samples: bytes, *, width: int, height: int, bits: int, sample_format: int, order: str, is_big: bool) -> bytes:
    """A TIFF of one strip and one band, written here and not by a library."""
    word, count = ("Q", "Q") if is_big else ("I", "H")
    tags = [(256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, 1), (273, 4, 0), (274, 3, 6)]
    tags += [(277, 3, 1), (278, 3, height), (279, 4, len(samples)), (339, 3, sample_format)]
    start = 16 if is_big else 8
    size = struct.calcsize(order + count) + len(tags) * (20 if is_big else 12) + struct.calcsize(order + word)
    tags[5] = (273, 4, start + size)
    field = 8 if is_big else 4
    entries = b"".join(
        struct.pack(order + "HH" + word, tag, kind, 1)
        + struct.pack(order + ("H" if kind == 3 else "I"), value).ljust(field, b"\0")
        for tag, kind, value in tags
    )
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + ("HHHQ" if is_big else "HI"), *((43, 8, 0, 16) if is_big else (42, 8)))
    return head + struct.pack(order + count, len(tags)) + entries + struct.pack(order + word, 0) + samples


def photoshop(width: int, height: int, *, compression: int = 0, is_large: bool = False) -> bytes:
    head = b"8BPS" + struct.pack(">H6xHIIHH", 2 if is_large else 1, 3, height, width, 8, 3)
    sections = struct.pack(">II", 0, 4) + b"abcd" + (bytes(8) if is_large else bytes(4))
    pixels = bytes(width * height * 3)
    if compression == 1:
        size = 4 if is_large else 2
        pixels = (5).to_bytes(size, "big") * (3 * height) + bytes(5 * 3 * height)
    return head + sections + struct.pack(">H", compression) + pixels


def os2_bitmap(width: int, height: int) -> bytes:
    pixels = bytes((width * 24 + 31) // 32 * 4 * height)
    return (
        b"BM"
        + struct.pack("<IHHI", 26 + len(pixels), 0, 0, 26)
        + struct.pack("<IHHHH", 12, width, height, 1, 24)
        + pixels
    )


def heic(data: bytes) -> bytes:
    """An AVIF with the brands of HEIC: the boxes are the same."""
    return data.replace(b"ftypavif", b"ftypheic", 1)


def frames(kind: str) -> bytes:
    file = io.BytesIO()
    first, *others = (Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue"))
    first.save(file, kind, save_all=True, append_images=others)
    return file.getvalue()


WHOLE = {
    "jpeg": image(),
    "jpeg, progressive": image(progressive=True),
    "png": image("PNG"),
    "png, interlaced": image("PNG", interlace=1),
    "png, several frames": frames("PNG"),
    "gif": image("GIF"),
    "gif, several frames": frames("GIF"),
    "webp": image("WEBP"),
    "webp, lossless": image("WEBP", lossless=True),
    "webp, several frames": frames("WEBP"),
    "tiff": image("TIFF"),
    "tiff, lzw": image("TIFF", compression="tiff_lzw"),
    "tiff, jpeg": image("TIFF", compression="jpeg"),
    "tiff, big": image("TIFF", big_tiff=True),
    "bmp": image("BMP"),
    "bmp, os/2": os2_bitmap(40, 30),
    "avif": image("AVIF"),
    "avif, several frames": frames("AVIF"),
    "heic": heic(image("AVIF")),
    "ico": image("ICO", (48, 48), sizes=[(16, 16), (32, 32), (48, 48)]),
    "ico of bitmaps": image("ICO", (32, 32), sizes=[(16, 16), (32, 32)], bitmap_format="bmp"),
    "psd": photoshop(40, 30),
    "psd, packed": photoshop(40, 30, compression=1),
    "psb": photoshop(40, 30, compression=1, is_large=True),
}
SQUARE = {"ico": 48, "ico of bitmaps": 32}
