"""The child process that decodes what libvips does not: `python -I decoder.py KIND MAX_PIXELS`, the file at stdin.

It writes one line of JSON and then the pixels, 8 bits each, without padding. It limits itself before it loads the
decoder and before it reads a byte: memory, processor time, no files to write, and no network where the kernel allows
that to a process without rights. Nothing else of Penstock is in it. Its environment is empty, so it knows no key.
"""

import base64
import contextlib
import ctypes
import importlib.util
import json
import resource
import sys
from collections.abc import Callable
from typing import Any

MEMORY_BYTES = 1024 * 1024 * 1024  # of addresses: what it takes of memory is below the half
CPU_SECONDS = 20
PDF_SCALE = 200 / 72  # 200 dots for an inch
PDF_MAX_PIXELS = 16_000_000
MODULES = {"pdf": "pypdfium2", "heic": "pi_heif"}

_NEW_USER, _NEW_NETWORK, _NO_NEW_PRIVILEGES = 0x10000000, 0x40000000, 38


class Refused(Exception):
    """`kind` is missing, large, unsupported or damaged."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def limit() -> None:
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        libc.unshare(_NEW_USER | _NEW_NETWORK)  # refused in many containers, whose own rules then count


def pdf(data: bytes, max_pixels: int) -> tuple[dict[str, Any], bytes]:
    """The first page on white, at 200 dots an inch or as many as its bounds allow."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as exc:
        if "password" in str(exc).lower():
            raise Refused("unsupported", "a PDF with a password") from exc
        raise Refused("damaged", str(exc)) from exc
    if len(document) == 0:
        raise Refused("damaged", "it has no page")
    if document.get_formtype() == pypdfium2.raw.FORMTYPE_XFA_FULL:
        raise Refused("unsupported", "a PDF whose pages an XFA form makes")
    document.init_forms()  # before the page: without it the fields of a form stay empty
    try:
        page = document[0]
    except pypdfium2.PdfiumError as exc:
        raise Refused("damaged", str(exc)) from exc
    width, height = page.get_size()
    if not (width > 0 and height > 0):
        raise Refused("damaged", "its first page has no size")
    scale = min(PDF_SCALE, (min(max_pixels, PDF_MAX_PIXELS) / (width * height)) ** 0.5, 16_000 / max(width, height))
    bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=False)
    if bitmap.n_channels != 3:
        raise Refused("unsupported", f"a page of {bitmap.n_channels} channels")
    told = _told(bitmap.width, bitmap.height, 3, pages=len(document))
    told["empty"] = not (
        pypdfium2.raw.FPDFPage_CountObjects(page.raw) or pypdfium2.raw.FPDFPage_GetAnnotCount(page.raw)
    )
    box = page.get_mediabox(fallback_ok=False)  # None where it is a parent's
    told["unsized"] = box is not None and (box[0] == box[2] or box[1] == box[3])
    return told, _rows(bytes(bitmap.buffer), bitmap.stride, bitmap.width * 3, bitmap.height)


def heic(data: bytes, max_pixels: int) -> tuple[dict[str, Any], bytes]:
    """The primary picture, upright."""
    import pi_heif

    try:
        file = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
        if len(file) == 0:
            raise Refused("damaged", "no picture in it can be read")
        image = file[file.primary_index]
        width, height = image.size
        if width * height > max_pixels:
            raise Refused(
                "large", f"{width}x{height} is {width * height} pixels, more than the {max_pixels} that are decoded"
            )
        bands = {"L": 1, "I;16": 1, "LA": 2, "RGB": 3, "RGBA": 4, "RGBa": 4}.get(image.mode)
        if bands is None:
            raise Refused("unsupported", f"a HEIC of mode {image.mode}")
        told = _told(width, height, bands, pages=len(file))
        told["premultiplied"] = bool(image.premultiplied_alpha) or image.mode == "RGBa"
        if icc := image.info.get("icc_profile"):
            told["icc"] = base64.b64encode(icc).decode()
        if nclx := image.info.get("nclx_profile"):
            told["nclx"] = [nclx["color_primaries"], nclx["transfer_characteristics"]]
        if image.mode == "I;16":  # grey of more than 8 bits, which is left at 16: the upper 8 count
            return told, _rows(bytes(image.data)[1::2], image.stride // 2, width, height)
        return told, _rows(bytes(image.data), image.stride, width * bands, height)
    except (ValueError, EOFError, RuntimeError, SyntaxError, OSError) as exc:
        raise Refused("damaged", str(exc)) from exc


def _told(width: int, height: int, bands: int, *, pages: int) -> dict[str, Any]:
    return {"width": width, "height": height, "bands": bands, "pages": pages}


def _rows(data: bytes, stride: int, wide: int, height: int) -> bytes:
    if stride == wide:
        return data[: wide * height]
    return b"".join(data[at : at + wide] for at in range(0, stride * height, stride))


DECODERS: dict[str, Callable[[bytes, int], tuple[dict[str, Any], bytes]]] = {"pdf": pdf, "heic": heic}


def main(kind: str, max_pixels: int) -> None:
    limit()
    pixels = b""
    try:
        if importlib.util.find_spec(MODULES[kind]) is None:
            raise Refused("missing", MODULES[kind])
        told, pixels = DECODERS[kind](sys.stdin.buffer.read(), max_pixels)
    except Refused as exc:
        told = {"refused": exc.kind, "reason": str(exc)[:200]}
    except MemoryError:
        told = {"refused": "damaged", "reason": "it takes more memory than a decoder is given"}
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
    sys.stdout.buffer.write(pixels)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
