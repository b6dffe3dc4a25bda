"""Images cut short: not complete, wherever the cut is."""

import pytest

from .samples import describe, image
from .samples.pictures import SQUARE, WHOLE


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_a_whole_image_is_complete(data: bytes, request: pytest.FixtureRequest) -> None:
    document = describe(data)
    assert document["complete"]
    assert document["warnings"] == []
    side = SQUARE.get(request.node.callspec.id)
    assert (document["image"]["width"], document["image"]["height"]) == ((side, side) if side else (40, 30))


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_an_image_cut_anywhere_is_not_complete(data: bytes) -> None:
    for length in {*range(24, len(data) - 1, max(len(data) // 40, 1)), len(data) - 1}:
        document = describe(data[:length])
        if document["kind"] == "image":  # less than a signature is no image yet
            assert not document["complete"], length
            assert document["warnings"], length


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "PNG", "WEBP", "JPEG", "AVIF"])
def test_an_image_cut_behind_its_header_keeps_its_size(kind: str) -> None:
    whole = image(kind, (200, 100))
    document = describe(whole[: len(whole) * 9 // 10])
    assert (document["image"]["width"], document["image"]["height"]) == (200, 100)
    assert not document["complete"]


def test_a_limit_is_not_taken_for_damage() -> None:
    document = describe(image("PNG", (400, 300)), max_scan_bytes=65_536)
    assert document["warnings"] == ["read to byte 65536 only: raise max_scan_bytes to see more"]
    assert document["image"]["width"] == 400
