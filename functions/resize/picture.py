"""Pictures through libvips: read what is allowed, shrink while decoding, render, encode."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from penstock import Body, InputTooLarge, PermanentError, TemporaryError, UnsupportedInput

from . import formats
from .colour import is_srgb
from .geometry import Plan, Size

# One thread a picture: gunicorn's threads work on several at once, and a second thread for one costs more
# processor time than it saves (README.md). Read by libvips when it is loaded.
os.environ.setdefault("VIPS_CONCURRENCY", "1")

import pyvips

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

_WHITE: Final = (255, 255, 255)
_OPAQUE: Final = 255
_PROFILE: Final = "icc-profile-data"
_MAX_REASON: Final = 200  # characters

# Each is a trade of time against bytes; README.md has the measurements.
_PNG: Final = {"compression": 3, "filter": "paeth"}
_WEBP: Final = {"effort": 2}
_AVIF: Final = {"compression": "av1", "effort": 1}


@dataclass(frozen=True, slots=True)
class Source:
    """An image that was recognised and whose header was read; no pixel is decoded yet.

    `size` is that of one frame as stored, before `orientation` (EXIF, 1 to 8) is applied.
    """

    name: str
    kind: str
    data: bytes
    size: Size
    frames: int
    orientation: int
    alpha: bool

    @property
    def shrinks_itself(self) -> bool:
        """Whether its decoder can leave out detail: JPEG's, and WebP's, which does not weigh colour by alpha."""
        return self.kind == "jpeg" or (self.kind == "webp" and not self.alpha)

    @property
    def upright(self) -> Size:
        return self.size.turned if self.orientation >= 5 else self.size  # EXIF: 5 to 8 swap the sides


@dataclass(frozen=True, slots=True)
class Decoded:
    """Frames in memory, each `1 / factor` of the source's sides: 8 bits, grey, RGB or CMYK, perhaps with alpha."""

    frames: Sequence[Image]
    factor: int
    premultiplied: bool


def open_source(name: str, body: Body) -> Source:
    """Recognise an image by its content and read its header.

    Raises `UnsupportedInput` for anything that is not on the list, before the rest of it is fetched, and
    `PermanentError` for a header that cannot be read.
    """
    head = body.peek(formats.PEEK_BYTES)
    kind = formats.recognise(head)
    if kind is None:
        raise UnsupportedInput(f"{name}: expected {formats.EXPECTED}, got {formats.describe(head)}")
    data = body.read()
    with _reading(name, kind):
        image = _load(kind, data)
        return Source(
            name,
            kind,
            data,
            Size(image.width, image.height),
            frames=_field(image, "n-pages", 1) if kind in formats.MOVING else 1,
            orientation=_field(image, "orientation", 1),
            alpha=bool(image.hasalpha()),
        )


def check_limits(source: Source, *, max_pixels: int, frames: int, max_frames: int) -> None:
    """Raise `InputTooLarge` from what the header says; what it costs to decode is decided by that, not by the bytes."""
    if frames > max_frames:
        raise InputTooLarge(f"{source.name}: {frames} frames, more than max_frames={max_frames}")
    if source.size.pixels * frames > max_pixels:
        of_frames = f" in {frames} frames" if frames > 1 else ""
        raise InputTooLarge(
            f"{source.name}: {source.size}{of_frames} is {source.size.pixels * frames} pixels, "
            f"more than max_pixels={max_pixels}"
        )


def decode(source: Source, factor: int, *, every_frame: bool = False, finer: Decoded | None = None) -> Decoded:
    """Decode to memory at 1/`factor` of the sides: 1, 2 or 4.

    Where the decoder cannot do that itself, squares of 2 x 2 are averaged once or twice, so that `finer`, the same
    source at a smaller factor, saves decoding it again and changes nothing. Raises `PermanentError` when the
    file is cut short or damaged: all of it is read, so that what fails does not depend on what is cut away later.
    """
    with _reading(source.name, source.kind):
        if source.shrinks_itself and not every_frame:
            image = _eight_bits(source, _load(source.kind, source.data, shrink=factor))
            return Decoded((image.copy_memory(),), factor, premultiplied=False)
        if finer is None:
            roll = _eight_bits(source, _load(source.kind, source.data, every_frame=every_frame))
            finer = Decoded(_frames(roll, source.size) if every_frame else (roll,), 1, premultiplied=False)
        return Decoded(
            [_halved(frame, finer, factor).copy_memory() for frame in finer.frames],
            factor,
            premultiplied=finer.premultiplied or factor > 1,
        )


