"""One seed from start to verdict: operations and faults, then quiet, `reconcile`, and the comparison with the model."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tests.chaos import checks, faults
from tests.chaos.acts import Act
from tests.chaos.faults import Planned
from tests.chaos.lake import Lake, is_alive
from tests.chaos.model import Model
from tests.chaos.operations import PREFIXES, Hand, keys_of, script

WRITERS = 8
KEYS_PER_WRITER = 60


@dataclass(frozen=True, slots=True)
class Size:
    """How long a campaign is. The times bound it: one that does not end in time has failed."""

    operations: int
    rounds: int
    pairs: int
    freeze_seconds: tuple[float, ...]
    quiet_seconds: float


SHORT = Size(operations=10_000, rounds=1, pairs=6, freeze_seconds=(15,), quiet_seconds=180)
LONG = Size(operations=20_000, rounds=3, pairs=24, freeze_seconds=(15, 40), quiet_seconds=600)
LONG_SEEDS = 10


@dataclass
class Verdict:
    """What a campaign did, and everything that was wrong at its end."""

    seed: int
    operations: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    store_requests: int = 0
    dead_letters: int = 0
    objects: int = 0
    findings: list[str] = field(default_factory=list)

    def add(self, other: Verdict) -> None:
        """Count another campaign in."""
        self.operations += other.operations
        self.faults += other.faults
        self.broken += other.broken
        for phase, spent in other.seconds.items():
            self.seconds[phase] = self.seconds.get(phase, 0) + spent
        self.store_requests += other.store_requests
        self.dead_letters += other.dead_letters
        self.objects += other.objects
        self.findings += [f"seed {other.seed}: {finding}" for finding in other.findings]


class Gate:
    """Counts operations, and holds the writers back until the faults planned so far have begun."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._count = 0
        self._next = 0
        self._changed = threading.Condition()
        self.failed = False

    def take(self) -> bool:
        """Wait for a turn; False when all operations are taken, or the campaign has failed."""
        with self._changed:
            while self._count >= self._next and not self.failed:
                self._changed.wait(1)
            if self._count >= self._total or self.failed:
                return False
            self._count += 1
            self._changed.notify_all()
            return True

    def reach(self, at: int) -> bool:
        """Let the writers go up to this operation, and wait until they are there; False when the campaign failed."""
        self.allow(at)
        with self._changed:
            while self._count < min(at, self._total) and not self.failed:
                self._changed.wait(1)
            return not self.failed

    def allow(self, at: int) -> None:
        """Let the writers go up to this operation."""
        with self._changed:
            self._next = at
            self._changed.notify_all()

    def fail(self) -> None:
        with self._changed:
            self.failed = True
            self._changed.notify_all()


def run(seed: int, size: Size, folder: Path, *, with_kafka: bool, without: Iterable[str] = ()) -> Verdict:
    """Run one campaign in a folder, which keeps logs and data."""
    verdict, model = Verdict(seed), Model()
    left_out = tuple(without)
    began = time.monotonic()

    def mark(phase: str) -> None:
        nonlocal began
        verdict.seconds[phase] = time.monotonic() - began
        began = time.monotonic()

    with Lake(folder, seed, with_kafka=with_kafka) as lake:
        mark("start")
        acts = {
            name: act
            for name, act in faults.known(
                with_kafka=with_kafka, with_volumes=lake.has_volumes, with_clocks=lake.clocks.are_possible
            ).items()
            if not any(part in name for part in left_out)
        }
        print(f"  buckets: {lake.buckets}; {len(acts)} faults", flush=True)
        for what, there in (("full volumes", lake.has_volumes), ("clocks", lake.clocks.are_possible)):
            if not there:
                print(f"  WITHOUT {what}: this machine does not allow them", flush=True)
        planned = faults.plan(
            seed,
            list(acts),
            size.operations,
            freeze_seconds=size.freeze_seconds,
            rounds=size.rounds,
            pairs=size.pairs,
        )
        _work(lake, model, seed, size, planned, acts, verdict)
        mark("operations and faults")
        verdict.findings += _judge(lake, model, size, verdict)
        mark("quiet, reconcile, checks")
        verdict.broken = lake.proxy.broken + lake.relay.broken + lake.noted
        verdict.store_requests = lake.proxy.requests
        verdict.objects = len(model.sources)
    return verdict


def _work(
    lake: Lake,
    model: Model,
    seed: int,
    size: Size,
    planned: Sequence[Planned],
    acts: dict[str, Act],
    verdict: Verdict,
) -> None:
    # Each writer has its own share, so that a seed always gives the same operations, whichever writer is faster.
    share = -(-size.operations // WRITERS)
    gate = Gate(share * WRITERS)
    prefixes = PREFIXES if lake.kafka is not None else PREFIXES[:1]
    hands = [Hand(lake.minio.endpoint.client(), model, lambda: gate.failed) for _ in range(WRITERS)]

    def write(writer: int) -> None:
        try:
            steps = script(seed, writer, keys_of(writer, KEYS_PER_WRITER, prefixes), model)
            for step in islice(steps, share):
                if not gate.take():
                    return
                hands[writer].do(step)
        except BaseException:
            gate.fail()
            raise

    def fail() -> None:
        rng = random.Random(f"{seed}/acts")
        try:
            with ThreadPoolExecutor(2) as pair:
                following = [*(each.at for each in planned[1:]), share * WRITERS]
                for each, after in zip(planned, following, strict=True):
                    if not gate.reach(each.at):
                        return
                    gate.allow(after)
                    print(f"  {each.at:>7} operations: {' with '.join(each.names)}, {each.seconds:.0f} s", flush=True)
                    seeds = [random.Random(rng.random()) for _ in each.names]
                    running = [
                        pair.submit(acts[name], lake, each.seconds, own)
                        for name, own in zip(each.names, seeds, strict=True)
                    ]
                    for done in running:
                        done.result()
                    verdict.faults.update(each.names)
        except BaseException:
            gate.fail()
            raise
        finally:
            gate.allow(share * WRITERS + 1)
            lake.proxy.set_weather([], 0)
            lake.relay.set_weather([], 0)

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        jobs = [pool.submit(fail), *(pool.submit(write, number) for number in range(WRITERS))]
        wait(jobs, return_when=FIRST_EXCEPTION)
        for job in jobs:
            job.result()
    for hand in hands:
        verdict.operations += hand.done


def _judge(lake: Lake, model: Model, size: Size, verdict: Verdict) -> Iterator[str]:
    if stuck := checks.wait_until_quiet(lake, size.quiet_seconds):
        yield stuck
        return
    for child in lake.children():
        if not child.is_ready() or not is_alive(child.address):
            yield f"{child.name}: not ready or not alive at the end; see {child.log}"
    died = checks.letters(lake)
    verdict.dead_letters = len(died)
    yield from checks.unexplained(died, model, replayed=False)
    yield from checks.reconciled(lake, check=False)
    if died:
        lake.dlq("replay", "--all")
        if stuck := checks.wait_until_quiet(lake, size.quiet_seconds):
            yield f"after the replay of dead letters: {stuck}"
        yield from checks.unexplained(checks.letters(lake), model, replayed=True)
    yield from checks.reconciled(lake, check=True)
    yield from checks.findings(lake, model)
