"""Whether the data of a JPEG end before its picture does.

libvips looks for a warning of libjpeg before it reads eight lines, and not after the last ones. What libjpeg said stays
in its list of messages, which all threads share. So such a message is a suspicion. Then the picture is decoded once
more, as the strip of a TIFF: there libvips heeds every warning.
"""

from typing import Final

from . import jpeg
from .libvips import load, pyvips, tells_of_early_ends_alone
from .tiff_writer import written

FAULT: Final = "its data end before the picture does"

_PHOTOMETRIC: Final = {1: 1, 3: 6, 4: 5}  # grey, YCbCr, CMYK
_JPEG: Final = 7
_TRIES: Final = 3


def ends_early(data: bytes) -> bool | None:
    """Decode the picture, without keeping it, and tell whether its data end early; None where that cannot be told."""
    frame = jpeg.frame_of(data)
    if frame is None or len(frame.sampling) not in _PHOTOMETRIC:
        return None
    channels = len(frame.sampling)
    fields = [
        (256, 4, [frame.width]),
        (257, 4, [frame.height]),
        (258, 3, [8] * channels),
        (259, 3, [_JPEG]),
        (262, 3, [_PHOTOMETRIC[channels]]),
        (277, 3, [channels]),
        (278, 4, [frame.height]),
        (530, 3, frame.sampling[0]),
    ]
    wrapped = written(fields if channels == 3 else fields[:-1], data)  # libvips reads it where it lies
    for _ in range(_TRIES):
        try:
            load("tiff", wrapped, strict=True).avg()
        except pyvips.Error as exc:
            # A warning has no text here, an error has. But the text may be that of a picture in another thread.
            if tells_of_early_ends_alone(exc):
                return True
        else:
            return False
    return None
