"""Photographs for the demo: those among scikit-image's samples that are in the public domain or CC0.

What each may be used for is stated in scikit-image's own documentation of `skimage.data`, function by function.
"""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph: its file in scikit-image, the key it gets, and where its freedom comes from."""

    file: str
    key: str
    rights: str


# The keys are what people's files are called: folders, spaces, a plus, a per cent sign, other scripts.
PHOTOS: Final = (
    Photo("astronaut.png", "people/Eileen Collins.jpg", "NASA, public domain"),
    Photo("camera.png", "people/camera+tripod.jpg", "Lav Varshney, CC0"),
    Photo("chelsea.png", "猫/Chelsea 100% cat.jpg", "Stefan van der Walt, CC0"),
    Photo("coffee.png", "café/coffee.jpg", "Rachel Michetti, CC0"),
    Photo("hubble_deep_field.jpg", "space/hubble/deep field.jpg", "NASA, public domain"),
    Photo("rocket.jpg", "space/rocket.jpg", "SpaceX, public domain"),
    Photo("retina.jpg", "medical/retina.jpg", "Mikael Häggström, CC0"),
    Photo("clock_motion.png", "clock.jpg", "Stefan van der Walt, public domain"),
)


def read_photos() -> Iterator[tuple[Photo, bytes]]:
    """Each photograph as a JPEG, converted where it is a PNG; raises `ConfigError` without the samples."""
    found = importlib.util.find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        raise ConfigError("the demo's photographs come with scikit-image: pip install scikit-image")
    folder = Path(found.submodule_search_locations[0]) / "data"
    for photo in PHOTOS:
        path = folder / photo.file
        if not path.is_file():
            raise ConfigError(f"{path}: missing; this scikit-image has other samples, install version 0.26")
        data = path.read_bytes()
        yield photo, data if photo.file.endswith(".jpg") else _to_jpeg(data)


def _to_jpeg(data: bytes) -> bytes:
    import pyvips

    encoded: bytes = pyvips.Image.new_from_buffer(data, "").jpegsave_buffer(Q=92)
    return encoded
