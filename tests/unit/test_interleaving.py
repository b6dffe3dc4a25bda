"""Workers that act on one object in any order, and may die at any request, end at the right state.

Every order is tried (tests/interleaving.py). The second half takes one safeguard out at a time and shows that some
order then ends wrong: without that, the first half would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from penstock import Context, Event, Result, TemporaryError
from penstock.reconcile.engine import reconcile
from penstock.runtime import runtime
from penstock.runtime.agreement import Outcome, Visit
from penstock.runtime.writing import Writing, run_together
from penstock.sinks import BatchSink, Sink
from penstock.sinks.bucket import mark_of
from penstock.sinks.sqlite import SqliteSink
from penstock.store.memory import MemoryStore
from penstock.types import Entry, Mark, ObjectRef, ObjectState

from tests.interleaving import Killed, Worker, World, explore, stop_here
from tests.lake import SOURCE, TARGET, Lake, upper

Act = tuple[str, bytes, str]  # what happens, the bytes, the owner in the metadata


def put(data: bytes, owner: str = "") -> list[Act]:
    """Somebody stores the source; a worker takes the event."""
    return [("put", data, owner), ("agree", b"", "")]


DELETE: list[Act] = [("delete", b"", ""), ("agree", b"", "")]
AGREE: list[Act] = [("agree", b"", "")]

# The first worker takes the event of what is there at the start, while the second lives through what follows.
HISTORIES: dict[str, tuple[list[Act], list[Act], list[Act]]] = {
    "overwrite": (put(b"one")[:1], AGREE, put(b"two")),
    "overwrite of what is there": (put(b"zero"), put(b"one"), put(b"two")),
    "revert to earlier bytes": (put(b"one"), AGREE, [*put(b"two"), *put(b"one")]),
    "revert while the first still works": (put(b"one")[:1], AGREE, [*put(b"two"), *put(b"one")]),
    "delete": (put(b"one")[:1], AGREE, DELETE),
    "delete what is there": (put(b"one"), AGREE, DELETE),
    "delete and store again": (put(b"one"), AGREE, [*DELETE, *put(b"two")]),
    "new metadata, same bytes": (put(b"one", "ann")[:1], AGREE, put(b"one", "bob")),
    "refused, then good": (put(b"bad")[:1], AGREE, put(b"two")),
    "good, then refused": (put(b"one"), AGREE, put(b"bad")),
    "refused, good, refused": (put(b"bad 1")[:1], AGREE, [*put(b"two"), *put(b"bad 2")]),
    "good, refused, good": (put(b"one"), AGREE, [*put(b"bad"), *put(b"two")]),
    "nothing to do, then deleted": (put(b"done")[:1], AGREE, DELETE),
    "refused, then deleted": (put(b"bad"), AGREE, DELETE),
}


_ANY_MARK = Mark("", "upper", "", SOURCE.digest)


class Unconditional(MemoryStore):
    """A store that ignores If-Match and If-None-Match on writes, as every S3 does for multipart uploads."""

    def put(self, ref: ObjectRef, *given: Any, **how: Any) -> ObjectState:
        return super().put(ref, *given, **{**how, "if_etag": None, "if_absent": False})


class Field:
    """Makes worlds of one history: a fresh store, two workers, the sink under test."""

    def __init__(
        self,
        history: str,
        make_store: Callable[..., MemoryStore],
        index: SqliteSink | None = None,
        *,
        foreign: bool = False,
        in_a_batch: bool = False,
    ) -> None:
        self.start, *self.scripts = HISTORIES[history]
        if foreign:
            self.scripts.append([("foreign", b"foreign", "")])
        self._index = index
        self._in_a_batch = in_a_batch
        self._versions: dict[str | None, int] = {}
        store = make_store("upload", "processed")
        if index is None:
            self.lake = Lake(store=store, remove_with_source=True)
        else:
            self.lake = Lake(describe, store=store, sink=_SteppedSink(index))

    def __call__(self) -> World:
        store = self.lake.store
        store._buckets = {"upload": {}, "processed": {}}
        store._versions = store._versions and count(1)  # the same in each run, or no state would be seen twice
        self._versions.clear()
        if self._index is not None and (left := self.entry()) is not None:
            self._index.remove(left.address, _ANY_MARK, left)
        store.on_request = lambda _verb, _ref: None
        for act in self.start:
            self._do(act)
        workers = [Worker(partial(self._play, script)) for script in self.scripts]
        store.on_request = lambda verb, ref: stop_here((verb, ref))
        return World(workers, self.objects, self._answer, _is_write, _begins_a_round, _is_refusal)

    def _play(self, script: Sequence[Act], worker: Worker) -> None:
        for number, act in enumerate(script):
            worker.act = number
            while True:
                worker.forget()
                try:
                    self._do(act)
                    break
                except (TemporaryError, Killed):
                    continue  # not acknowledged, so it is delivered again
        worker.forget()

    def _do(self, act: Act) -> None:
        kind, data, owner = act
        if kind == "put":
            self.lake.store.put(SOURCE, [data], content_type="text/plain", metadata={"owner": owner})
        elif kind == "foreign":
            self.lake.store.put(TARGET, [data])
        elif kind == "delete":
            self.lake.store.delete(SOURCE)
        elif self._in_a_batch:
            sink = cast("BatchSink", self.lake.runtime.parts.sink)
            [ended] = run_together([self.lake.runtime._work(SOURCE, self.lake.store, sink)], sink)
            if isinstance(ended, Exception):
                raise ended
        else:
            self.lake.agree()

    def _answer(self, request: Hashable) -> Hashable:
        if not isinstance(request, tuple):
            return None
        _verb, ref = request
        return self._document() if ref == "sink" else _look(self.lake.store, ref)

    def objects(self) -> Hashable:
        store = self.lake.store
        held = [(key, _look(store, ObjectRef("processed", key))) for key in sorted(store._buckets["processed"])]
        return _look(store, SOURCE), tuple(held), self._document()

    def _document(self) -> Hashable:
        if self._index is None:
            return None
        entry = self.entry()
        # Versions are random; in which order they came tells whether somebody wrote in between.
        return entry and (entry.mark, entry.refusal, self._versions.setdefault(entry.etag, len(self._versions)))

    def entry(self) -> Entry | None:
        """What the index holds now."""
        assert self._index is not None
        return self._index.read(self._index.address(SOURCE, None), _ANY_MARK)

    def is_right(self, *, but_for_refusals: bool = False) -> bool:
        """Whether exactly that is there which the source's last state asks for.

        `but_for_refusals` lets one of an earlier state be left too.
        """
        store = self.lake.store
        source = store._buckets["upload"].get(SOURCE.key)
        good = source is not None and not source[1].startswith((b"bad", b"done"))
        token = source[0].token if source else None
        if self._index is not None:
            entry = self.entry()
            if entry is None or entry.mark is None:
                return source is None and entry is None
            return entry.mark.state == token and (entry.refusal is None) == good
        held = dict(store._buckets["processed"])
        if but_for_refusals:
            for key in list(held):
                if key.startswith(".penstock/") and (good or source is None or _state_of(held, key) != token):
                    del held[key]
        if source is None:
            return not held
        if not good:
            return [_state_of(held, key) for key in held] == [token] and TARGET.key not in held
        return (
            list(held) == [TARGET.key]
            and _state_of(held, TARGET.key) == token
            and store.read(TARGET) == source[1].upper()
        )


class _SteppedSink:
    """An index as the workers see it: they stop ahead of each call."""

    removes_with_source = True

    def __init__(self, inner: Sink) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        if name not in ("read", "read_many", "write", "write_many", "refuse", "remove"):
            return call

        def stepped(*given: Any) -> Any:
            stop_here((name, "sink"))
            return call(*given)

        return stepped


def describe(event: Event[Any], context: Context[Any]) -> Result:
    """As `upper`, for an index: the result is a document."""
    return Result({"text": str(upper(event, context).body)})


_WRITES = frozenset({"PUT", "DELETE", "write", "write_many", "refuse", "remove"})


def _is_write(request: Hashable) -> bool:
    return isinstance(request, tuple) and request[0] in _WRITES


def _is_refusal(request: Hashable) -> bool:
    """What a visit remembers from one round to the next: that it recorded a refusal."""
    if not isinstance(request, tuple):
        return False
    verb, ref = request
    return verb == "refuse" or (verb == "PUT" and isinstance(ref, ObjectRef) and ref.key.startswith(".penstock/"))


def _begins_a_round(request: Hashable) -> bool:
    return request in (("HEAD", TARGET), ("read", "sink"), ("read_many", "sink"))


def _look(store: MemoryStore, ref: ObjectRef) -> Hashable:
    found = store._buckets[ref.bucket].get(ref.key)
    if found is None:
        return None
    state = found[0]
    # A refusal's bytes hold the time, which says nothing.
    etag = "" if ref.key.startswith(".penstock/") else state.etag
    return etag, state.version_id, tuple(sorted(state.metadata.items()))


def _state_of(held: dict[str, tuple[ObjectState, bytes]], key: str) -> str | None:
    mark = mark_of(held[key][0])
    return mark.state if mark else None


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SqliteSink]:
    """An index in memory where there is such a file system: it is durable, which takes time and is not the point."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield SqliteSink(Path(folder) / "index.db", "upper")


