"""Every order in which workers can act on one object, one request at a time: a small model checker.

Workers are greenlets that run the real runtime. Each stops ahead of every request it makes; the explorer then chooses
who goes on, or who dies there. It replays from the start for every choice not yet made (depth first), and gives up
a run as soon as it comes to a state that it has seen: the same objects, and every worker in the same round with the
same answers to the same requests. So the enumeration is complete, and short.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from greenlet import getcurrent, greenlet

UNKNOWN: Final = object()
# Which worker goes on, whether it dies instead, and what its request is answered.
Step = tuple[int, bool, Hashable]


class Killed(KeyboardInterrupt):
    """Raised in a worker at the request before which it dies.

    The runtime lets an interrupt through, and nothing else: it takes any other exception for one of the handler's.
    """


class Dropped(KeyboardInterrupt):
    """Raised in a worker that is left where it stands, because its run is over."""


def drop(worker: greenlet) -> None:
    """End a worker whose run is over."""
    with contextlib.suppress(Dropped):
        worker.throw(Dropped)


class Worker(greenlet):
    """Runs `script(self)`. `act`, `round`, `memory` and `seen` are all that its next decision can depend on."""

    def __init__(self, script: Callable[[Worker], None]) -> None:
        super().__init__(lambda: script(self))
        self.act = 0
        self.round = 0
        self.memory: frozenset[Hashable] = frozenset()  # requests of earlier rounds that it remembers
        self.seen: list[Hashable] = []  # requests of this round, and what each was answered
        self.mortal = False
        self.waits_for: Hashable = "start"

    def forget(self) -> None:
        """It starts on its next act, or on the same one afresh: what it saw matters to it no more."""
        self.round, self.memory, self.seen, self.mortal = 0, frozenset(), [], False


def stop_here(request: Hashable) -> None:
    """Let a worker that is about to make a request wait for its turn; others pass."""
    worker = getcurrent()
    if isinstance(worker, Worker):
        worker.waits_for = request
        assert worker.parent is not None
        worker.parent.switch()


@dataclass
class World:
    """One run: its workers, how to see all objects, and how to see what one request would be answered now."""

    workers: Sequence[Worker]
    objects: Callable[[], Hashable]
    answer: Callable[[Hashable], Hashable]
    is_write: Callable[[Hashable], bool]
    begins_a_round: Callable[[Hashable], bool]
    is_remembered: Callable[[Hashable], bool]
    kills: int = 0
    path: list[str] = field(default_factory=list)

    def state(self) -> Hashable:
        workers = ((one.dead, one.act, one.round, one.memory, one.waits_for, tuple(one.seen)) for one in self.workers)
        return self.objects(), self.kills, tuple(workers)

    def choices(self, max_kills: int) -> list[Step]:
        able = [number for number, worker in enumerate(self.workers) if not worker.dead]
        dying = [number for number in able if self.workers[number].mortal] if self.kills < max_kills else []
        return [(number, False, UNKNOWN) for number in able] + [(number, True, UNKNOWN) for number in dying]

    def take(self, step: Step) -> Step:
        """Let one worker make the request it stands before, or die there, up to its next one.

        What the request is answered now is asked for and kept in the step that is returned. A step of an earlier run
        of the same path holds it already: it is not asked for again, because that takes longer than the request.
        """
        number, dies, answer = step
        worker = self.workers[number]
        request = worker.waits_for
        self.path.append(f"worker {number}: {'dies before ' if dies else ''}{request}")
        if dies:
            self.kills += 1
            worker.throw(Killed)
            return step
        if self.begins_a_round(request):
            worker.round, worker.seen = worker.round + 1, []
        if answer is UNKNOWN:
            answer = self.answer(request)
        worker.seen.append((request, answer))
        if self.is_remembered(request):
            worker.memory |= {request}
        # To die later, after some reads, comes to the same as to die at once and to be slow in coming back.
        worker.mortal = self.is_write(request)
        worker.switch()
        return number, dies, answer

    def give_up(self) -> None:
        for worker in self.workers:
            if not worker.dead:
                drop(worker)


def explore(make: Callable[[], World], *, max_kills: int = 0) -> Iterator[World]:
    """Yield every end that the workers of a fresh `make()` can come to; at most `max_kills` deaths in each run."""
    known: set[Hashable] = set()
    open_paths: list[list[Step]] = [[]]
    while open_paths:
        path = open_paths.pop()
        world = make()
        try:
            path = [world.take(step) for step in path]
            while choices := world.choices(max_kills):
                state = world.state()
                if state in known:
                    break
                known.add(state)
                open_paths += [[*path, other] for other in choices[1:]]
                path = [*path, world.take(choices[0])]
            else:
                yield world
        finally:
            world.give_up()
