"""What an image's header says, without decoding a pixel, so a pixel bomb costs nothing.

A library that opens images refuses what it could not decode: samples of float, a wrong checksum in a chunk that does
not matter, a size above its limit. Here only the structure is followed, part by part, to where the file should end.
"""

from typing import TYPE_CHECKING, Any

from .image_boxes import read_boxes
from .image_fields import read_bmp, read_icon, read_photoshop, read_tiff
from .image_streams import Picture, Reader, read_gif, read_jpeg, read_png, read_webp
from .notes import Notes
from .source import Source, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock import Body

# The name of the format, what reads it, and whether a header may lie behind what it describes.
FORMATS: dict[str, tuple[str, Reader, bool]] = {
    "image/jpeg": ("JPEG", read_jpeg, False),
    "image/png": ("PNG", read_png, False),
    "image/gif": ("GIF", read_gif, False),
    "image/webp": ("WEBP", read_webp, False),
    "image/tiff": ("TIFF", read_tiff, True),
    "image/bmp": ("BMP", read_bmp, False),
    "image/vnd.microsoft.icon": ("ICO", read_icon, False),
    "image/vnd.adobe.photoshop": ("PSD", read_photoshop, False),
    "image/avif": ("AVIF", read_boxes, True),
    "image/heic": ("HEIC", read_boxes, True),
    "image/heif": ("HEIF", read_boxes, True),
}


def describe_image(body: "Body", media_type: str, notes: Notes) -> dict[str, Any] | None:
    """The document's `image` field: `{format, width, height, orientation, date}`, or None without a size.

    `orientation` is EXIF's, 1 to 8, and 1 without one: width and height are those of the stored pixels.
    `date` is when the picture was taken, in ISO 8601, with an offset only where EXIF gives one.
    """
    kind, read, keeps = FORMATS[media_type]
    picture = Picture()
    with Source(body, keeps=keeps) as source:
        try:
            read(source, picture, notes)
        except UnreadableError as error:
            if picture.width is None:
                notes.stopped(f"{kind}: the header cannot be read: {error}")
            elif notes.complete:  # else a limit cut it here, or what it was packed in
                notes.stopped(f"{kind}: {error}")
    if picture.width is None:
        return None
    return {
        "format": kind.lower(),
        "width": picture.width,
        "height": picture.height,
        "orientation": picture.orientation,
        "date": picture.date,
    }


_BASE83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


def blurhash_in(metadata: "Mapping[str, str]") -> str | None:
    """The BlurHash that an image's metadata has as `blurhash`, None for none and for a text that cannot be one.

    Its first character tells how many waves there are across and down (blurha.sh).
    """
    told = metadata.get("blurhash", "")
    if not told or any(character not in _BASE83 for character in told):
        return None
    down, across = divmod(_BASE83.index(told[0]), 9)
    return told if len(told) == 4 + 2 * (across + 1) * (down + 1) else None
