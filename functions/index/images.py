"""What an image's header says, without decoding a pixel, so a pixel bomb costs nothing.

Pillow reads the headers; it is asked for one known format and never to load. What it would read from the
end (a WebP's or AVIF's metadata) is bounded by `MAX_HEADER_BYTES`.
"""

import importlib
import io
import re
import tempfile
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .notes import Notes

if TYPE_CHECKING:
    from penstock import Body

MAX_HEADER_BYTES = 32 * 1024 * 1024
_IN_MEMORY_BYTES = 1024 * 1024

# Pillow's name of the format, and of the module that reads it: importing all would take 30 ms.
FORMATS = {
    "image/jpeg": ("JPEG", "JpegImagePlugin"),
    "image/png": ("PNG", "PngImagePlugin"),
    "image/gif": ("GIF", "GifImagePlugin"),
    "image/tiff": ("TIFF", "TiffImagePlugin"),
    "image/bmp": ("BMP", "BmpImagePlugin"),
    "image/webp": ("WEBP", "WebPImagePlugin"),
    "image/avif": ("AVIF", "AvifImagePlugin"),
}
# What a whole file ends with, where that can be told without decoding: the EOI marker (ITU-T T.81; entropy-coded
# data never holds it), the IEND chunk with its checksum (PNG 3rd edition, 11.2.5). Trailing bytes may follow.
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}

# EXIF 3.0 tags
_WIDTH, _HEIGHT, _ORIENTATION, _DATE, _EXIF = 0x0100, 0x0101, 0x0112, 0x0132, 0x8769
_DATE_ORIGINAL, _OFFSET_ORIGINAL = 0x9003, 0x9011
_OFFSET = re.compile(r"[+-]\d\d:\d\d")


class Rewindable(io.RawIOBase):
    """A stream that can be read again from its start, fetched only as far as somebody reads.

    Past `limit` it looks as if it ended. An error of the source is kept in `failure`, because Pillow takes
    any exception for a damaged image.
    """

    def __init__(self, body: "Body", limit: int) -> None:
        self._body = body
        self._chunks = iter(body)
        self._limit = limit
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by close()
        self._fetched = 0
        self._position = 0
        self.is_at_end = False
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            self._fetch(self._limit)
            offset += self._fetched
        elif whence == io.SEEK_CUR:
            offset += self._position
        self._position = max(offset, 0)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        end = self._limit if size is None or size < 0 else self._position + size
        self._fetch(end)
        self._file.seek(self._position)
        data = self._file.read(max(min(end, self._fetched) - self._position, 0))
        self._position += len(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()

    def _fetch(self, end: int) -> None:
        end = min(end, self._limit)
        self._file.seek(0, io.SEEK_END)
        try:
            while self._fetched < end and not self.is_at_end:
                chunk = next(self._chunks, b"")
                self.is_at_end = not chunk
                self._fetched += self._file.write(chunk[: self._limit - self._fetched])
        except BaseException as error:
            self.failure = error
            raise

    def holds_after(self, position: int, marker: bytes) -> bool:
        """Whether the marker comes after `position`, in what was fetched or in the rest, which is not kept."""
        self._file.seek(min(position, self._fetched))
        tail = self._file.read()
        while marker not in tail:
            chunk = next(self._chunks, b"")
            if not chunk:
                return False
            tail = tail[-len(marker) + 1 :] + chunk
        return True


def describe_image(body: "Body", media_type: str, notes: Notes) -> dict[str, Any] | None:
    """The document's `image` field: `{format, width, height, orientation, date}`, or None for an unreadable header.

    `orientation` is EXIF's, 1 to 8, and 1 without one: width and height are those of the stored pixels.
    `date` is when the picture was taken, in ISO 8601, with an offset only where EXIF gives one.
    """
    from PIL import Image

    kind, module = FORMATS[media_type]
    importlib.import_module(f"PIL.{module}")
    if kind not in Image.OPEN:
        notes.stopped(f"{media_type}: this Pillow cannot read it")
        return None
    # Image.open would refuse a bomb before its size could be recorded; nothing is decoded here, so none can go off.
    open_header, _ = Image.OPEN[kind]
    with Rewindable(body, MAX_HEADER_BYTES) as file:
        try:
            with open_header(file, "") as image:  # type: ignore[arg-type]
                width, height = image.size
                if kind == "TIFF":  # for which Pillow gives the size after turning
                    width, height = image.tag_v2[_WIDTH], image.tag_v2[_HEIGHT]  # type: ignore[attr-defined]
                scan_start = file.tell()
                orientation, date = _exif(image, notes)
        except Exception as error:  # noqa: BLE001 - Pillow's readers raise anything on damaged headers
            if file.failure is not None:
                raise file.failure from None
            notes.stopped(f"{kind}: the header cannot be read: {_said(error)}")
            size = _webp_size(file) if kind == "WEBP" else None
            if size is None:
                return None
            width, height, orientation, date, scan_start = *size, 1, None, 0
        if kind in _ENDS and not file.holds_after(scan_start, _ENDS[kind]):
            notes.stopped(f"{kind}: the end is missing: the image is truncated")
        if kind == "WEBP" and _is_short_riff(file):
            notes.stopped("WEBP: shorter than its header says: the image is truncated")
    return {"format": kind.lower(), "width": width, "height": height, "orientation": orientation, "date": date}


def _webp_size(file: Rewindable) -> tuple[int, int] | None:
    """Width and height from the first chunk (RFC 9649), for files that Pillow refuses: cut ones, and bombs."""
    file.seek(12)
    kind, data = file.read(4), file.read(14)[4:]
    if len(data) < 10:
        return None
    if kind == b"VP8X":
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
    return None


def _is_short_riff(file: Rewindable) -> bool:
    file.seek(4)
    declared = int.from_bytes(file.read(4), "little") + 8
    return declared > file.seek(0, io.SEEK_END) and file.is_at_end


def _exif(image: Any, notes: Notes) -> tuple[int, str | None]:
    from PIL import Image

    # Not image.getexif(): for a PNG it would decode the pixels to look behind them.
    try:
        exif = Image.Exif()
        if image.format == "TIFF":
            exif = image.getexif()
        elif raw := image.info.get("exif"):
            exif.load(raw)
        orientation = exif.get(_ORIENTATION, 1)
        taken = exif.get_ifd(_EXIF)
        date = _date(taken.get(_DATE_ORIGINAL) or exif.get(_DATE), taken.get(_OFFSET_ORIGINAL))
    except Exception as error:  # noqa: BLE001 - as above
        notes.warn(f"EXIF cannot be read: {_said(error)}")
        return 1, None
    if orientation not in range(1, 9):
        notes.warn(f"EXIF orientation {orientation!r} is none: taken for 1")
        orientation = 1
    return int(orientation), date


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _date(value: object, offset: object) -> str | None:
    """EXIF's `YYYY:MM:DD HH:MM:SS` as ISO 8601; cameras without a clock write zeros or spaces."""
    try:
        moment = datetime.strptime(str(value).strip("\0 "), "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return None
    zone = str(offset).strip("\0 ")
    return moment + zone if _OFFSET.fullmatch(zone) else moment
