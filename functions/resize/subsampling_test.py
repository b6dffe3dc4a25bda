"""Colours that are stored coarser than the light: JPEG one way, WebP of odd sides; and JPEG by arithmetic coding."""

import base64
from typing import Any

import pytest
from PIL import Image

from . import picture, webp
from .icc import srgb_profile
from .samples import resize
from .sizes_test import edges, frame, off, opened, resized, saved

# White with an edge of four red pixels, written by libjpeg-turbo's cjpeg with -sample 4x1 (4:1:1) and 1x4. Pillow
# cannot write these, and cannot read arithmetic coding.
WIDE = base64.b64decode(
    """
    /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGB
    YUGBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/wAARCAAi
    AEIDAUEAAhEBAxEB/8QAGQABAQEBAQEAAAAAAAAAAAAAAAgHCQIG/8QAPRAAAQAEBwoLCQAAAAAAAAAAAAIHERMDBAYIFBWlAQUSFhgZVmfT5A
    khJDE4QUeEhbTEFyImMjNEUWFj/8QAGwEAAgIDAQAAAAAAAAAAAAAAAAgGBwMEBQL/xAAxEQABAgMEBwYHAAAAAAAAAAABAAIDBBEFEhMxBhQh
    NFFysQczNXFzsiJBUmGB0eH/2gAMAwEAAhEDEQA/APc2ebPlFYyfEmL9T0b7Gkvnr3+iGCx1+24XUzj3DNnax7C3kZs7WPYW8jNnax7C3kh8Gx
    sWG2JiUqAcuP5TH2h2l6hORpTU72G5za4lK3SRWlw0rTKpTNnax7C3kZs7WPYW8jNnax7C3k+HXZMb9jqsb8yvx1rernPI6qcPHkNBwXzvkmMe
    N5rrWM62nt9iXGl2Jl9v6teX7UdYjMg6lS8QK4nE0+hSuACLq9lcHBndo/hvqi4ACypTd4fKOiSLSHxmc9WJ7ygBh89foySy7l52AM0bu3eRXP
    s7fYPM3qFyvABV6e1XBwZ3aP4b6ouAAsqU3eHyjoki0h8ZnPVie8oAYfPX6Mksu5edgDNG7t3kVz7O32DzN6hcrwAVentVUTG12SLU7jrjffmq
    KxoVF5LDQ7x3SMP6aCTGPEOdjW8XNdKoy11MaZWXHdiMtdTGmVlx3YjLXUxplZcd2JOJe0pWHBYxz9oAGR4eSVm2dCrfm7TmZiDL1Y+I9wN9m0
    FxIO11cuKZa6mNMrLjuxGWupjTKy47sRlrqY0ysuO7EyudDOhVisVRcppPSelNWF+I5RnEWoEagsPAjUEml7ycEijcYigld47vV+TJEtOUcxwD
    /lwP6WnJ6DaQwpmFEfLUAcCfjZkDzKAwAQNNkgABCAAEIAAQv//Z
    """
)
HIGH = base64.b64decode(
    """
    /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGB
    YUGBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/wAARCABC
    ACIDARQAAhEBAxEB/8QAGQABAQEBAQEAAAAAAAAAAAAAAAgHCQIG/8QAPRAAAQAFBAwLCQAAAAAAAAAAAAIDBhETBwgUFQEECRIWOEeEhaW0xA
    UYGSEkMUFWZ9PkFyImMjNEUWFj/8QAGAEBAQEBAQAAAAAAAAAAAAAAAAYHCAX/xAAxEQABAgMDCQcFAAAAAAAAAAABAAIDBBEFEhMGFCExUVJT
    kdEHFRYiVJKTMkFxscH/2gAMAwEAAhEDEQA/APc2ebPxisJPiTB+p6N9jSY0WL/RC9dC/b77sdz7hczso+jd6FzOyj6N3oXM7KPo3eiPsaDDi4
    mI0GlNYrtXR/aXaE5IZnmkZ0O9iVuuLa0uUrQitKmn5TkzvEfUXqS4AClzSX4beQWIeIbZ9ZF+R/VQ/wAmd4j6i9SXAAM0l+G3kE8Q2z6yL8j+
    q5zy2TG/Y7Jjwy1+Gtb1dB6HVUCJEXK1XzxknOiP6rL3O7XlUT18WRssy21QJ6+LI2WZbaoE9fFkbLMttUHm2lLwYcq9zGAHRqA2hW+RVs2nN2
    /LwZiZiPYb1Q57iD5HHSCaa9K5XgAh11MrguZ2UfRu9C5nZR9G70LmdlH0bvR8PMblsYuR3DXC/hmqKxoVF6KuXxIdIv8A6aCTnREOtz383VZK
    ixHtZiXjTV/VhPajLxpjMsFhdTErQE7mxdGADD+OvIx3y1XbvklRjQ94c1hHd07wXe09FuABh/HXkY75art3yRjQ94c07uneC72nok9fFkbLMt
    tUCeviyNlmW2qBPXxZGyzLbVBlc6GdDJjKLIW0zPM801YcMW5RoFrUC2lV/eW0qTS95NUijYciglZ57PZ+Ty7TiMdKPAcPt+wrvIaTmYWUMs+J
    CcAL+kggfQ5QGACDXWSAAIgACIAAiAAIgACL/9k=
    """
)
WIDE_ARITHMETIC = base64.b64decode(
    """
    /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGB
    YUGBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/yQARCAAi
    AEIDAUEAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwDI9iKe0ZB14G45apuwh2jQeMdHt6nzIJaipzhwJ2keDrpDvSUOK+Qs6MWBQb
    E6/DuzVp1HXwEDUp9K/wAthgV+cUKOuN1nx3DhksdiR4fCMLmxGib5vVP3P9Av73/0WY4vSQmWkrnf4NE2xCt2rHAUyEvys6pzuNs0KPYweZqZ
    XyzvP8lVIHf5lUO5/u6gk2lCXX0XcFfDN266Ax/vcKIehSxEbLvK8m2XlqncS9Cz3wEWYlC1uSjgii8NJrYORQ1NZjpVRdNLgDStlQm7OlwLAU
    L4CbGHCG5Fiw42nu+Fne184om4p6TY232O4BjoPyYmBFPYtv3PeP8A/uFImdJu2xVmTN56nXNQp6JQezdvLgphxGZrI0qe+/a27yGuofWCvhFw
    qEJL5wxnyqWgVVU418+n5TYLkXASlXhwjuJib5bZZ+EiqoBpg0u1UXN7ksDUL2kVmkAruZBT+1QcNGtQV5VCw+elYnQGSMvo1jNIv5id9mDTcf
    6C3HQEEv29NU1PjBQsDWVVhhIaiqdANkWmh95TnHYRSFMpb9dhl7dRh9wmoIC3fs3jkK2aOxnZ1bD5BvnhoZPQijipasOhl0mBh8iD/uzfRkN6
    XBteMMe/6a1fMvIq6txVOOLCGugby9BtFDv6IPDsCYWx3+aePQhQhB6ZzwtUvI9gs/cF+iJ/tv/Z
    """
)


