"""One answer for a reader: the bytes of the source are always let go, and a stored target keeps its headers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from penstock.errors import EventError
from penstock.serving.conditions import conditions_of
from penstock.serving.reading import read_response
from penstock.types import ObjectState

from tests.lake import SOURCE, Lake


class Chunks:
    """The bytes of a source, and whether they were let go."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield self._data

    def close(self) -> None:
        self.is_closed = True


def opened(lake: Lake) -> tuple[ObjectState, Chunks]:
    state = lake.state(SOURCE)
    assert state is not None
    return state, Chunks(lake.store.read(SOURCE))


@pytest.mark.parametrize("stores", [False, True])
def test_headers_and_bytes_are_the_same_made_or_stored(stores: bool) -> None:
    lake = Lake(store_on_read=stores)
    headers = {"cache-control": "max-age=60", "content-language": "de", "content-disposition": "inline"}
    lake.put(b"one", content_type="text/plain", headers=headers)
    source = opened(lake)
    response = read_response(lake.runtime, source, {}, conditions_of({}))
    response.direct_passthrough = False
    assert response.get_data() == b"ONE"
    told = {name: response.headers[name] for name in ("Content-Type", "Content-Length", *(n.title() for n in headers))}
    assert told == {
        "Content-Type": "text/plain",
        "Content-Length": "3",
        "Cache-Control": "max-age=60",
        "Content-Language": "de",
        "Content-Disposition": "inline",
    }
    assert source[1].is_closed


def test_bytes_are_let_go_when_nothing_is_made() -> None:
    lake = Lake()
    lake.put(b"one")
    etag = read_response(lake.runtime, opened(lake), {}, conditions_of({})).headers["ETag"]
    source = opened(lake)
    assert read_response(lake.runtime, source, {}, conditions_of({"If-None-Match": etag})).status_code == 304
    assert source[1].is_closed
    source = opened(lake)
    with pytest.raises(EventError):
        read_response(lake.runtime, source, {"nothing": "1"}, conditions_of({}))
    assert source[1].is_closed


def test_old_version_and_options_are_never_stored() -> None:
    lake = Lake(store_on_read=True)
    lake.put(b"one")
    read_response(lake.runtime, opened(lake), {}, conditions_of({}), is_present=False)
    read_response(lake.runtime, opened(lake), {"times": "2"}, conditions_of({}))
    assert lake.keys() == []