# The longest of them: both workers refuse, so there are ten times as many orders.
LONG = "refused, good, refused"
ENDS_WRONG = "\n".join


@pytest.mark.parametrize("history", HISTORIES)
def test_two_workers_in_any_order_make_the_target_agree(history: str) -> None:
    field = Field(history, MemoryStore)
    for world in explore(field):
        assert field.is_right(), ENDS_WRONG(world.path)


@pytest.mark.parametrize("history", HISTORIES)
def test_two_workers_that_may_die_and_a_store_without_conditions_make_the_target_agree(history: str) -> None:
    field = Field(history, Unconditional)
    for world in explore(field, max_kills=0 if history == LONG else 1):
        # A worker that died may have left the refusal of a state that is gone; that much is left to reconcile.
        assert field.is_right(but_for_refusals=True), ENDS_WRONG(world.path)
        if not field.is_right():
            field.lake.store.on_request = lambda _verb, _ref: None
            assert reconcile(field.lake.runtime).done == {"forgotten": 1}
        assert field.is_right(), ENDS_WRONG(world.path)


@pytest.mark.parametrize("history", ["overwrite", "revert to earlier bytes", "delete", "new metadata, same bytes"])
def test_two_workers_in_a_versioned_bucket_make_the_target_agree(history: str) -> None:
    field = Field(history, lambda *buckets: MemoryStore(*buckets, versioned=True))
    for world in explore(field):
        assert field.is_right(), ENDS_WRONG(world.path)