@pytest.mark.parametrize("data", [WIDE, HIGH], ids=["4:1:1", "1x4"])
@pytest.mark.parametrize("target", [8, 12, 16, 17, 24, 33])
def test_colours_stored_coarser_one_way_stay_in_their_place(
    data: bytes, target: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only large pictures are shrunk by their decoder. Small ones show an error of a column best.
    monkeypatch.setattr(picture, "SHRINK_FROM_PIXELS", 1)
    made = resized(data, width=target)
    wanted = opened(data).resize(made.size, Image.Resampling.LANCZOS)
    worst, mean = off(made, wanted)
    assert worst <= 40, f"{worst} levels"
    assert mean <= 6, f"{mean} levels"


@pytest.mark.parametrize("width", [1200, 1201, 1202, 1203])
def test_edge_of_a_large_picture_in_422_is_as_red_as_its_others(width: int) -> None:
    data = saved(frame(width, 901, 6), "JPEG", subsampling="4:2:2")
    for target in (200, 300, 600):
        made = resized(data, width=target)
        wanted: Any = edges(opened(data).resize(made.size, Image.Resampling.LANCZOS))
        for found, pixel in zip(edges(made), wanted, strict=True):
            assert all(abs(a - b) <= 24 for a, b in zip(found, pixel, strict=True)), f"{target}: {found} for {pixel}"


@pytest.mark.parametrize("target", [8, 16, 33, 66])
def test_arithmetic_coding_gives_the_picture_of_huffman_coding(target: int) -> None:
    assert resize(WIDE_ARITHMETIC, width=target, format="png").data == resize(WIDE, width=target, format="png").data


@pytest.mark.parametrize("size", [(203, 101), (203, 100), (202, 101), (201, 99), (202, 100)])
@pytest.mark.parametrize("more", [{}, {"exif": Image.Exif().tobytes()}, {"icc_profile": srgb_profile()}])
def test_colours_of_a_webp_of_odd_sides_lie_on_its_light(
    size: tuple[int, int], more: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "SHRINK_FROM_PIXELS", 1)
    drawn = Image.new("RGB", size, (70, 140, 70))
    for left in range(20, size[0], 40):  # other colours of nearly the same light, up to the far corner
        for top in range(20, size[1], 40):
            drawn.paste((220, 70, 70), (left, top, left + 20, top + 20))
    data = saved(drawn, "WEBP", lossless=False, quality=95, **more)
    for target, limit in ((101, 48), (67, 32), (50, 40), (25, 16)):
        made = resized(data, width=target)
        worst, _ = off(made, opened(data).resize(made.size, Image.Resampling.LANCZOS))
        assert worst <= limit, f"{target}: {worst} levels"


@pytest.mark.parametrize("kept", [12, 16, 20, 25, 29])
def test_webp_that_breaks_off_before_its_sides_is_not_widened(kept: int) -> None:
    data = saved(Image.new("RGB", (33, 21)), "WEBP", lossless=False)
    assert webp.widened(data, 4) is not None
    assert webp.widened(data[:kept], 4) is None


def test_webp_is_widened_only_where_colours_would_be_off_and_sides_have_room() -> None:
    for size, lossless in (((32, 22), False), ((33, 21), True), ((16_383, 1), False)):
        assert webp.widened(saved(Image.new("RGB", size), "WEBP", lossless=lossless), 2) is None
    wider = webp.widened(saved(Image.new("RGB", (33, 21)), "WEBP", lossless=False), 4)
    assert wider is not None
    assert opened(wider).size == (36, 24)
