"""libvips, set up: one thread a picture, only the loaders that are wanted, its errors turned into ours."""

import ctypes
import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from penstock import PermanentError, TemporaryError, UnsupportedInput

from . import formats

# One thread a picture: gunicorn's threads work on several at once, and a second thread for one costs more
# processor time than it saves (README.md). Read by libvips when it is loaded.
os.environ.setdefault("VIPS_CONCURRENCY", "1")

import _libvips  # the module of pyvips that is linked with libvips
import pyvips

__all__ = [
    "PROFILE",
    "Image",
    "early_ends",
    "faults",
    "field",
    "load",
    "pyvips",
    "reading",
    "tells_of_early_ends_alone",
    "text",
]

Image = Any  # pyvips has no types

# libvips opens more than this function reads, ImageMagick, PDF and SVG among it where they are installed. Loaders are
# called by name here, so nothing else can run; blocked, it cannot run by way of a mistake either.
_LOADERS: Final = {"jpeg": "Jpeg", "png": "Png", "webp": "Webp", "avif": "Heif", "gif": "Nsgif", "tiff": "Tiff"}
pyvips.block_untrusted_set(True)
pyvips.operation_block_set("VipsForeignLoad", True)
for _loader in _LOADERS.values():
    pyvips.operation_block_set(f"VipsForeignLoad{_loader}", False)
# libvips tells of every step, and warns without saying of which picture; what matters comes as an exception.
logging.getLogger("pyvips").setLevel(logging.ERROR)
pyvips.cache_set_max(0)  # no input comes twice, and what the cache holds is memory

PROFILE: Final = "icc-profile-data"
_MAX_REASON: Final = 200  # characters

# How the decoders say that they lack something, where the file may be whole.
_LACKS: Final = re.compile(
    r"support is not configured|not supported|unsupported|not implemented|samples out of range|not compiled|"
    r"only supports|can ?not handle|unknown codec|no decoding plugin|bad labq",
    re.IGNORECASE,
)
# What libvips calls the part of it that reports, and its lines that say no more than that something failed.
_INTERNAL: Final = re.compile(r"^(?:[a-zA-Z0-9_]+: )+(?=\S)")
_ENDS_EARLY: Final = "premature end of data segment"
# libjpeg says this of any byte that is not a marker, which is what damage looks like.
_DAMAGE: Final = re.compile(r"unsupported marker", re.IGNORECASE)


class _Messages:
    """libvips's messages, one list for all threads, which pyvips empties for each error that it raises.

    Between its look at the list and its clearing, another thread's message would be lost. So the list is always taken
    in one step of libvips. `PyDLL` keeps Python's lock meanwhile; pyvips has no call of its own for it.
    """

    def __init__(self) -> None:
        library = ctypes.PyDLL(_libvips.__file__)
        self._copy, self._free = library.vips_error_buffer_copy, library.g_free
        self._copy.restype = ctypes.c_void_p
        self._free.argtypes = [ctypes.c_void_p]
        self._lock = threading.Lock()
        self._early_ends = 0
        make = pyvips.Error.__init__
        pyvips.Error.__init__ = lambda error, message, detail="": make(error, message, detail or self.taken() or "\n")

    def taken(self) -> str:
        """All messages since the last call, of any thread; bytes of a file that they quote may be replaced."""
        with self._lock:
            place = self._copy()
            text = ctypes.string_at(place).decode("utf-8", "replace")
            self._free(place)
            self._early_ends += _ENDS_EARLY in text
        return text

    def early_ends(self) -> int:
        """How often libjpeg has said so far, of any picture, that its data end early."""
        self.taken()  # libvips keeps 10 KiB, and nothing more once that is full
        return self._early_ends


@contextmanager
def faults(name: str, what: str, *, lacking: str = "") -> Iterator[None]:
    """Turn a libvips error into one of ours: lack of memory passes, everything else is the file's own fault.

    With `lacking`, what the decoder has no support for is an `UnsupportedInput` that begins with it.
    """
    try:
        yield
    except pyvips.Error as exc:
        detail = exc.detail
        # libvips repeats itself, and puts the code of a decoder's error on a line of its own. A decoder that looks
        # beyond the end leaves lines that say no more than that.
        said = (line.strip() for line in detail.splitlines())
        lines = dict.fromkeys(_INTERNAL.sub("", line) for line in said if line and "bad seek" not in line)
        reason = " ".join(lines)[:_MAX_REASON] or "it cannot be decoded"
        if "out of memory" in detail:
            raise TemporaryError(f"{name}: out of memory; raise the function's memory limit ({reason})") from exc
        if lacking and _LACKS.search(detail) and not _DAMAGE.search(detail):
            raise UnsupportedInput(f"{name}: {lacking}: {reason}; save it in a more usual form") from exc
        raise PermanentError(f"{name}: {what}: {reason}") from exc


def reading(name: str, kind: str) -> AbstractContextManager[None]:
    """`faults` around everything that decodes."""
    shown = formats.NAMES[kind]
    return faults(name, f"the {shown} is damaged", lacking=f"this kind of {shown} is not read")


def load(kind: str, data: bytes, *, shrink: int = 1, frames: int = 1, strict: bool = False) -> Image:
    """The first frames, undecoded as yet. The caller keeps `data` until every pixel that it wants is in memory.

    With `strict` a decoder's warning is an error too.
    """
    # fail_on="error" refuses what is cut short, in every format, and TIFF strips that do not decode; the next
    # level, "warning", would refuse photographs with a few stray bytes, which every viewer shows.
    options: dict[str, Any] = {"access": "sequential", "fail_on": "warning" if strict else "error"}
    if shrink > 1:
        options |= {"shrink": shrink} if kind == "jpeg" else {"scale": 1 / shrink}
    if frames > 1:
        options["n"] = frames
    # A source reads the bytes where they are, `load_buffer` copies them first, and keeps no reference to them.
    loader = getattr(pyvips.Image, f"{'heif' if kind == 'avif' else kind}load_source")
    return loader(pyvips.Source.new_from_memory(data), **options)


def tells_of_early_ends_alone(exc: pyvips.Error) -> bool:
    """Whether an error has no other text than that data end early; none at all counts too."""
    return all(_ENDS_EARLY in line for line in exc.detail.splitlines() if line.strip())


early_ends: Final = _Messages().early_ends


def field(image: Image, name: str, default: int) -> int:
    return int(image.get(name)) if image.get_typeof(name) else default


def text(image: Image, name: str) -> str:
    """A field of text, "" where it is missing or is not text."""
    try:
        return str(image.get(name)) if image.get_typeof(name) else ""
    except UnicodeDecodeError:
        return ""
