"""One schedule: users, a connector, a function's workers and a store take turns as a seed says.

The function is the real runtime over the shipped `MemoryStore`; delivery is the real `Deliverer`, and progress is kept
by the connector's real `Partition`. Workers are greenlets that stop ahead of every request to the store. A turn lets
one of them make its request, fails or loses it, kills the worker or the connector, moves the clock, or lets a user or
a stranger write.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, cast

from greenlet import getcurrent, greenlet
from penstock import Context, Event, Result, TemporaryError, UnsupportedInput
from penstock.connect.kafka.progress import Partition, PendingRecord
from penstock.connect.kafka.records import Record
from penstock.delivery.deliverer import Deliverer, Message, Policy
from penstock.delivery.verdict import DeliveryOutcome, TargetAnswer, Verdict
from penstock.errors import PermanentError, TargetChanged
from penstock.reconcile.engine import reconcile
from penstock.store.memory import MemoryStore
from penstock.testing import Lake
from penstock.types import ObjectRef, ObjectState

from tests.interleaving import Killed, drop

KEYS = ("a.txt", "b.txt")
USER_ACTS = 7
MAX_KILLS = 2
MAX_TURNS = 5000
_POLICY = Policy(attempts=4, min_wait_seconds=1, max_wait_seconds=4, concurrency=3)


class Wrong(AssertionError):
    """A schedule ended with something that must not be; the text names it."""


class Worker(greenlet):
    """One call of the function. `looks` are the turns of its last look at each object; `speed` weighs its next turn."""

    def __init__(self, act: Callable[[], TargetAnswer], done: Callable[[TargetAnswer], bool]) -> None:
        super().__init__(act)
        self.done = done
        self.speed = 1.0
        self.looks: dict[ObjectRef, int] = {}
        self.request: tuple[str, ObjectRef] | None = None


class SteppedStore(MemoryStore):
    """A store whose callers stop ahead of each request.

    `lose` makes the next write happen and its answer be lost. `unconditional` leaves the conditions of writes out, as
    every S3 does for an upload in parts. `breaks` is the share of reads that break off half-way.
    """

    def __init__(self, rng: random.Random) -> None:
        super().__init__("upload", "processed", on_request=self.step)
        self.rng = rng
        self.turn = 0
        self.lose = False
        self.breaks = 0.0
        self.unconditional = False
        self.deleted: Callable[[Worker, ObjectRef], None] = lambda _worker, _ref: None

    def step(self, verb: str, ref: ObjectRef) -> None:
        worker = getcurrent()
        if not isinstance(worker, Worker):
            return
        worker.request = (verb, ref)
        assert worker.parent is not None
        worker.parent.switch()
        if verb in ("HEAD", "GET"):
            worker.looks[ref] = self.turn
        elif verb == "DELETE":
            self.deleted(worker, ref)

    def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> tuple[ObjectState, Iterable[bytes]] | None:
        found = super().open(ref, if_etag=if_etag)
        if found is None or self.rng.random() >= self.breaks:
            return found
        return found[0], _broken(ref, b"".join(found[1]))

    def put(self, ref: ObjectRef, chunks: Iterable[bytes], **how: Any) -> ObjectState:
        if self.unconditional:
            how |= {"if_etag": None, "if_absent": False}
        state = super().put(ref, chunks, **how)
        self._lose(ref)
        return state

    def delete(self, ref: ObjectRef, *, if_still: Callable[[ObjectState], bool] | None = None) -> None:
        # As MinIO has it: a look, and then a DELETE without a condition.
        if if_still is not None and (found := self.head(ref)) is not None and not if_still(found):
            raise TargetChanged(f"{ref}: another program wrote it meanwhile")
        super().delete(ref)
        self._lose(ref)

    def _lose(self, ref: ObjectRef) -> None:
        if self.lose and isinstance(getcurrent(), Worker):
            self.lose = False
            raise TemporaryError(f"{ref}: the answer was lost")


def _broken(ref: ObjectRef, data: bytes) -> Iterator[bytes]:
    yield data[: len(data) // 2]
    raise TemporaryError(f"{ref}: the connection broke while it was read")


def upper(event: Event[Any], context: Context[Any]) -> Result:
    """Upper-case the input as a stream; refuse what starts with `bad`."""
    if event.body.peek(3).startswith(b"bad"):
        raise UnsupportedInput(f"{event.name}: starts with bad")
    return Result((chunk.upper() for chunk in event.body), metadata=event.metadata)


class Clock:
    """The timer of the delivery core; time goes from one callback to the next."""

    def __init__(self) -> None:
        self._now = 0.0
        self._order = count()
        self._due: list[tuple[float, int, Call]] = []

    def time(self) -> float:
        return self._now

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Call:
        call = Call(callback)
        heapq.heappush(self._due, (self._now + delay, next(self._order), call))
        return call

    def advance(self) -> bool:
        """Run the next callback; False when there is none."""
        while self._due:
            self._now, _, call = heapq.heappop(self._due)
            if call.callback is not None:
                call.callback()
                return True
        return False


@dataclass
class Call:
    """A callback that may be cancelled."""

    callback: Callable[[], object] | None

    def cancel(self) -> None:
        self.callback = None


class Connector:
    """Reads the log from the committed offset on, delivers, and commits what its `Partition` says is finished."""

    def __init__(self, world: World, offset: int, metadata: str) -> None:
        self._world = world
        self._next = offset
        self._partition = Partition("upload", 0, offset, metadata)
        self.clock = Clock()
        uniform = world.rng.uniform
        self._deliverer: Deliverer[PendingRecord] = Deliverer(
            self, _POLICY, self._finished, timer=self.clock, uniform=uniform, wall=lambda: 0.0
        )
        self.dead = False

    @property
    def has_more(self) -> bool:
        return self._next < len(self._world.log)

    def read(self) -> None:
        """Take the next record of the log."""
        offset, self._next = self._next, self._next + 1
        if self._partition.was_finished(offset):
            self._partition.begin(offset, self._record(offset), 0)
            return
        key = self._world.log[offset]
        entry = self._record(offset)
        self._partition.begin(offset, entry, 1)
        self._deliverer.submit(Message(key, key.encode(), {}, f"upload/0@{offset}", receipt=entry))
        self._world.path.append(f"read {offset} {key}")

    def _record(self, offset: int) -> PendingRecord:
        return PendingRecord(self._partition, cast("Record", offset))  # kept, and never looked into

    def send(self, message: Message[object], done: Callable[[TargetAnswer], None]) -> None:
        def answer(given: TargetAnswer) -> bool:
            if not self.dead:
                done(given)
            return not self.dead

        self._world.call(ObjectRef("upload", message.value.decode()), answer)

    def commit(self) -> None:
        if (found := self._partition.progress()) is not None:
            self._world.committed = found

    def _finished(self, message: Message[PendingRecord], verdict: Verdict) -> None:
        if verdict.outcome is DeliveryOutcome.DEAD:
            self._world.letters.append((message.value.decode(), verdict))
        message.receipt.finish()


@dataclass
class World:
    """One schedule from its seed. `make_store` lets a test take one safeguard of the store's use away."""

    seed: int
    make_store: Callable[[random.Random], SteppedStore] = SteppedStore
    log: list[str] = field(default_factory=list)
    committed: tuple[int, str] = (0, "")
    letters: list[tuple[str, Verdict]] = field(default_factory=list)
    strangers: dict[ObjectRef, tuple[bytes, int]] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    kills: int = 0
    unheard: int = 0
    unheard_failures: int = 0
    in_the_window: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.store = self.make_store(self.rng)
        self.store.breaks = self.rng.choice((0.0, 0.0, 0.2))
        self.store.deleted = self._deleted
        self.lake = Lake(upper, remove_with_source=True, store=self.store)
        self._trouble = self.rng.choice((0.0, 0.05, 0.15))
        self._workers: list[Worker] = []
        self._acts = self.rng.randint(2, USER_ACTS)
        self.store.unconditional = self.rng.random() < 0.4
        # Without conditions a stranger's object is lost between look and write, as ADR 16 says.
        self._has_strangers = not self.store.unconditional and self.rng.random() < 0.5
        self._calls = self.rng.choice((0, 1, 2, 4))
        self._keys = self.rng.choice((KEYS, KEYS[:1]))
        self._loses_events = self.rng.random() < 0.2
        self.connector = Connector(self, *self.committed)

    def run(self) -> None:
        """Play the schedule to its end and judge it; raises `Wrong`."""
        try:
            for self.store.turn in range(MAX_TURNS):
                turns = dict(self._turns())
                if turns:
                    self.rng.choices(list(turns), list(turns.values()))[0]()
                elif not self.connector.clock.advance():
                    break
            else:
                raise Wrong(f"no end after {MAX_TURNS} turns")
        finally:
            for worker in self._workers:
                drop(worker)
        self.connector.commit()
        self._judge()

    def call(self, ref: ObjectRef, done: Callable[[TargetAnswer], bool]) -> None:
        """Begin one call of the function; `done` says whether its caller was still there."""
        self._workers.append(Worker(lambda: self._answer(ref), done))

    def _answer(self, ref: ObjectRef) -> TargetAnswer:
        try:
            ended = self.lake.runtime.agree(ref)
        except TemporaryError as error:
            return TargetAnswer(503, error=str(error))
        except PermanentError as error:
            return TargetAnswer(int(error.status), error=str(error))
        return TargetAnswer(ended.status, error=ended.reason)

    # Turns

    def _turns(self) -> Iterator[tuple[Callable[[], None], float]]:
        """What can happen next, each with its weight."""
        for worker in self._workers:
            yield partial(self._go_on, worker), worker.speed
        if self._acts:
            yield self._act, 0.3
        if self._calls and self._acts:
            yield self._call_besides, 0.5
        if self.connector.has_more:
            yield self.connector.read, 1
        if self._workers or self._acts:
            yield self._pass_time, 0.3
            yield self.connector.commit, 0.5
        if self._kills_now and (self._workers or self._acts):
            yield self._kill_connector, 0.1

    def _pass_time(self) -> None:
        self.connector.clock.advance()

    def _go_on(self, worker: Worker) -> None:
        # Now and then a worker stands still before its next request while the others go on.
        worker.speed = self.rng.choice((1, 1, 1, 0.01))
        fate = self.rng.random()
        where = f"worker {id(worker) % 997} {worker.request or 'begins'}"
        if worker.request is not None and fate < self._trouble / 3 and self.kills < MAX_KILLS:
            self.kills += 1
            self._say(f"{where}: dies")
            self._resume(worker, lambda: worker.throw(Killed))
        elif worker.request is not None and fate < self._trouble / 2:
            self._say(f"{where}: its caller gives up, it goes on")
            worker.done(TargetAnswer(504, error="no answer in time"))
            worker.done = lambda _answer: False
        elif worker.request is not None and fate < self._trouble * 3 / 4:
            self._say(f"{where}: fails")
            self._resume(worker, lambda: worker.throw(TemporaryError("the store does not answer")))
        else:
            self.store.lose = fate < self._trouble
            self._say(f"{where}{': its answer is lost' if self.store.lose else ''}")
            self._resume(worker, worker.switch)
            self.store.lose = False

    def _resume(self, worker: Worker, act: Callable[[], Any]) -> None:
        try:
            answer = act()
        except Killed:
            answer = TargetAnswer(502, error="the connection was closed")
        if worker.dead:
            self._workers.remove(worker)
            self._say(f"answer {answer.status}")
            if not worker.done(answer) and answer.status >= 500:
                self.unheard_failures += 1

    def _act(self) -> None:
        """A user or a stranger does something, and the event is written, twice, or never."""
        self._acts -= 1
        ref = ObjectRef("upload", self.rng.choice(self._keys))
        kind = self.rng.choice(("put", "put", "put", "bad", "delete", "metadata", "stranger"))
        if kind == "stranger":
            if self._has_strangers:
                target, data = ObjectRef("processed", ref.key), b"a stranger's %d" % self._acts
                self.store.put(target, [data])
                self.strangers[target] = (data, self.store.turn)
                self._say(f"stranger {target.key}")
            return
        if kind == "delete":
            self.store.delete(ref)
        elif kind == "metadata" and (there := self.store.head(ref)) is not None:
            self.store.put(ref, [self.store.read(ref)], metadata={"owner": str(self._acts), **there.metadata})
        else:
            data = b"bad" if kind == "bad" else b"text %d" % self.rng.randrange(3)
            self.store.put(ref, [data])
        self._say(f"{kind} {ref.key}")
        if self._loses_events and self.rng.random() < 0.3:
            self.unheard += 1
        else:
            self.log += [ref.key] * self.rng.choice((1, 1, 1, 2))

    def _call_besides(self) -> None:
        """Call the function without an event, as `reconcile` or another connector does."""
        self._calls -= 1
        self.call(ObjectRef("upload", self.rng.choice(self._keys)), lambda _answer: False)
        self._say("a call besides")

    @property
    def _kills_now(self) -> bool:
        return self.kills < MAX_KILLS and self._trouble > 0

    def _kill_connector(self) -> None:
        self.kills += 1
        self._say("connector dies")
        self.connector.dead = True
        self.connector = Connector(self, *self.committed)

    def _deleted(self, worker: Worker, ref: ObjectRef) -> None:
        """A worker deletes: what it looked at may be gone in between, but not what lay there when it looked."""
        stranger = self.strangers.get(ref)
        if stranger is None or self._held(ref) is None:
            return
        if stranger[1] <= worker.looks.get(ref, -1):
            raise Wrong(self._text(f"{ref}: a stranger's object was deleted after it had been looked at"))
        self.in_the_window += 1
        del self.strangers[ref]

    def _say(self, text: str, *_result: object) -> None:
        self.path.append(text)

    # The end

    def _judge(self) -> None:
        if self.committed[0] != len(self.log):
            raise Wrong(self._text(f"committed {self.committed[0]} of {len(self.log)} records"))
        exhausted = [letter for letter in self.letters if letter[1].code >= 500]
        # A call that fails after its caller has gone may have written an old state, and nothing repeats it.
        if self.unheard or self.unheard_failures or exhausted:
            self._reconcile()
        for key in KEYS:
            self._judge_key(key, after_kills=bool(self.kills) or bool(self._trouble) or bool(self.store.breaks))
        for key, verdict in self.letters:
            if not verdict.reason:
                raise Wrong(self._text(f"dead letter of {key} without a reason"))

    def _reconcile(self) -> None:
        """Mend what no event told, with listings that fail now and then; a run without failures has mended all."""
        share = self.rng.choice((0.0, 0.3))

        def fail(verb: str, ref: ObjectRef) -> None:
            if verb == "LIST" and self.rng.random() < share:
                raise TemporaryError(f"{ref}: the store does not answer")

        self.store.breaks = 0.0
        self.store.on_request = fail
        for _ in range(50):
            try:
                report = reconcile(self.lake.runtime, yes=True, concurrency=1)
            except TemporaryError:
                continue
            if not report.done["failed"]:
                self._say("reconcile")
                return
        raise Wrong(self._text("reconcile did not come to its end"))

    def _judge_key(self, key: str, *, after_kills: bool) -> None:
        source, target = ObjectRef("upload", key), ObjectRef("processed", key)
        held, wanted = self._held(target), self._held(source)
        if (stranger := self.strangers.get(target)) is not None:
            if held != stranger[0]:
                raise Wrong(self._text(f"{target}: a stranger's object was lost"))
            return
        if wanted is None or wanted.startswith(b"bad"):
            if held is not None and not self._window_may_have_hit():
                raise Wrong(self._text(f"{target}: there, with {wanted!r} as its source"))
            return
        if held != wanted.upper() and not self._window_may_have_hit():
            raise Wrong(self._text(f"{target}: {held!r}, not {wanted.upper()!r}"))
        state = self.store.head(target)
        now = self.store.head(source)
        if state is not None and now is not None and state.metadata.get("penstock-state") != now.token:
            raise Wrong(self._text(f"{target}: marked with another state than its source has"))

    def _window_may_have_hit(self) -> bool:
        """A stranger's object was deleted unseen, as if the stranger had removed it: no event tells of that."""
        return self.in_the_window > 0

    def _held(self, ref: ObjectRef) -> bytes | None:
        try:
            return self.store.read(ref)
        except KeyError:
            return None

    def _text(self, problem: str) -> str:
        return f"seed {self.seed}: {problem}\n" + "\n".join(f"  {line}" for line in self.path)


def play(seeds: Iterable[int], **how: Any) -> Mapping[str, int]:
    """Play schedules; raises `Wrong` at the first that ends wrong. Returns how many there were, by what they had."""
    found = {
        "schedules": 0,
        "with kills": 0,
        "with strangers": 0,
        "with lost events": 0,
        "unheard failures": 0,
        "in the window": 0,
    }
    for seed in seeds:
        world = World(seed, **how)
        world.run()
        found["schedules"] += 1
        found["with kills"] += bool(world.kills)
        found["with strangers"] += bool(world.strangers)
        found["with lost events"] += bool(world.unheard)
        found["unheard failures"] += bool(world.unheard_failures)
        found["in the window"] += world.in_the_window
    return found