@pytest.mark.parametrize("in_a_batch", [False, True], ids=["alone", "in a batch"])
@pytest.mark.parametrize(
    "history",
    [
        "overwrite",
        "revert to earlier bytes",
        "delete",
        "delete and store again",
        "new metadata, same bytes",
        "refused, then good",
        "good, then refused",
        "refused, then deleted",
    ],
)
def test_two_workers_that_may_die_in_any_order_make_the_index_agree(
    history: str, in_a_batch: bool, index: SqliteSink
) -> None:
    field = Field(history, MemoryStore, index, in_a_batch=in_a_batch)
    for world in explore(field, max_kills=1):
        assert field.is_right(), ENDS_WRONG(world.path)


def test_target_put_by_somebody_else_at_any_moment_survives_two_workers() -> None:
    field = Field("overwrite", MemoryStore, foreign=True)
    ends = 0
    for world in explore(field):
        ends += 1
        field.lake.agree()  # a redelivery: nothing announces a target that somebody else wrote
        assert field.lake.store.read(TARGET) == b"foreign", ENDS_WRONG(world.path)
        assert len(field.lake.refusals()) == 1
    assert ends > 3


# One safeguard taken out at a time


def some_order_ends_wrong(field: Field, *, max_kills: int = 0) -> bool:
    return any(not field.is_right() for _ in explore(field, max_kills=max_kills))


@pytest.mark.parametrize(
    ("history", "make_store"),
    [
        ("overwrite", Unconditional),
        ("revert to earlier bytes", MemoryStore),
        ("revert to earlier bytes", Unconditional),
        ("delete", MemoryStore),
        ("delete and store again", MemoryStore),
        ("new metadata, same bytes", Unconditional),
        ("refused, then good", MemoryStore),
        ("refused, good, refused", MemoryStore),
        ("good, refused, good", MemoryStore),
        ("nothing to do, then deleted", MemoryStore),
    ],
)
def test_without_the_look_after_the_write_some_order_ends_wrong(
    history: str, make_store: type[MemoryStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_same", lambda _now, _then: True)
    assert some_order_ends_wrong(Field(history, make_store))


@pytest.mark.parametrize("in_a_batch", [False, True], ids=["alone", "in a batch"])
def test_without_the_look_after_the_write_some_order_ends_wrong_in_an_index(
    index: SqliteSink, in_a_batch: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_same", lambda _now, _then: True)
    assert some_order_ends_wrong(Field("delete", MemoryStore, index, in_a_batch=in_a_batch))


def test_without_taking_its_own_refusal_back_a_worker_that_is_overtaken_leaves_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Visit, "_take_back", lambda _visit, _name: None)
    assert some_order_ends_wrong(Field("refused, then good", MemoryStore))


def test_without_the_look_after_the_removal_of_a_refusal_some_order_ends_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(Visit):
        ran = False

        def once(self) -> Writing[Outcome]:
            self.ran = False
            outcome = yield from super().once()
            if outcome.kind == "processed" and not self.ran:
                self.wrote = False  # nothing was made: all that it wrote was to remove a refusal
            return outcome

        def _run(self, *given: Any) -> Writing[dict[str | None, Entry]]:
            self.ran = True
            return super()._run(*given)

    monkeypatch.setattr(runtime, "Visit", Careless)
    assert some_order_ends_wrong(Field("refused, good, refused", Unconditional))
