"""Pictures as they come: recognise, read the header, decode, shrunk on the way where that loses nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from penstock import Body, InputTooLarge, PermanentError, UnsupportedInput

from . import avif, formats, gif, jpeg, jpeg_end, png, strips, tiff, webp
from .geometry import Size
from .icc import adobe_rgb
from .libvips import PROFILE, Image, early_ends, load, pyvips, reading, text
from .libvips import field as number
from .plain import plain
from .scaling import halved
from .traits import Traits

_LOOKS: Final[dict[str, Callable[[str, bytes], Traits]]] = {
    "jpeg": jpeg.look,
    "png": png.look,
    "webp": lambda _name, data: webp.look(data),
    "avif": avif.look,
    "gif": lambda _name, data: gif.look(data),
    "tiff": tiff.look,
}
UNUSABLE: Final = "the colour profile cannot be used: the usual colours were assumed"
_WARNED_OF: Final = frozenset({"jpeg", "tiff"})  # whose decoders warn where pixels are missing
# Below this a whole decode costs about a millisecond, and keeps small icons exact.
SHRINK_FROM_PIXELS: Final = 1 << 18
_SAMPLE_BYTES: Final = {"uchar": 1, "char": 1, "ushort": 2, "short": 2}


@dataclass(frozen=True, slots=True)
class Source:
    """An image that was recognised and whose header was read; no pixel is decoded yet.

    `size` is that of one frame as stored, before `orientation` (EXIF, 1 to 8) is applied. `pages` counts all pictures
    in the file, `frames` those that can be shown as an animation. `bands` counts the channels of a pixel, alpha too.
    """

    name: str
    kind: str
    data: bytes
    size: Size
    frames: int
    orientation: int
    alpha: bool
    pages: int = 1
    bands: int = 3
    sample_bytes: int = 1
    traits: Traits = field(default_factory=Traits)

    @property
    def shrinks_itself(self) -> bool:
        """Whether its decoder can leave out detail: JPEG's, and WebP's, which does not weigh colour by alpha."""
        if self.size.pixels < SHRINK_FROM_PIXELS or not self.traits.shrinks:
            return False
        return self.kind == "jpeg" or (self.kind == "webp" and not self.alpha and self.frames == 1)

    @property
    def upright(self) -> Size:
        return self.size.turned if self.orientation >= 5 else self.size  # EXIF: 5 to 8 swap the sides


@dataclass(frozen=True, slots=True)
class Decoded:
    """Frames in memory: 8 bits, or 16 where the colours are still to be converted, in grey, RGB or CMYK, perhaps
    with alpha.

    `extent` is the size of the picture in pixels of these frames, in parts of a pixel: the last column and row may lie
    partly outside it.
    """

    frames: Sequence[Image]
    factor: int
    premultiplied: bool
    extent: tuple[float, float]


def open_source(name: str, body: Body, read: Callable[[], bytes] | None = None) -> Source:
    """Recognise an image by its content and read its header; `read` reads the body, where that takes more than a call.

    Raises `UnsupportedInput` for anything that is not on the list, before the rest of it is fetched, and for kinds of
    the six formats that are not read; `PermanentError` for a header that cannot be read.
    """
    head = body.peek(formats.PEEK_BYTES)
    kind = formats.recognise(head)
    if kind is None:
        raise UnsupportedInput(f"{name}: expected {formats.EXPECTED}, got {formats.describe(head)}")
    data = body.read() if read is None else read()
    traits = _LOOKS[kind](name, data)
    if kind in formats.WALKED and (traits.frames or 1) > formats.MAX_PAGES:
        what = "pages" if kind == "tiff" else "frames"
        raise InputTooLarge(f"{name}: more than {formats.MAX_PAGES} {what}, which is the most that is opened")
    return open_source_data(name, kind, data, traits)


def open_source_data(name: str, kind: str, data: bytes, traits: Traits, pages: int | None = None) -> Source:
    """Read the header of a file whose structure is known; `pages` are those of what it was made from."""
    if traits.data is not None:
        data = traits.data
    with reading(name, kind):
        image = load(kind, data)
        if pages is None:
            pages = number(image, "n-pages", 1) if traits.frames is None else traits.frames
        return Source(
            name,
            kind,
            data,
            _shown(Size(image.width, image.height), traits),
            frames=pages if kind in formats.MOVING else 1,
            orientation=number(image, "orientation", 1),
            alpha=bool(image.hasalpha()),
            pages=pages,
            bands=image.bands,
            sample_bytes=_SAMPLE_BYTES.get(image.format, 4),
            traits=_with_colour(kind, image, traits),
        )


def _shown(size: Size, traits: Traits) -> Size:
    """The size of the picture whose decoder gives one of this size."""
    if traits.tiles is not None:
        return Size(traits.tiles.width, traits.tiles.height)
    return size.turned if sum(move in ("rot90", "rot270") for move in traits.moves) % 2 else size


def _with_colour(kind: str, image: Image, traits: Traits) -> Traits:
    """The traits, and what EXIF says of colour where nothing stronger does, or that nothing does."""
    if traits.profile is not None or traits.told or traits.lab or kind == "gif" or image.get_typeof(PROFILE):
        return traits
    if traits.profiled:  # libpng leaves out one that it cannot use
        return replace(traits, notes=(*traits.notes, UNUSABLE))
    if image.interpretation == "cmyk":
        return replace(traits, notes=(*traits.notes, "no colour profile is there: the usual inks were assumed"))
    if text(image, "exif-ifd2-ColorSpace").startswith("1 "):
        return traits
    if text(image, "exif-ifd4-InteroperabilityIndex").startswith("R03"):  # DCF 2.0: the optional colour space
        return replace(traits, profile=adobe_rgb(), notes=(*traits.notes, "Adobe RGB was taken from EXIF"))
    if image.interpretation in ("lab", "labs"):
        return traits
    return replace(traits, notes=(*traits.notes, "no colour space is told: sRGB was assumed"))


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
    if source.traits.fault:
        raise _damaged(source, source.traits.fault)
    if source.kind == "tiff" and finer is None:
        pixels = source.size.pixels * source.bands * source.sample_bytes
        if fault := tiff.checksum_fault(source.data, pixels + source.traits.held_bytes):
            raise _damaged(source, fault)
    with reading(source.name, source.kind):
        if source.kind not in _WARNED_OF:
            return _decoded(source, factor, every_frame, finer)
        before = early_ends()
        try:
            made = _decoded(source, factor, every_frame, finer, strict=True)
        except pyvips.Error as exc:
            # libjpeg said so of this picture, or of one in another thread. None: it cannot be told.
            if source.kind == "jpeg" and early_ends() > before and jpeg_end.ends_early(source.data) is not False:
                raise _damaged(source, jpeg_end.FAULT) from exc
        else:
            # libvips looks for a warning before each eight lines, and not after the last ones.
            if source.kind == "jpeg" and early_ends() > before and jpeg_end.ends_early(source.data):
                raise _damaged(source, jpeg_end.FAULT)
            return made
        if source.kind == "tiff":
            return _with_odd_fields(source, factor, every_frame, finer)
        # Stray bytes are a warning too, and every viewer shows what has them.
        bare = jpeg.without_stray(source.data) if source.kind == "jpeg" else source.data
        if bare != source.data and jpeg_end.ends_early(bare):
            raise _damaged(source, jpeg_end.FAULT)
        return _decoded(source, factor, every_frame, finer)


def _with_odd_fields(source: Source, factor: int, every_frame: bool, finer: Decoded | None) -> Decoded:
    """Decode a TIFF that its decoder warns of, for a field that is odd, or for pixels that are missing."""
    made = _decoded(source, factor, every_frame, finer)  # an error says more than a warning
    bare = strips.with_needed_fields(source.data)  # libvips reads it where it lies
    try:
        load(source.kind, bare, strict=True).avg()
    except pyvips.Error as exc:
        fault = tiff.fault(source.data)
        if fault:
            raise _damaged(source, fault) from exc
    return made


def _damaged(source: Source, fault: str) -> PermanentError:
    return PermanentError(f"{source.name}: the {formats.NAMES[source.kind]} is damaged: {fault}")


def _decoded(source: Source, factor: int, every_frame: bool, finer: Decoded | None, *, strict: bool = False) -> Decoded:
    own = factor // source.traits.uneven
    if source.shrinks_itself and not every_frame and own > 1:
        shrunk = _shrunk_by_decoder(source, own, strict=strict)
        if shrunk is not None:
            return shrunk if own == factor else _averaged(shrunk, factor)
    if finer is None:
        frames = source.frames if every_frame else 1
        roll = plain(source.name, source.traits, _loaded(source, frames, strict=strict))
        size = source.size
        finer = Decoded(
            _frames(roll, size) if every_frame else (roll,),
            1,
            premultiplied=source.traits.premultiplied and bool(roll.hasalpha()),
            extent=(size.width, size.height),
        )
    made = [_halved(frame, finer, factor).copy_memory() for frame in finer.frames]
    return Decoded(
        made,
        factor,
        premultiplied=finer.premultiplied or factor > finer.factor,
        extent=(made[0].width, made[0].height),
    )


def _loaded(source: Source, frames: int, *, strict: bool) -> Image:
    image, tiles = load(source.kind, source.data, frames=frames, strict=strict), source.traits.tiles
    if source.traits.covered:
        image = image.copy_memory()
        return image if image[image.bands - 1].min() < 255 else image.extract_band(0, n=image.bands - 1)
    if source.traits.moves:
        image = image.copy_memory()  # its decoder gives lines from above only
        for move in source.traits.moves:
            image = getattr(image, move)()
        return image
    if tiles is None:
        return image
    # They are below one another, and all of them are needed for the first line.
    laid = image.copy_memory().grid(tiles.tile_height, tiles.across, tiles.down)
    return laid.crop(0, 0, tiles.width, tiles.height)


def _shrunk_by_decoder(source: Source, factor: int, *, strict: bool) -> Decoded | None:
    """What the decoder makes at 1/`factor`, or None where it would not be the whole picture."""
    width, height = source.size.width, source.size.height
    data: bytes | None = source.data
    if width % factor or height % factor:
        data = (jpeg if source.kind == "jpeg" else webp).widened(source.data, factor)
    if data is None and source.kind == "jpeg":
        return None
    image = load(source.kind, data or source.data, shrink=factor, strict=strict)
    extent = (width / factor, height / factor)
    if data is None:  # WebP that is lossless or of even sides: all of it is scaled to whole pixels
        extent = (image.width, image.height)
    elif (image.width, image.height) != (-(-width // factor), -(-height // factor)):
        return None
    # `data` has to stay until here: libvips reads it where it lies.
    made = plain(source.name, source.traits, image).copy_memory()
    return Decoded((made,), factor, premultiplied=False, extent=extent)


def _averaged(shrunk: Decoded, factor: int) -> Decoded:
    """From what the decoder made to `factor`."""
    before = shrunk.frames[0]
    made = _halved(before, shrunk, factor).copy_memory()
    across, down = shrunk.extent
    extent = (across * made.width / before.width, down * made.height / before.height)
    return Decoded((made,), factor, premultiplied=False, extent=extent)


def _halved(image: Image, finer: Decoded, factor: int) -> Image:
    """From `finer`'s factor to `factor`, by averaging."""
    if factor > finer.factor and not finer.premultiplied:
        image = premultiply(image)
    for _ in range((factor // finer.factor).bit_length() - 1):
        image = halved(image)
    return image


def _frames(roll: Image, size: Size) -> list[Image]:
    """Frames come below one another in one image, which is decoded once."""
    memory = roll.copy_memory()
    return [memory.crop(0, top, size.width, size.height) for top in range(0, memory.height, size.height)]


def premultiply(image: Image) -> Image:
    """Weigh colour by alpha, so that what is transparent does not bleed into its neighbours when averaged."""
    return image.premultiply().cast(image.format) if image.hasalpha() else image
