"""Resize a picture, convert its format, or both."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from penstock import Context, Event, EventError, PermanentError, Result, option

from . import formats, heap, memory  # noqa: F401 - heap acts by being imported
from .geometry import FITS, GRAVITIES, PLACES, SMART, Plan, plan, reduction

if TYPE_CHECKING:
    from .picture import Decoded, Source
    from .watermark import Watermark

# libvips takes 10 MiB and a tenth of a start: it is loaded with the first picture. That it is there is seen at once.
for _module in ("pyvips", "_libvips"):
    if find_spec(_module) is None:
        raise ModuleNotFoundError(f"No module named {_module!r}", name=_module)

_MAX_SIDE = 16_383  # WebP's own limit


@dataclass(frozen=True)
class Options:
    """The options of resize."""

    width: int | None = option(None, "width of the box in pixels; none: as the height gives it", ge=1, le=_MAX_SIDE)
    height: int | None = option(None, "height of the box in pixels; none: as the width gives it", ge=1, le=_MAX_SIDE)
    fit: str = option("inside", "how the picture meets a box of width and height", choices=FITS)
    gravity: str = option("centre", "the part that cover keeps; attention and entropy look for it", choices=GRAVITIES)
    enlarge: bool = option(False, "whether a small picture grows")
    format: str = option("keep", "what to write; keep: as it came", choices=("keep", *formats.WRITTEN))
    quality: int | None = option(None, "1 to 100; none: 80, for AVIF 50; PNG has none", ge=1, le=100)
    background: str = option("", "colour as RRGGBB behind transparency and borders; none: transparent, in JPEG white")
    autorotate: bool = option(True, "whether to turn the picture upright by its EXIF orientation")
    animated: bool = option(False, "whether GIF and WebP animations stay so, in WebP; false: the first frame")
    trim: int | None = option(
        None, "levels within which a border of one colour is cut off; none: none is", ge=0, le=255
    )
    grayscale: bool = option(False, "whether the picture becomes grey")
    blur: float | None = option(None, "sigma of a Gaussian, in pixels of the result", ge=0.3, le=20)
    sharpen: int | None = option(None, "share of fine detail that is added, in per cent", ge=1, le=500)
    watermark: str = option("", "picture s3://BUCKET/KEY that is laid over the result; none: nothing", asset=True)
    watermark_position: str = option("southeast", "where it lies", choices=tuple(PLACES))
    watermark_scale: int = option(25, "its width in per cent of the result's", ge=1, le=100)
    watermark_margin: int = option(16, "pixels that stay free between it and the edges", ge=0, le=4096)
    watermark_opacity: int = option(100, "in per cent", ge=1, le=100)
    blurhash: bool = option(False, "whether the result's metadata has its BlurHash, to show until it is there")
    pdf: bool = option(False, "whether the first page of a PDF is read; needs requirements-pdf.txt", ceiling=True)
    heic: bool = option(False, "whether HEIC is read; needs requirements-heic.txt", ceiling=True)
    max_pixels: int = option(50_000_000, "larger pictures are refused by their header", ge=1, ceiling=True)
    max_frames: int = option(200, "longer animations are refused when animated is on", ge=1, ceiling=True)

    def __post_init__(self) -> None:
        if self.background and not re.fullmatch(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", self.background):
            raise EventError(
                f"option background={self.background!r}: expected a colour as RRGGBB or RGB, such as ffffff"
            )

    @property
    def background_rgb(self) -> tuple[int, int, int] | None:
        """Red, green and blue, 0 to 255 each."""
        digits = self.background.removeprefix("#")
        if not digits:
            return None
        if len(digits) == 3:
            digits = "".join(digit * 2 for digit in digits)
        red, green, blue = bytes.fromhex(digits)
        return red, green, blue


class Work(NamedTuple):
    """What one set of options asks of one source."""

    source: "Source"
    kind: str
    plan: Plan
    factor: int
    every_frame: bool


def handle(event: Event[Options], context: Context[Options]) -> Result:
    """Return the picture at the size and in the format that the options ask for.

    Raises `UnsupportedInput` for an input that is not a picture, `InputTooLarge` over `max_pixels` or `max_frames`, and
    `PermanentError` for a damaged file or a result that the format cannot hold. Waits for the memory that the picture
    takes: `InputTooLarge` when the function never has that much, `TemporaryError` when it did not become free.
    """
    share = context.shared("share", lambda: memory.Share(event.name, memory.shared()))
    try:
        return _made(event, context, share)
    finally:
        # Of several renditions the next one needs what is in memory. Their share ends with what `context` keeps.
        if len(context.renditions) < 2:
            share.release()


def _made(event: Event[Options], context: Context[Options], share: memory.Share) -> Result:
    from .drawing import render
    from .looks import Looks, trimmed
    from .picture import check_limits

    options = event.options
    source = context.shared("source", lambda: _opened(event, share))
    overlay = _overlay(options, context)
    work = _work(source, options)
    check_limits(source, max_pixels=options.max_pixels, max_frames=options.max_frames, frames=_frames(work))
    renditions = [_work(source, other) for other in context.renditions.values()]
    if options.trim is None:
        _check_result(work, options.max_pixels)
        _admit(share, source, work, renditions, overlay)
    else:  # what is left and how large it becomes is not known yet
        _admit(share, source, _work(source, replace(options, width=None, height=None)), renditions, overlay)
    factors = {work.factor, *(other.factor for other in renditions if other.every_frame == work.every_frame)}
    cut = None
    if options.trim is not None:
        whole, threshold = _decoded(work, 1, factors, context), options.trim
        cut, size = context.shared(("trimmed", threshold, work.every_frame), lambda: trimmed(whole, threshold))
        work = _work(replace(source, size=size), options)
        _check_result(work, options.max_pixels)
        _admit(share, source, work, renditions, overlay)
    picture = render(
        work.source,
        cut or _decoded(work, work.factor, factors, context),
        work.plan,
        work.kind,
        quality=options.quality,
        background=options.background_rgb,
        interest=options.gravity if options.fit == "cover" and options.gravity in SMART else None,
        looks=Looks(options.grayscale, options.blur, options.sharpen),
        watermark=_watermark(options, overlay, context),
        blurhash=options.blurhash,
    )
    return Result(
        picture.data,
        content_type=formats.WRITTEN[work.kind],
        metadata={**event.metadata, "blurhash": picture.blurhash} if options.blurhash else event.metadata,
        name=_result_name(event.name, work.kind),
        notes=picture.notes,
    )


def _work(source: "Source", options: Options) -> Work:
    if not options.autorotate:
        source = replace(source, orientation=1)
    moving = options.animated and source.frames > 1
    kind = options.format
    if kind == "keep":
        kind = "webp" if moving else source.kind if source.kind in formats.WRITTEN else "png"
    made = plan(
        source.upright,
        options.width,
        options.height,
        fit=options.fit,
        enlarge=options.enlarge,
        gravity=options.gravity,
    )
    # What is border is seen at full size only.
    factor = 1 if options.trim is not None else reduction(source.upright, made.scaled)
    return Work(source, kind, made, factor, moving and kind == "webp")


def _opened(event: Event[Options], share: memory.Share) -> "Source":
    from .picture import open_source

    kind = formats.recognise_extra(event.body.peek(formats.PEEK_BYTES))
    on = {"pdf": event.options.pdf, "heic": event.options.heic}
    if kind is None or not on[kind] or formats.recognise(event.body.peek(formats.PEEK_BYTES)):
        return open_source(event.name, event.body, lambda: share.read(event.body, event.size))
    from .extras import MEMORY_BYTES, open_extra

    data = share.read(event.body, event.size)
    shown = formats.EXTRAS[kind].name
    memory.shared().check(event.name, 2 * len(data) + MEMORY_BYTES, f"{shown} in a process of its own")
    share.set(2 * len(data) + MEMORY_BYTES)
    return open_extra(event.name, kind, data, event.options.max_pixels)


def _overlay(options: Options, context: Context[Options]) -> "Source | None":
    """The watermark with its header read, None for none."""
    if not options.watermark:
        return None
    from .watermark import opened

    name = options.watermark
    return context.shared(("overlay", name), lambda: opened(name, context.asset("watermark")))


def _watermark(options: Options, overlay: "Source | None", context: Context[Options]) -> "Watermark | None":
    if overlay is None:
        return None
    from .drawing import in_srgb
    from .picture import decode
    from .watermark import Watermark

    return Watermark(
        context.shared(("overlay, decoded", overlay.name), lambda: in_srgb(overlay, decode(overlay, 1)).copy_memory()),
        options.watermark_position,
        options.watermark_scale,
        options.watermark_margin,
        options.watermark_opacity,
    )


def _admit(share: memory.Share, source: "Source", work: Work, others: Sequence[Work], overlay: "Source | None") -> None:
    """Have the memory for all outputs of a source, or for those of them that this function can make at all."""
    from .estimate import Target, memory_bytes

    def target(work: Work) -> Target:
        scaled, canvas = work.plan.scaled.pixels, work.plan.canvas.pixels
        return Target(scaled, canvas, work.factor, work.every_frame, work.kind)

    beside = 0
    if overlay is not None:
        pixels = overlay.size.pixels
        beside = memory_bytes(overlay, [Target(pixels, pixels, 1, every_frame=False, kind="png")])
    budget = memory.shared()
    budget.check(
        source.name, beside + memory_bytes(source, [target(work)]), f"{source.size} as {formats.NAMES[source.kind]}"
    )
    share.set(min(beside + memory_bytes(source, [target(made) for made in (work, *others)]), budget.total))


def _frames(work: Work) -> int:
    return work.source.frames if work.every_frame else 1


def _check_result(work: Work, max_pixels: int) -> None:
    """Refuse what would be too large to make, before anything is decoded."""
    name, canvas, limit = work.source.name, work.plan.canvas, formats.MAX_SIDE[work.kind]
    if max(canvas.width, canvas.height) > limit:
        raise PermanentError(
            f"{name}: would become {canvas}, and {formats.NAMES[work.kind]} holds {limit} pixels a side; "
            "ask for a smaller size or another format"
        )
    for size in (work.plan.scaled, canvas):
        if size.pixels * _frames(work) > max_pixels:
            raise PermanentError(
                f"{name}: would have to be scaled to {size}, over max_pixels={max_pixels}; "
                "ask for a smaller size, or give both width and height"
            )


def _decoded(work: Work, factor: int, factors: set[int], context: Context[Options]) -> "Decoded":
    """The source at 1/`factor`, decoded once for all renditions that need it, from a finer one that others need."""

    from .picture import decode

    def make() -> "Decoded":
        finer = max((other for other in factors if other < factor), default=None)
        return decode(
            work.source,
            factor,
            every_frame=work.every_frame,
            finer=None if finer is None else _decoded(work, finer, factors, context),
        )

    if work.source.shrinks_itself and not work.every_frame:
        factors = {factor}
    return context.shared(("decoded", factor, work.every_frame), make)


def _result_name(name: str, kind: str) -> str:
    return (PurePosixPath(name).stem or "picture") + formats.SUFFIXES[kind]
