"""JPEG whose picture or end is not all there (ISO/IEC 10918-1, B.2.1: the marker EOI ends the picture)."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from penstock import PermanentError
from PIL import Image

from .samples import photo, resize, saved

_END = b"\xff\xd9"


def jpeg(width: int = 200, height: int = 150) -> bytes:
    return saved(photo(width, height), "jpeg", Q=90)


def scan_of(data: bytes) -> int:
    return data.index(b"\xff\xda") + 14  # of three components


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [(200, 150), (1200, 900)])
def test_zeros_in_place_of_the_end_are_damage(part: float, size: tuple[int, int]) -> None:
    data = jpeg(*size)
    at = scan_of(data) + int((len(data) - 2 - scan_of(data)) * part)
    for width in (20, 199):
        with pytest.raises(PermanentError, match=r"^rose\.jpg: the JPEG is damaged: its end is missing"):
            resize(data[:at] + bytes(max(100, len(data) - at)), width=width)


def test_bytes_behind_the_end_are_ignored() -> None:
    data = jpeg()
    made = [resize(data + more, format="png").data for more in (b"", bytes(500), b"more" * 99)]
    assert made[0] == made[1] == made[2]
    assert Image.open(io.BytesIO(made[0])).size == (200, 150)


@pytest.mark.parametrize("size", [(200, 150), (1200, 900)])
def test_picture_that_ends_before_its_end_marker_is_damage(size: tuple[int, int]) -> None:
    data = jpeg(*size)
    half = data[: (scan_of(data) + len(data)) // 2] + b"\xff\xd9"
    for whole in (half, half + data):
        for width in (20, 199):
            with pytest.raises(PermanentError, match=r"^rose\.jpg: the JPEG is damaged: its data end before"):
                resize(whole, width=width)


def test_stray_bytes_before_the_end_marker_are_ignored() -> None:
    data = jpeg()
    made = [resize(data[:-2] + more + data[-2:], format="png").data for more in (b"", bytes(40))]
    assert made[0] == made[1]


@pytest.mark.parametrize("stray", [b"\0\1\2", bytes(500)])
def test_stray_bytes_in_the_header_do_not_hide_an_early_end(stray: bytes) -> None:
    """libjpeg warns once: of the stray bytes."""
    data = jpeg()
    scan = data.index(b"\xff\xda")
    whole = data[:scan] + stray + data[scan:]
    assert resize(whole, format="png").data == resize(data, format="png").data
    for end in ((scan + len(data)) // 2, len(data) - 60):
        with pytest.raises(PermanentError, match=r"^rose\.jpg: the JPEG is damaged: its data end before"):
            resize(data[:scan] + stray + data[scan:end] + _END, format="png")


@pytest.mark.long
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "grey", "CMYK"])
def test_picture_that_ends_within_its_last_lines_is_damage(subsampling: str) -> None:
    """No line follows before which libvips would look for a warning."""
    mode = {"grey": "L", "CMYK": "CMYK"}.get(subsampling, "RGB")
    for width, height in ((160, 8), (160, 150), (544, 484)):
        picture = Image.effect_noise((width, height), 60).convert(mode)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=90, **({"subsampling": subsampling} if mode == "RGB" else {}))
        data = file.getvalue()
        for wide in (20, None):
            assert resize(data, format="png", width=wide).data
            for missing in (20, 100):
                with pytest.raises(PermanentError, match=r"^rose\.jpg: the JPEG is damaged: its data end before"):
                    resize(data[: -2 - missing] + _END, format="png", width=wide)


@pytest.mark.long
def test_pictures_of_other_threads_do_not_hide_an_early_end() -> None:
    """The list of messages is one for all threads: each takes from it what another has not seen yet."""
    file = io.BytesIO()
    Image.effect_noise((160, 150), 60).convert("RGB").save(file, "JPEG", quality=90)
    whole = file.getvalue()
    cut = whole[:-60] + _END

    def is_refused(data: bytes) -> bool:
        try:
            resize(data, format="png")
        except PermanentError:
            return True
        return False

    with ThreadPoolExecutor(4) as threads:
        refused = list(threads.map(is_refused, (whole, cut) * 100))
    assert refused == [False, True] * 100
