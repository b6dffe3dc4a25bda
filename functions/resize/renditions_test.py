from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from penstock import Body, Context, Event

from . import formats
from .handler import Options, handle
from .samples import bytes_of, photo, quarters, resize, saved


def event(data: bytes, options: Options) -> Event[Options]:
    return Event("rose.jpg", len(data), "", {}, options, Body.of(data))


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_rendition_has_the_same_bytes_alone_and_with_others(kind: str, alpha: bool) -> None:
    data = saved(photo(401, 303, alpha=alpha), kind)
    renditions = {
        "tiny": Options(width=30, height=30, fit="cover"),
        "thumb": Options(width=90, format="webp"),
        "card": Options(width=150, format="png"),
        "page": Options(width=350, format="jpeg"),
        "whole": Options(format="png"),
        "upright": Options(width=90, autorotate=False),
    }
    alone = {name: bytes_of(handle(event(data, options), Context("resize"))) for name, options in renditions.items()}
    for order in (list(renditions), list(reversed(renditions))):
        memo: dict[Any, Any] = {}
        for name in order:
            context = Context("resize", name, renditions, memo=memo)
            assert bytes_of(handle(event(data, renditions[name]), context)) == alone[name], name


@pytest.mark.parametrize("into", tuple(formats.WRITTEN))
def test_same_input_gives_the_same_bytes_also_at_the_same_time(into: str) -> None:
    data = saved(photo(300, 200, alpha=True), "png")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: bytes_of(resize(data, width=100, format=into)), range(8)))
    assert len(set(made)) == 1


def test_input_is_read_once_for_all_renditions() -> None:
    data, opened = saved(quarters(64, 64), "jpeg"), []

    def chunks() -> list[bytes]:
        opened.append("once")
        return [data]

    renditions = {"a": Options(width=10), "b": Options(width=20)}
    body = Body(chunks)
    memo: dict[Any, Any] = {}
    for name, options in renditions.items():
        handle(Event("rose.jpg", len(data), "", {}, options, body), Context("resize", name, renditions, memo=memo))
    assert opened == ["once"]
