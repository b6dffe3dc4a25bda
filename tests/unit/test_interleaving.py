"""Workers that act on one object in any order, and may die at any request, end at the right state.

Every order is tried (tests/interleaving.py), with the object alone and in a batch with another one. The second half
takes one safeguard out at a time and shows that some order then ends wrong: without that, the first half would prove
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from penstock import Context, Event, Result, TemporaryError
from penstock.errors import PermanentError, TargetChanged
from penstock.reconcile.engine import reconcile
from penstock.runtime import runtime, work
from penstock.runtime.work import Work
from penstock.sinks import Sink
from penstock.sinks.bucket import mark_of
from penstock.sinks.sqlite import SqliteSink
from penstock.store.memory import MemoryStore
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Write

from tests.interleaving import Killed, Worker, World, explore, stop_here
from tests.lake import SOURCE, TARGET, Lake, upper
from tests.sink_contract import read

Act = tuple[str, bytes, str]  # what happens, the bytes, the owner in the metadata


def put(data: bytes, owner: str = "") -> list[Act]:
    """The source is stored; a worker takes the event."""
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


OTHER = ObjectRef("upload", "b.txt")


class Unconditional(MemoryStore):
    """A store that ignores If-Match and If-None-Match on writes, and looks some time before it deletes.

    That is what is left of the conditions with S3 for uploads in parts (ADR 16) and for deletes (ADR 24).
    """

    def put(self, ref: ObjectRef, *given: Any, **how: Any) -> ObjectState:
        return super().put(ref, *given, **{**how, "if_etag": None, "if_absent": False})

    def delete(self, ref: ObjectRef, *, if_still: Callable[[ObjectState], bool] | None = None) -> None:
        if if_still is not None:
            found = self.head(ref)
            if found is None:
                return
            if not if_still(found):
                raise TargetChanged(f"{ref}: another program wrote it meanwhile")
        super().delete(ref)


class Field:
    """Makes worlds of one history: a fresh store, two workers, the sink under test."""

    def __init__(
        self,
        history: str,
        make_store: Callable[..., MemoryStore],
        index: SqliteSink | None = None,
        *,
        foreign: bool = False,
        other: bytes | None = None,
    ) -> None:
        self.start, *self.scripts = HISTORIES[history]
        if foreign:
            self.scripts.append([("foreign", b"foreign", "")])
        self._index = index
        self._other = other  # what is in the object that is in one batch with the source; None: the source is alone
        self._versions: dict[tuple[ObjectRef, str | None], int] = {}
        self._entries: dict[ObjectRef, Entry | None] = {}  # what was read of the index since it was last written
        store = make_store("upload", "processed")
        if index is None:
            self.lake = Lake(store=store, remove_with_source=True)
        else:
            self.lake = Lake(describe, store=store, sink=_SteppedSink(index, self._note_write))

    def __call__(self) -> World:
        store = self.lake.store
        store.buckets = {"upload": {}, "processed": {}}
        store.versions = store.versions and count(1)  # the same in each run, or no state would be seen twice
        self._versions.clear()
        self._entries.clear()
        store.on_request = lambda _verb, _ref: None
        for ref in (SOURCE, OTHER):
            if self._index is not None and (left := self.entry(ref)) is not None:
                self._index.remove(left.address, _mark(ref), left)
                del self._entries[ref]
        if self._other is not None:
            store.put(OTHER, [self._other])
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
        elif self._other is not None:
            for ended in self.lake.runtime.agree_all([OTHER, SOURCE]):
                if isinstance(ended, Exception) and not isinstance(ended, ZeroDivisionError):
                    raise ended
        else:
            self.lake.agree()

    def _answer(self, request: Hashable) -> Hashable:
        if not isinstance(request, tuple):
            return None
        _verb, ref = request
        return self._documents() if ref == "sink" else _look(self.lake.store, ref)

    def objects(self) -> Hashable:
        store = self.lake.store
        held = [(key, _look(store, ObjectRef("processed", key))) for key in sorted(store.buckets["processed"])]
        return _look(store, SOURCE), tuple(held), self._documents()

    def _note_write(self) -> None:
        self._entries.clear()
        self._documents()

    def _documents(self) -> Hashable:
        if self._index is None:
            return None
        return tuple(self._document(ref) for ref in (SOURCE, OTHER))

    def _document(self, ref: ObjectRef) -> Hashable:
        entry = self.entry(ref)
        if entry is None:
            return None
        # Versions are random; the order in which they came tells whether another worker wrote in between. Each write is
        # followed by a look, so the numbers are the same in each run of the same path.
        version = self._versions.setdefault((ref, entry.etag), len(self._versions))
        return entry.mark, entry.refusal, version

    def entry(self, ref: ObjectRef = SOURCE) -> Entry | None:
        """What the index holds now."""
        if ref not in self._entries:
            assert self._index is not None
            self._entries[ref] = read(self._index, self._index.address(ref, None), _mark(ref))
        return self._entries[ref]

    def is_right(self, *, but_for_refusals: bool = False) -> bool:
        """Whether exactly that is there which the source's last state asks for.

        `but_for_refusals` lets one of an earlier state be left too.
        """
        store = self.lake.store
        source = store.buckets["upload"].get(SOURCE.key)
        good = source is not None and not source[1].startswith((b"bad", b"done"))
        token = source[0].token if source else None
        if self._index is not None:
            entry = self.entry()
            if entry is None or entry.mark is None:
                return source is None and entry is None and self._other_is_right()
            return entry.mark.state == token and (entry.refusal is None) == good and self._other_is_right()
        held = dict(store.buckets["processed"])
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

    def _other_is_right(self) -> bool:
        """Whether the object that is in one batch with the source ended for itself."""
        entry = self.entry(OTHER)
        if self._other in (None, b"crash"):
            return entry is None
        state = self.lake.store.buckets["upload"][OTHER.key][0]
        is_refused = self._other == b"half"
        return (
            entry is not None
            and entry.mark is not None
            and entry.mark.state == state.token
            and ((entry.refusal is not None) == is_refused)
        )


class _SteppedSink:
    """An index as the workers see it: they stop ahead of each call. `look` is called after each write."""

    removes_with_source = True
    batch_size = SqliteSink.batch_size

    def __init__(self, inner: Sink, look: Callable[[], Any]) -> None:
        self._inner = inner
        self._look = look

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        if name not in ("read_many", "write_many", "refuse", "remove"):
            return call

        def stepped(*given: Any) -> Any:
            stop_here((name, "sink"))
            try:
                return call(*given)
            finally:
                if name in _WRITES:
                    self._look()

        return stepped


REFUSED = {"text": "of a kind that the index does not take"}


class _PickySink(SqliteSink):
    """Refuses one document, as a search server does when a field is of another type than before."""

    def write_many(self, writes: Sequence[Write]) -> list[Any]:
        outcomes = iter(super().write_many([each for each in writes if each.result.body != REFUSED]))
        return [PermanentError("refused") if each.result.body == REFUSED else next(outcomes) for each in writes]


def describe(event: Event[Any], context: Context[Any]) -> Result:
    """As `upper`, for an index: the result is a document."""
    if event.body.peek(5) == b"crash":
        raise ZeroDivisionError
    if event.body.peek(4) == b"half":
        return Result(REFUSED)
    return Result({"text": str(upper(event, context).body)})


_WRITES = frozenset({"PUT", "DELETE", "write_many", "refuse", "remove"})


def _mark(ref: ObjectRef) -> Mark:
    return Mark("", "upper", "", ref.digest)


def _is_write(request: Hashable) -> bool:
    return isinstance(request, tuple) and request[0] in _WRITES


def _is_refusal(request: Hashable) -> bool:
    """What a visit remembers from one round to the next: that it recorded a refusal."""
    if not isinstance(request, tuple):
        return False
    verb, ref = request
    return verb == "refuse" or (verb == "PUT" and isinstance(ref, ObjectRef) and ref.key.startswith(".penstock/"))


def _begins_a_round(request: Hashable) -> bool:
    return request in (("HEAD", TARGET), ("read_many", "sink"))


def _look(store: MemoryStore, ref: ObjectRef) -> Hashable:
    found = store.buckets[ref.bucket].get(ref.key)
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
        yield _PickySink(Path(folder) / "index.db", "upper")


# The longest of them: both workers refuse, so there are ten times as many orders.
LONG = "refused, good, refused"
ENDS_WRONG = "\n".join


@pytest.mark.parametrize("history", HISTORIES)
def test_two_workers_in_any_order_make_the_target_agree(history: str) -> None:
    field = Field(history, MemoryStore)
    for world in explore(field):
        assert field.is_right(), ENDS_WRONG(world.path)


@pytest.mark.long
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


# The source alone, or in one batch with an object that is described, that crashes the handler, or whose document the
# index refuses.
OTHERS = {"alone": None, "in a batch": b"other", "beside a crash": b"crash", "beside a refused document": b"half"}


@pytest.mark.long
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
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
    history: str, other: bytes | None, index: SqliteSink
) -> None:
    field = Field(history, MemoryStore, index, other=other)
    # In a batch there are ten times as many orders, so not every history has a death in it.
    may_die = other is None or (other != b"half" and history in ("overwrite", "delete"))
    for world in explore(field, max_kills=1 if may_die else 0):
        assert field.is_right(), ENDS_WRONG(world.path)


@pytest.mark.long
@pytest.mark.parametrize("history", ["overwrite", "good, then refused", "delete what is there"])
def test_target_put_by_another_program_at_any_moment_survives_two_workers(history: str) -> None:
    field = Field(history, MemoryStore, foreign=True)
    ends = 0
    for world in explore(field):
        ends += 1
        field.lake.agree()  # a redelivery: nothing announces a target that another program wrote
        assert field.lake.store.read(TARGET) == b"foreign", ENDS_WRONG(world.path)
        assert len(field.lake.refusals()) == (0 if history == "delete what is there" else 1)
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
        ("delete and store again", Unconditional),
        ("new metadata, same bytes", Unconditional),
        ("refused, then good", MemoryStore),
        ("refused, good, refused", MemoryStore),
        ("good, refused, good", Unconditional),
        ("nothing to do, then deleted", MemoryStore),
    ],
)
def test_without_the_look_after_the_write_some_order_ends_wrong(
    history: str, make_store: type[MemoryStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "is_same", lambda _now, _then: True)
    assert some_order_ends_wrong(Field(history, make_store))


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_without_the_look_after_the_write_some_order_ends_wrong_in_an_index(
    index: SqliteSink, other: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "is_same", lambda _now, _then: True)
    assert some_order_ends_wrong(Field("delete", MemoryStore, index, other=other))


def test_without_taking_its_own_refusal_back_a_worker_that_is_overtaken_leaves_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Work, "take_back", lambda _work, _name: None)
    assert some_order_ends_wrong(Field("refused, then good", MemoryStore))


def test_without_the_look_after_the_removal_of_a_refusal_some_order_ends_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(Work):
        def take_back(self, name: str | None) -> None:
            wrote = self.wrote
            super().take_back(name)
            self.wrote = wrote  # as if the removal of a refusal were not a write

    monkeypatch.setattr(runtime, "Work", Careless)
    assert some_order_ends_wrong(Field("refused, good, refused", Unconditional))
