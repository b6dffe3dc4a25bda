"""Files written byte by byte for the tests, so that no library stands on both sides of a comparison."""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence

from PIL import Image

Pixel = Sequence[int]
_TIFF_TYPES = {"H": (3, "H"), "I": (4, "I"), "R": (5, "II")}


def tiff(
    width: int,
    height: int,
    samples: bytes,
    *,
    bits: Sequence[int],
    photometric: int,
    order: str = "<",
    planar: bool = False,
    big: bool = False,
    more: Mapping[int, tuple[str, Sequence[int]]] = {},
    without: Sequence[int] = (),
) -> bytes:
    """A TIFF (TIFF 6.0) of one strip a plane, not compressed.

    `more` are further fields by tag, as H, I or R, and `without` those that are left out.
    """
    planes = len(bits) if planar else 1
    part = len(samples) // planes
    start = 16 if big else 8
    fields: dict[int, tuple[str, Sequence[int]]] = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", bits),
        259: ("H", [1]),
        262: ("H", [photometric]),
        273: ("I", [start + part * plane for plane in range(planes)]),
        277: ("H", [len(bits)]),
        278: ("I", [height]),
        279: ("I", [part] * planes),
        284: ("H", [2 if planar else 1]),
        **more,
    }
    fields = {tag: value for tag, value in fields.items() if tag not in without}
    head, entry, inline = ("QHHQ", "Q", 8) if big else ("HHHI", "I", 4)
    at = start + len(samples) + len(samples) % 2
    after = at + struct.calcsize("<" + head[0]) + len(fields) * (struct.calcsize("<" + head[1:]) + inline) + inline
    directory, values = struct.pack(order + head[0], len(fields)), b""
    for tag, (letter, numbers) in sorted(fields.items()):
        kind, packed = _TIFF_TYPES[letter]
        count = len(numbers) // len(packed)
        value = struct.pack(order + packed * count, *numbers)
        directory += struct.pack(order + head[1:], tag, kind, count)
        if len(value) <= inline:
            directory += value.ljust(inline, b"\0")
        else:
            directory += struct.pack(order + entry, after + len(values))
            values += value + bytes(len(value) % 2)
    magic = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    magic += struct.pack(order + "HHQ", 8, 0, at) if big else struct.pack(order + "I", at)
    return magic + samples + bytes(len(samples) % 2) + directory + bytes(inline) + values


def png(
    width: int, height: int, rows: bytes, *, depth: int, colour: int, chunks: Sequence[tuple[bytes, bytes]]
) -> bytes:
    """A PNG with these chunks before the picture; `rows` without filter bytes (PNG third edition)."""
    stride = len(rows) // height
    filtered = b"".join(b"\0" + rows[at : at + stride] for at in range(0, len(rows), stride))
    header = struct.pack(">2I5B", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(filtered)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )


RED, GREEN, BLUE, WHITE = range(4)
_PALETTE = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255])


def gif(width: int, height: int, *frames: bytes, colours: int = 4) -> bytes:
    """A GIF (GIF89a) with red, green, blue and white in its palette, and black up to `colours`."""
    palette = _PALETTE.ljust(3 * colours, b"\0")
    flags = 0x80 | (colours.bit_length() - 2)
    return b"GIF89a" + struct.pack("<2H3B", width, height, flags, 0, 0) + palette + b"".join(frames) + b";"


def gif_frame(
    left: int,
    top: int,
    width: int,
    height: int,
    colour: int,
    *,
    disposal: int | None = None,
    transparent: int | None = None,
    others: Sequence[int] = (),
    code_size: int = 2,
) -> bytes:
    """A frame of one colour, whose first pixels are `others`."""
    control = b""
    if disposal is not None or transparent is not None:
        flags = (disposal or 0) << 2 | (transparent is not None)
        control = b"\x21\xf9\x04" + struct.pack("<BHBB", flags, 10, transparent or 0, 0)
    pixels = [*others, *[colour] * (width * height - len(others))]
    # A clear code before every second pixel keeps all codes at their first width.
    clear, bits, held = 1 << code_size, 0, 0
    codes = [code for at, pixel in enumerate(pixels) for code in ((clear, pixel) if at % 2 == 0 else (pixel,))]
    for code in [*codes, clear + 1]:
        bits |= code << held
        held += code_size + 1
    packed = bits.to_bytes(-(-held // 8), "little")
    blocks = b"".join(bytes([len(packed[at : at + 255])]) + packed[at : at + 255] for at in range(0, len(packed), 255))
    return control + b"\x2c" + struct.pack("<4HB", left, top, width, height, 0) + bytes([code_size]) + blocks + b"\0"


def lossless_jpeg(width: int, height: int, pixels: Sequence[Pixel]) -> bytes:
    """A JPEG of the lossless process (ISO/IEC 10918-1, annex H): predictor 1, in RGB."""
    bits: list[str] = []
    before: list[list[int]] = [[128] * 3 for _ in range(1)]
    for at, pixel in enumerate(pixels):
        x, y = at % width, at // width
        if x:
            predicted: Pixel = pixels[at - 1]
        elif y:
            predicted = pixels[at - width]
        else:
            predicted = before[0]
        for value, guess in zip(pixel, predicted, strict=True):
            step = value - guess
            size = abs(step).bit_length()
            bits.append(f"{size:04b}")  # the code of a size is the size itself: nine codes of four bits
            if size:
                bits.append(f"{step if step > 0 else step + (1 << size) - 1:0{size}b}")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")
    table = bytes([0, 0, 0, 0, 9, *[0] * 12, *range(9)])
    frame = struct.pack(">B2HB", 8, height, width, 3) + b"R\x11\0G\x11\0B\x11\0"
    start = b"\x03R\0G\0B\0\x01\0\0"
    segments = ((0xC3, frame), (0xC4, table), (0xDA, start))
    return (
        b"\xff\xd8"
        + b"".join(bytes([255, marker]) + struct.pack(">H", len(body) + 2) + body for marker, body in segments)
        + scan
        + b"\xff\xd9"
    )


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_pillow_reads_what_is_written_here() -> None:
    rows = bytes(range(24))
    for big in (False, True):
        assert opened(tiff(4, 2, rows, bits=[8] * 3, photometric=2, big=big)).getpixel((1, 1)) == (15, 16, 17)
    assert opened(png(4, 2, rows, depth=8, colour=2, chunks=[])).getpixel((1, 1)) == (15, 16, 17)
    shown = opened(gif(16, 12, gif_frame(4, 3, 8, 6, GREEN))).convert("RGBA")
    assert shown.getpixel((8, 6)) == (0, 255, 0, 255)
    assert shown.size == (16, 12)
