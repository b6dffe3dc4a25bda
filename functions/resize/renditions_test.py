from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from penstock.testing import Lake, MemoryStore

from . import formats
from .handler import handle
from .samples import in_any_order, photo, quarters, resize, saved


@pytest.mark.long
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_rendition_has_the_same_bytes_alone_and_with_others(kind: str, alpha: bool) -> None:
    data = saved(photo(401, 303, alpha=alpha), kind)
    renditions: dict[str, dict[str, Any]] = {
        "tiny": {"width": 30, "height": 30, "fit": "cover"},
        "thumb": {"width": 90, "format": "webp"},
        "card": {"width": 150, "format": "png"},
        "page": {"width": 350, "format": "jpeg"},
        "whole": {"format": "png"},
        "upright": {"width": 90, "autorotate": False},
    }
    alone = {name: resize(data, **options).data for name, options in renditions.items()}
    for made in in_any_order(data, renditions):
        assert made == alone


@pytest.mark.parametrize("into", tuple(formats.WRITTEN))
def test_same_input_gives_the_same_bytes_also_at_the_same_time(into: str) -> None:
    data = saved(photo(300, 200, alpha=True), "png")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: resize(data, width=100, format=into).data, range(8)))
    assert len(set(made)) == 1


def test_input_is_read_once_for_all_renditions() -> None:
    requests: list[tuple[str, str]] = []
    store = MemoryStore("upload", "processed", on_request=lambda verb, ref: requests.append((verb, ref.bucket)))
    renditions = {"a": {"width": 10}, "b": {"width": 20}}
    lake = Lake(handle, sink="s3://processed/{rendition}/{key}", renditions=renditions, store=store)
    lake.put("rose.jpg", saved(quarters(64, 64), "jpeg"))
    assert requests.count(("GET", "upload")) == 1
    assert set(lake.outputs()) == {"a/rose.jpg", "b/rose.jpg"}
