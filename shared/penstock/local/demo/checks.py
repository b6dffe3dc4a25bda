"""Reads back what the functions made and compares it with what went in."""

import hashlib
import json
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from penstock.store import Store
from penstock.streams import close_quietly
from penstock.types import ObjectRef

_GZIP: Final = 31  # zlib's number for a gzip stream with the largest window


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What went in: where, how large, its SHA-256, and for a photograph its width and height."""

    ref: ObjectRef
    size: int
    sha256: str
    pixels: tuple[int, int] | None = None


class CheckFailed(Exception):
    """An output is missing or is not what it should be."""


def check_gunzips_to(store: Store, target: ObjectRef, source: Uploaded) -> str:
    """The target must be one gzip stream that unpacks to the source; returns what was seen."""
    digest, size = hashlib.sha256(), 0
    unpack = zlib.decompressobj(_GZIP)
    try:
        for chunk in _chunks(store, target):
            data = unpack.decompress(chunk)
            digest.update(data)
            size += len(data)
    except zlib.error as exc:
        raise CheckFailed(f"{target}: is not gzip: {exc}") from exc
    if not unpack.eof:
        raise CheckFailed(f"{target}: the gzip stream ends early")
    if (size, digest.hexdigest()) != (source.size, source.sha256):
        raise CheckFailed(f"{target}: unpacks to {size} bytes that are not the {source.size} of {source.ref}")
    return f"unpacks to the same {size:,} bytes"


def check_image(store: Store, target: ObjectRef, source: Uploaded, options: Mapping[str, str]) -> str:
    """The target must decode, all of it, at the size that the options ask for; returns what was seen."""
    import pyvips

    data = b"".join(_chunks(store, target))
    try:
        image = pyvips.Image.new_from_buffer(data, "", fail_on="truncated")
        image.avg()  # decodes every pixel
    except pyvips.Error as exc:
        raise CheckFailed(f"{target}: does not decode: {str(exc).strip()}") from exc
    expected = asked_size(source.pixels or (0, 0), options)
    seen = (image.width, image.height)
    if any(abs(got - wanted) > 1 for got, wanted in zip(seen, expected, strict=True)):
        raise CheckFailed(f"{target}: is {_by(seen)} and should be {_by(expected)}")
    return f"decodes at {_by(seen)}, from {_by(source.pixels or (0, 0))}"


def check_indexed(gateway: str, function: str, store: Store, target: ObjectRef) -> str:
    """The index must have a document about the target as it is now; returns what was seen."""
    state = store.stat(target)
    query = urlencode({"bucket": target.bucket, "key": target.key})
    try:
        with urllib.request.urlopen(f"{gateway}/function/{function}/?{query}", timeout=60) as response:  # noqa: S310
            document: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as exc:
        raise CheckFailed(f"{target}: {function} answers {exc.code}: {exc.read(300).decode(errors='replace')}") from exc
    if state is None or (document.get("etag"), document.get("size")) != (state.etag, state.size):
        raise CheckFailed(f"{target}: {function} describes another state: {json.dumps(document)[:300]}")
    return "found by its key"


def asked_size(pixels: tuple[int, int], options: Mapping[str, str]) -> tuple[int, int]:
    """Width and height that fit into the asked box with the source's proportions; never larger than the source.

    >>> asked_size((1000, 500), {"width": "800"})
    (800, 400)
    >>> asked_size((100, 50), {"width": "800"})
    (100, 50)
    """
    width, height = pixels
    scales = [1.0]
    if options.get("width"):
        scales.append(int(options["width"]) / width)
    if options.get("height"):
        scales.append(int(options["height"]) / height)
    return round(width * min(scales)), round(height * min(scales))


def pixels_of(data: bytes) -> tuple[int, int]:
    """Width and height from an image's header."""
    import pyvips

    image = pyvips.Image.new_from_buffer(data, "")
    return image.width, image.height


def _chunks(store: Store, ref: ObjectRef) -> Any:
    found = store.open(ref)
    if found is None:
        raise CheckFailed(f"{ref}: is not there")
    try:
        yield from found[1]
    finally:
        close_quietly(found[1])


def _by(pixels: tuple[int, int]) -> str:
    return f"{pixels[0]} x {pixels[1]}"
