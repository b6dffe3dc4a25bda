"""Pictures as they go: scale, turn upright, bring to sRGB, put on the canvas, encode."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from . import formats
from .colour import fits, is_srgb
from .geometry import Plan, Size
from .libvips import PROFILE, Image, faults, pyvips, reading
from .looks import NO_LOOKS, Looks, changed, focused
from .picture import UNUSABLE, Decoded, Source, premultiply
from .scaling import scaled
from .traits import Traits
from .watermark import Watermark, laid
from .webp import seen_through

_WHITE: Final = (255, 255, 255)
_OPAQUE: Final = 255

# Each is a trade of time against bytes; README.md has the measurements.
_PNG: Final = {"compression": 3, "filter": "paeth"}
_WEBP: Final = {"effort": 2}
_AVIF: Final = {"compression": "av1", "effort": 1}


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture, what was assumed on the way, one sentence each, and its BlurHash where one was asked for."""

    data: bytes
    notes: tuple[str, ...] = ()
    blurhash: str = ""


def render(
    source: Source,
    decoded: Decoded,
    plan: Plan,
    kind: str,
    *,
    quality: int | None = None,
    background: Sequence[int] | None = None,
    interest: str | None = None,
    looks: Looks = NO_LOOKS,
    watermark: Watermark | None = None,
    blurhash: bool = False,
) -> Picture:
    """Scale, turn upright, bring to sRGB, place on the canvas and encode; no metadata and no profile is kept.

    `background` None leaves alpha where `kind` has it and puts white elsewhere. `interest`, attention or entropy, says
    how to find where to cut; all frames are cut alike.
    """
    if background is None and kind in formats.WITHOUT_ALPHA:
        background = _WHITE
    notes = dict.fromkeys(source.traits.notes)
    if source.pages > len(decoded.frames):
        what = "first page" if source.kind == "tiff" else "first frame"
        if source.kind == "avif" and source.traits.frames is None:  # stills beside one another, and no animation
            what = "primary picture"
        notes[f"the {what} of {source.pages} was taken"] = None
    with reading(source.name, source.kind):
        frames = [_srgb(_scaled(source, frame, plan, decoded), source.traits, notes) for frame in decoded.frames]
        if interest is not None:
            plan = focused(frames[0], plan, interest)
        frames = [_place(changed(frame, looks), plan, background) for frame in frames]
        if watermark is not None:
            frames = [laid(frame, watermark) for frame in frames]
        shown = ""
        if blurhash:
            from .placeholder import blurhash_of

            frames[0] = frames[0].copy_memory()
            shown = blurhash_of(frames[0])
        image = frames[0]
        if len(frames) > 1:
            image = pyvips.Image.arrayjoin([frame.copy_memory() for frame in frames], across=1).copy()
            image.set_type(pyvips.GValue.gint_type, "page-height", plan.canvas.height)
    with faults(source.name, f"cannot be written as {formats.NAMES[kind]}"):
        data = _encode(image, kind, formats.DEFAULT_QUALITY.get(kind) if quality is None else quality)
    return Picture(data, tuple(notes), shown)


def in_srgb(source: Source, decoded: Decoded) -> Image:
    """The first frame at its own size: upright, in sRGB, with alpha."""
    size = Size(decoded.frames[0].width, decoded.frames[0].height)
    upright = size.turned if source.orientation >= 5 else size
    with reading(source.name, source.kind):
        image = _srgb(
            _scaled(source, decoded.frames[0], Plan(upright, upright, 0, 0), decoded), source.traits, dict[str, None]()
        )
        image = image.colourspace("srgb") if image.bands <= 2 else image
        return image if image.hasalpha() else image.bandjoin(_OPAQUE)


def _scaled(source: Source, image: Image, plan: Plan, decoded: Decoded) -> Image:
    """At the plan's size, upright, colour and alpha apart."""
    target = plan.scaled.turned if source.orientation >= 5 else plan.scaled
    size, premultiplied = (target.width, target.height), decoded.premultiplied
    if decoded.extent != size:
        if not premultiplied:
            image, premultiplied = premultiply(image), True
        image = scaled(image, decoded.extent, size)
    if premultiplied and image.hasalpha():
        image = image.unpremultiply().cast(image.format)
    return image.copy_memory().autorot() if source.orientation > 1 else image


def _srgb(image: Image, traits: Traits, notes: dict[str, None]) -> Image:
    """Colours in sRGB, converted where a profile says something else; grey without one stays grey."""
    profile = image.get(PROFILE) if image.get_typeof(PROFILE) else None
    told = profile is not None and profile == traits.profile
    if profile is not None and not ((told or image.interpretation == "srgb") and is_srgb(profile)):
        if not told and not fits(profile, image.bands - bool(image.hasalpha())):
            # libvips would take another one, or read the numbers as what that profile is for.
            notes[UNUSABLE] = None
            image = image.copy()
            image.remove(PROFILE)
        else:
            try:
                # The evaluation is here so that a profile that does not work shows here.
                return (_grey_converted(image) if told and image.bands <= 2 else _converted(image)).copy_memory()
            except pyvips.Error:
                # A broken profile: the numbers are taken for the usual, as browsers do.
                notes[UNUSABLE] = None
    if image.interpretation in ("srgb", "b-w"):
        return image
    return image.colourspace("b-w" if image.interpretation == "grey16" else "srgb")


def _converted(image: Image) -> Image:
    return image.icc_transform("srgb", embedded=True, intent="perceptual", depth=8)


def _grey_converted(image: Image) -> Image:
    """Grey whose curve is told by a profile for three channels."""
    deep = image.format == "ushort"
    colours = image[0].bandjoin([image[0], image[0], *image.bandsplit()[1:]])
    made = _converted(colours.copy(interpretation="rgb16" if deep else "srgb"))
    return (made[1] if made.bands == 3 else made[1].bandjoin(made[3])).copy(interpretation="b-w")


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
        if image.hasalpha() and image.get_typeof("page-height"):
            data = seen_through(data)
    else:
        data = image.heifsave_buffer(Q=quality, **_AVIF, keep="none")
    return data
