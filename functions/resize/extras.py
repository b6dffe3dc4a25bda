"""PDF and HEIC, where the deployment switches them on: decoded in a child process with limits (ADR 50)."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from penstock import InputTooLarge, PermanentError, UnsupportedInput

from . import avif, cicp, formats
from .geometry import Size
from .picture import Source, open_source_data
from .tiff_writer import written
from .traits import Traits

# What the decoder of a picture of MAX_PIXELS was measured to take, with the copies of its pixels here, rounded up.
MEMORY_BYTES: Final = 352 << 20
MAX_PIXELS: Final = 25_000_000
TIMEOUT_SECONDS: Final = 30
CHILD: Final = Path(__file__).with_name("decoder.py")
_PHOTOMETRIC: Final = {1: 1, 2: 1, 3: 2, 4: 2}
_ASSOCIATED, _UNASSOCIATED = 1, 2
_PDF_NOTES: Final = {
    "empty": "the first page is empty, or nothing of it could be read",
    "unsized": "the first page has no size: that of US Letter was assumed",
}


def open_extra(name: str, kind: str, data: bytes, max_pixels: int) -> Source:
    """Decode the first page or the primary picture, as a source whose pixels are known already.

    Raises `UnsupportedInput` where the package is not installed, `InputTooLarge` over `max_pixels`, and
    `PermanentError` for what is damaged, or takes too much time or memory.
    """
    if kind == "pdf":
        if _pdf_cut_short(data):
            raise PermanentError(f"{name}: the PDF is damaged: it is cut short")
        told, pixels = _decoded(name, kind, data, max_pixels)
        # A PDF says by its own means what its colours are, and PDFium writes sRGB.
        traits = Traits(told=True, notes=tuple(text for key, text in _PDF_NOTES.items() if told.get(key)))
        return open_source_data(name, "tiff", _tiff(told, pixels, premultiplied=False), traits, pages=told["pages"])
    boxes = avif.look(name, data, "HEIC")
    if boxes.fault:
        raise PermanentError(f"{name}: the HEIC is damaged: {boxes.fault}")
    told, pixels = _decoded(name, kind, data if boxes.data is None else boxes.data, max_pixels)
    premultiplied = bool(told.get("premultiplied"))
    profile, notes = base64.b64decode(told.get("icc", "")) or None, tuple[str, ...]()
    if profile is None and "nclx" in told:
        profile, notes = cicp.told(*told["nclx"])
    if boxes.frames or told["pages"] > 1:
        shown = f"first frame of {boxes.frames}" if boxes.frames else f"primary picture of {told['pages']}"
        notes = (*notes, f"the {shown} was taken")
    traits = Traits(profile=profile, moves=boxes.moves, notes=notes)
    return open_source_data(name, "tiff", _tiff(told, pixels, premultiplied=premultiplied), traits, pages=1)


def _pdf_cut_short(data: bytes) -> bool:
    """Whether the last object has no `startxref` behind it (ISO 32000-1, 7.5.5); what follows that is stray bytes."""
    end = data.rfind(b"startxref")
    return end < 0 or re.search(rb"\d\s+\d+\s+obj\b", data[end:]) is not None


def _decoded(name: str, kind: str, data: bytes, max_pixels: int) -> tuple[Mapping[str, Any], memoryview]:
    shown = formats.EXTRAS[kind].name
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(CHILD), kind, str(min(max_pixels, MAX_PIXELS))],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise PermanentError(f"{name}: the {shown} takes more than {TIMEOUT_SECONDS} seconds to decode") from exc
    line = done.stdout[: done.stdout.find(b"\n") + 1]
    pixels = memoryview(done.stdout)[len(line) :]
    if done.returncode != 0 or not line:
        raise PermanentError(f"{name}: the {shown} is damaged, or takes more memory or time than its decoder is given")
    told: dict[str, Any] = json.loads(line)
    _raise_for(name, kind, told)
    if len(pixels) != told["width"] * told["height"] * told["bands"]:
        raise PermanentError(f"{name}: the {shown} is damaged: its decoder gave a part of the picture")
    return told, pixels


def _raise_for(name: str, kind: str, told: Mapping[str, Any]) -> None:
    shown, reason = formats.EXTRAS[kind].name, told.get("reason", "")
    match told.get("refused"):
        case "missing":
            raise UnsupportedInput(f"{name}: {formats.how_to_install(kind)}")
        case "large":
            raise InputTooLarge(f"{name}: {reason}")
        case "unsupported":
            raise UnsupportedInput(f"{name}: {reason} is not read")
        case "damaged":
            raise PermanentError(f"{name}: the {shown} is damaged: {reason}")


def _tiff(told: Mapping[str, Any], pixels: memoryview, *, premultiplied: bool) -> bytes:
    """The pixels as a TIFF of one strip, which the rest of the function reads (TIFF 6.0)."""
    size, bands = Size(told["width"], told["height"]), told["bands"]
    alpha = bands in (2, 4)
    fields = [
        (256, 4, [size.width]),
        (257, 4, [size.height]),
        (258, 3, [8] * bands),
        (259, 3, [1]),
        (262, 3, [_PHOTOMETRIC[bands]]),
        (277, 3, [bands]),
        (278, 4, [size.height]),
    ]
    if alpha:
        fields.append((338, 3, [_ASSOCIATED if premultiplied else _UNASSOCIATED]))
    return written(fields, pixels)