def _halved(image: Image, finer: Decoded, factor: int) -> Image:
    """From `finer`'s factor to `factor`, by averaging."""
    if factor > finer.factor and not finer.premultiplied:
        image = _premultiply(image)
    for _ in range((factor // finer.factor).bit_length() - 1):
        image = image.shrink(2, 2, ceil=True)
    return image


def render(
    source: Source, decoded: Decoded, plan: Plan, kind: str, *, quality: int | None, background: Sequence[int] | None
) -> bytes:
    """Scale, turn upright, bring to sRGB, place on the canvas and encode; no metadata and no profile is kept.

    `background` None leaves alpha where `kind` has it and puts white elsewhere.
    """
    if background is None and kind in formats.WITHOUT_ALPHA:
        background = _WHITE
    with _reading(source.name, source.kind):
        frames = [
            _place(_srgb(_scaled(source, frame, plan, decoded.premultiplied)), plan, background)
            for frame in decoded.frames
        ]
        image = frames[0]
        if len(frames) > 1:
            image = pyvips.Image.arrayjoin([frame.copy_memory() for frame in frames], across=1).copy()
            image.set_type(pyvips.GValue.gint_type, "page-height", plan.canvas.height)
    with _faults(source.name, f"cannot be written as {formats.NAMES[kind]}"):
        return _encode(image, kind, formats.DEFAULT_QUALITY.get(kind) if quality is None else quality)


@contextmanager
def _faults(name: str, what: str) -> Iterator[None]:
    """Turn a libvips error into one of ours: lack of memory passes, everything else is the file's own fault."""
    try:
        yield
    except pyvips.Error as exc:
        # libvips repeats itself, and puts the code of a decoder's error on a line of its own.
        lines = dict.fromkeys(line.strip() for line in exc.detail.splitlines() if line.strip())
        reason = " ".join(lines)[:_MAX_REASON] or "it cannot be decoded"
        if "out of memory" in str(exc):
            raise TemporaryError(f"{name}: out of memory; raise the function's memory limit ({reason})") from exc
        raise PermanentError(f"{name}: {what}: {reason}") from exc


def _reading(name: str, kind: str) -> AbstractContextManager[None]:
    return _faults(name, f"the {formats.NAMES[kind]} is damaged")


def _load(kind: str, data: bytes, *, shrink: int = 1, every_frame: bool = False) -> Image:
    # fail_on="error" refuses what is cut short, in every format, and TIFF strips that do not decode; the next
    # level, "warning", would refuse photographs with a few stray bytes, which every viewer shows.
    options: dict[str, Any] = {"access": "sequential", "fail_on": "error"}
    if shrink > 1:
        options |= {"shrink": shrink} if kind == "jpeg" else {"scale": 1 / shrink}
    if every_frame:
        options["n"] = -1
    # A source reads the bytes where they are, `load_buffer` copies them first. The image keeps no reference to them:
    # the caller does until every pixel that it wants is in memory.
    loader = getattr(pyvips.Image, f"{'heif' if kind == 'avif' else kind}load_source")
    return loader(pyvips.Source.new_from_memory(data), **options)


def _field(image: Image, name: str, default: int) -> int:
    return int(image.get(name)) if image.get_typeof(name) else default


def _frames(roll: Image, size: Size) -> list[Image]:
    """Frames come below one another in one image, which is decoded once."""
    memory = roll.copy_memory()
    return [memory.crop(0, top, size.width, size.height) for top in range(0, memory.height, size.height)]


def _eight_bits(source: Source, image: Image) -> Image:
    """8 bits a band in grey, RGB or CMYK, still in the file's own primaries and curve."""
    if image.format == "ushort" and image.interpretation == "cmyk":
        image = image.rshift(8).cast("uchar").copy(interpretation="cmyk")
    elif image.format != "uchar" or image.interpretation not in ("b-w", "srgb", "cmyk"):
        image = image.colourspace("b-w" if image.bands <= 2 else "srgb")
    if image.format != "uchar" or image.bands > (5 if image.interpretation == "cmyk" else 4):
        raise UnsupportedInput(f"{source.name}: {image.bands} channels of type {image.format} are no picture")
    return image


def _premultiply(image: Image) -> Image:
    """Weigh colour by alpha, so that what is transparent does not bleed into its neighbours when averaged."""
    return image.premultiply().cast("uchar") if image.hasalpha() else image


def _scaled(source: Source, image: Image, plan: Plan, premultiplied: bool) -> Image:
    """At the plan's size, upright, colour and alpha apart."""
    target = plan.scaled.turned if source.orientation >= 5 else plan.scaled
    if (image.width, image.height) != (target.width, target.height):
        if not premultiplied:
            image, premultiplied = _premultiply(image), True
        image = image.resize(target.width / image.width, vscale=target.height / image.height, kernel="lanczos3")
    if premultiplied and image.hasalpha():
        image = image.unpremultiply().cast("uchar")
    return image.copy_memory().autorot() if source.orientation > 1 else image


def _srgb(image: Image) -> Image:
    """Colours in sRGB, converted where an embedded profile says something else; grey without one stays grey."""
    if image.get_typeof(_PROFILE) and not (image.interpretation == "srgb" and is_srgb(image.get(_PROFILE))):
        try:
            # The evaluation is here so that a profile that does not work shows here.
            return image.icc_transform("srgb", embedded=True, intent="perceptual", depth=8).copy_memory()
        except pyvips.Error:
            pass  # a broken or unfitting profile: the numbers are taken for the usual, as browsers do
    return image.colourspace("srgb") if image.interpretation == "cmyk" else image


def _place(image: Image, plan: Plan, background: Sequence[int] | None) -> Image:
    """Cut or pad to the canvas; flatten on `background`, or keep alpha, adding it to a border where there was none."""
    canvas = plan.canvas
    pads = canvas.width > image.width or canvas.height > image.height
    if image.bands <= 2 and (pads or (background is not None and image.hasalpha())):
        image = image.colourspace("srgb")
    if background is not None and image.hasalpha():
        image = image.flatten(background=list(background))
    if canvas.width < image.width or canvas.height < image.height:
        return image.crop(-plan.left, -plan.top, canvas.width, canvas.height)
    if not pads:
        return image
    if background is None:
        image = image if image.hasalpha() else image.bandjoin(_OPAQUE)
        background = (0, 0, 0, 0)
    return image.embed(
        plan.left, plan.top, canvas.width, canvas.height, extend="background", background=list(background)
    )


def _encode(image: Image, kind: str, quality: int | None) -> bytes:
    data: bytes
    if kind == "jpeg":
        data = image.jpegsave_buffer(Q=quality, keep="none")
    elif kind == "png":
        data = image.pngsave_buffer(**_PNG, keep="none")
    elif kind == "webp":
        data = image.webpsave_buffer(Q=quality, **_WEBP, keep="none")
    else:
        data = image.heifsave_buffer(Q=quality, **_AVIF, keep="none")
    return data
