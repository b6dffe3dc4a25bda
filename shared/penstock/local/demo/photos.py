"""Photographs for the demo: eight small ones in the public domain or CC0, which the package has in `pictures/`.

scikit-image ships the same ones, larger. What each may be used for is stated in its documentation of `skimage.data`,
photograph by photograph.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph: its file, the key it gets, and where its freedom comes from."""

    file: str
    key: str
    rights: str


# The keys are what people's files are called: folders, spaces, a plus, a per cent sign, other scripts.
PHOTOS: Final = (
    Photo("astronaut.jpg", "people/Eileen Collins.jpg", "NASA, public domain"),
    Photo("camera.jpg", "people/camera+tripod.jpg", "Lav Varshney, CC0"),
    Photo("chelsea.jpg", "猫/Chelsea 100% cat.jpg", "Stefan van der Walt, CC0"),
    Photo("coffee.jpg", "café/coffee.jpg", "Rachel Michetti, CC0"),
    Photo("hubble_deep_field.jpg", "space/hubble/deep field.jpg", "NASA, public domain"),
    Photo("rocket.jpg", "space/rocket.jpg", "SpaceX, public domain"),
    Photo("retina.jpg", "medical/retina.jpg", "Mikael Häggström, CC0"),
    Photo("clock_motion.jpg", "clock.jpg", "Stefan van der Walt, public domain"),
)


def read_photos() -> Iterator[tuple[Photo, bytes]]:
    """Each photograph, a JPEG."""
    folder = files("penstock.local.demo").joinpath("pictures")
    for photo in PHOTOS:
        yield photo, folder.joinpath(photo.file).read_bytes()
