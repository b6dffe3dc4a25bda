"""Rule 5: a failure leaves no half result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from penstock import Context, Event, Result, TemporaryError, UnsupportedInput
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef

from tests.lake import Lake

MakeLake = Callable[..., Lake]
FOREIGN = "remove it, or take it over with `penstock reconcile upper --adopt`"


def test_failed_transform_leaves_no_object(make_lake: MakeLake) -> None:
    def broken(event: Event[Any], _context: Context[Any]) -> Result:
        def chunks() -> Iterator[bytes]:
            yield event.body.read()
            raise RuntimeError("half way")

        return Result(chunks())

    lake = make_lake(broken)
    lake.put(b"one")
    with pytest.raises(RuntimeError, match="half way"):
        lake.agree()
    assert lake.keys() == []


def test_failed_transform_keeps_the_old_target(make_lake: MakeLake) -> None:
    def broken(event: Event[Any], _context: Context[Any]) -> Result:
        data = event.body.read()
        if data == b"two":
            raise TemporaryError("later", retry_after=7)
        return Result(data)

    lake = make_lake(broken)
    lake.put(b"one")
    lake.agree()
    lake.put(b"two")
    with pytest.raises(TemporaryError, match="later"):
        lake.agree()
    assert lake.read() == b"one"
    assert lake.refusals() == []


def test_refusal_in_the_middle_of_the_result_leaves_no_object(make_lake: MakeLake) -> None:
    def late(event: Event[Any], _context: Context[Any]) -> Result:
        def chunks() -> Iterator[bytes]:
            yield event.body.read()
            raise UnsupportedInput("the second half is no good")

        return Result(chunks())

    lake = make_lake(late)
    lake.put(b"one")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status) == ("refused", 415)
    assert lake.read() is None


def _breaking_store(at: int) -> MemoryStore:
    """A store whose source connection breaks after `at` bytes, as `S3ObjectStore` reports it."""

    class Breaking(MemoryStore):
        broken = True

        def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> Any:
            found = super().open(ref, if_etag=if_etag)
            if found is None or ref.bucket != "upload" or not self.broken:
                return found
            state, chunks = found

            def cut() -> Iterator[bytes]:
                yield b"".join(chunks)[:at]
                raise TemporaryError(f"{ref}: the connection broke while it was read")

            return state, cut()

    return Breaking("upload", "processed")


def test_handler_that_takes_a_broken_connection_for_bad_input_refuses_nothing(make_lake: MakeLake) -> None:
    def decoder(event: Event[Any], _context: Context[Any]) -> Result:
        try:
            return Result(event.body.read())
        except Exception as exc:
            raise UnsupportedInput(f"{event.name}: truncated") from exc

    lake = make_lake(decoder, store=_breaking_store(2))
    lake.put(b"good bytes")
    with pytest.raises(TemporaryError, match="the connection broke"):
        lake.agree()
    assert lake.keys() == []


def test_handler_that_overlooks_a_broken_connection_writes_no_half_result(make_lake: MakeLake) -> None:
    def lenient(event: Event[Any], _context: Context[Any]) -> Result:
        try:
            event.body.peek(100)
        except TemporaryError:
            return Result(b"only the beginning")
        return Result(b"all")

    lake = make_lake(lenient, store=_breaking_store(2))
    lake.put(b"good bytes")
    with pytest.raises(TemporaryError, match="the connection broke"):
        lake.agree()
    assert lake.keys() == []


def test_lazy_result_that_overlooks_a_broken_connection_is_not_stored(make_lake: MakeLake) -> None:
    def lenient(event: Event[Any], _context: Context[Any]) -> Result:
        def chunks() -> Iterator[bytes]:
            try:
                yield from event.body
            except TemporaryError:
                yield b"?"

        return Result(chunks())

    lake = make_lake(lenient, store=_breaking_store(2))
    lake.put(b"good bytes")
    with pytest.raises(TemporaryError, match="the connection broke"):
        lake.agree()
    assert lake.keys() == []


def test_second_rendition_never_works_on_what_a_broken_connection_left(make_lake: MakeLake) -> None:
    def lenient(event: Event[Any], _context: Context[Any]) -> Result:
        try:
            return Result(event.body.read())
        except TemporaryError:
            return Result(b"?")

    lake = make_lake(
        lenient,
        store=_breaking_store(2),
        sink="s3://processed/{rendition}/{key}",
        renditions={"one": {}, "two": {}},
    )
    lake.put(b"good bytes")
    with pytest.raises(TemporaryError, match="the connection broke"):
        lake.agree()
    assert lake.keys() == []
