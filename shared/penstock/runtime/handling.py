"""What a handler is given, and its result as a sink may take it."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from penstock.errors import SourceChanged
from penstock.runtime.agreement import is_same
from penstock.runtime.assets import AssetCache, Assets
from penstock.store import Store
from penstock.streams import Body, as_chunks, close_quietly
from penstock.types import Context, Event, ObjectState, Result


def context_for(assets: Assets, cache: AssetCache, rendition: str | None, memo: dict[Hashable, Any]) -> Context[Any]:
    """What a handler may know when it makes one rendition; `memo` is shared by all renditions of one input."""
    function = assets.function
    named = {str(name): options for name, options in function.renditions.items() if name is not None}
    read = assets.reader(rendition, cache)
    if read is None:
        return Context(function.name, rendition, named, memo=memo)
    return Context(function.name, rendition, named, memo=memo, asset=read)


def event_for(source: ObjectState, options: Any, body: Body) -> Event[Any]:
    """The event for an object: its name is the last part of the key.

    The handler may change its metadata: other renditions, and the look at the source after the write, have their own.
    """
    name = source.ref.key.rpartition("/")[2]
    encoding = source.headers.get("content-encoding", "").lower()
    return Event(name, source.size, source.content_type, dict(source.metadata), options, body, encoding)


def body_of(store: Store, source: ObjectState, opened: Iterable[bytes] | None, max_bytes: int) -> Body:
    """The bytes of exactly this state: those that are `opened`, or fetched when they are first read.

    Reading raises `SourceChanged` when the object is in another state by then.
    """
    ref = source.ref

    def get() -> Iterable[bytes]:
        if opened is not None:
            return opened
        found = store.open(ref, if_etag=source.etag)
        if found is None:
            raise SourceChanged(f"{ref}: removed before it was read")
        # The ETag covers the bytes only; new metadata on the same bytes is a new state too.
        if not is_same(found[0], source):
            close_quietly(found[1])
            raise SourceChanged(f"{ref}: changed before it was read")
        return found[1]

    return Body(get, max_bytes=max_bytes, name=str(ref))


def checked(result: Result, body: Body) -> Result:
    """The result. Its body raises if reading the input failed, at the latest at its own end."""
    if body.failure is not None:
        raise body.failure
    made = result.body
    if isinstance(made, bytes | Mapping):
        return result

    def chunks() -> Iterator[bytes]:
        yield from as_chunks(made)
        if body.failure is not None:
            raise body.failure

    return replace(result, body=chunks())
