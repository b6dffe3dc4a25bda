"""What goes wrong in a campaign: which faults, alone or together, and at which operation."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos import fault_proxy, notices
from tests.chaos.lake import FUNCTIONS, Lake
from tests.components.process import Server
from tests.integration.connect_helpers import Penstock

READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Planned:
    """Faults that begin together when so many operations are done, and last so many seconds."""

    at: int
    names: tuple[str, ...]
    seconds: float


Act = Callable[[Lake, float, random.Random], None]


def _child(lake: Lake, name: str) -> Penstock:
    return {child.name: child for child in lake.children()}[name]


def _kill(name: str) -> Act:
    """SIGKILL for a process and its workers, then a new start."""

    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        child = _child(lake, name)
        child.kill_all()
        time.sleep(rng.uniform(0, min(seconds, 3)))
        _again(child)

    return act


def _terminate(name: str) -> Act:
    """SIGTERM while work is under way, then a new start; the process must end with 0."""

    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        child = _child(lake, name)
        child.stop(60)
        code = child.returncode()
        _again(child)
        if code != 0:
            raise AssertionError(f"{name} ended with {code} after SIGTERM; see {child.log}")

    return act


def _again(child: Penstock) -> None:
    child.start()
    child.until(child.is_ready, "ready again", timeout_seconds=READY_SECONDS)


def _server(lake: Lake, name: str) -> Server[object]:
    server: Server[object] | None = {"minio": lake.minio, "kafka": lake.kafka}[name]  # type: ignore[assignment]
    assert server is not None
    return server


def _freeze(name: str) -> Act:
    """SIGSTOP, and SIGCONT after the time."""

    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        child = _server(lake, name).children[-1]
        child.signal(signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            child.signal(signal.SIGCONT)

    return act


def _restart(name: str, *, kill: bool) -> Act:
    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        server = _server(lake, name)
        if kill:
            server.kill()
        server.restart()
        if name == "minio":
            lake.minio_started = time.time()

    return act


def _reconcile(ends_by: signal.Signals | None) -> Act:
    """`penstock reconcile` beside the functions: to its end, or ended while it works."""

    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        function = rng.choice(FUNCTIONS)
        child = lake.start_reconcile(function, f"reconcile-{time.monotonic_ns()}")
        try:
            if ends_by is None:
                child.wait(READY_SECONDS)
                return
            time.sleep(rng.uniform(0.5, max(1.0, seconds)))
            child.signal(ends_by)
            child.wait(60)
        finally:
            child.kill()

    return act


def _proxy_weather(kind: str) -> Act:
    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        lake.proxy.set_weather([kind], rng.choice((0.05, 0.2, 0.5)))
        time.sleep(seconds)
        lake.proxy.set_weather([], 0)

    return act


def _notice_weather(kind: str) -> Act:
    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        lake.relay.set_weather([kind], rng.choice((0.1, 0.3)))
        time.sleep(seconds)
        lake.relay.set_weather([], 0)

    return act


BASE: Mapping[str, Act] = {
    **{f"kill {name}": _kill(name) for name in (*FUNCTIONS, "bridge")},
    **{f"end {name}": _terminate(name) for name in (*FUNCTIONS, "bridge")},
    "freeze minio": _freeze("minio"),
    "restart minio": _restart("minio", kill=False),
    "kill minio": _restart("minio", kill=True),
    "reconcile": _reconcile(None),
    "kill reconcile": _reconcile(signal.SIGKILL),
    "end reconcile": _reconcile(signal.SIGTERM),
    **{f"store: {kind}": _proxy_weather(kind) for kind in fault_proxy.KINDS},
    **{f"events: {kind}": _notice_weather(kind) for kind in notices.KINDS},
}
KAFKA: Mapping[str, Act] = {
    "kill connector": _kill("connector"),
    "end connector": _terminate("connector"),
    "freeze kafka": _freeze("kafka"),
    "restart kafka": _restart("kafka", kill=False),
}
# Two of one group act on one process or one setting, so they never come together.
_SUBJECTS = ("compress", "index", "bridge", "connector", "minio", "kafka", "reconcile", "store:", "events:")


def known(*, with_kafka: bool) -> dict[str, Act]:
    """The faults of a campaign, by name."""
    return {**BASE, **(KAFKA if with_kafka else {})}


def plan(
    seed: int, names: Sequence[str], operations: int, *, freeze_seconds: float, rounds: int, pairs: int
) -> list[Planned]:
    """Every fault alone `rounds` times and `pairs` pairs of them, in an order of the seed, spread over the operations.

    The last tenth of the operations has no faults of its own: what a fault leaves behind must be mended by then or by
    `reconcile`.
    """
    rng = random.Random(f"{seed}/faults")
    chosen: list[tuple[str, ...]] = [(name,) for _ in range(rounds) for name in names]
    while len(chosen) < rounds * len(names) + pairs:
        one, other = rng.sample(list(names), 2)
        if _subject(one) != _subject(other):
            chosen.append((one, other))
    rng.shuffle(chosen)
    step = operations * 0.9 / len(chosen)
    planned = []
    for number, each in enumerate(chosen):
        seconds = freeze_seconds if any(name.startswith("freeze") for name in each) else rng.uniform(1.0, 5.0)
        planned.append(Planned(int(step * (number + rng.random())), each, seconds))
    return planned


def _subject(name: str) -> str:
    return next(subject for subject in _SUBJECTS if subject in name)
