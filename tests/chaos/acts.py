"""What a fault does to processes and servers: killed, ended, frozen, started again, or worked beside."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Mapping

from tests.chaos import fault_proxy, notices
from tests.chaos.lake import FUNCTIONS, Lake
from tests.components.process import Server
from tests.integration.connect_helpers import Penstock

READY_SECONDS = 120.0

Act = Callable[[Lake, float, random.Random], None]
"""One fault: on this lake, for so many seconds, with this chance. It raises `AssertionError` for a wrong answer."""


def child_of(lake: Lake, name: str) -> Penstock:
    """A process of Penstock's own, by name."""
    return {child.name: child for child in lake.children()}[name]


def start_again(child: Penstock) -> None:
    """Start a process that has ended, and wait until it is ready."""
    child.start()
    child.until(child.is_ready, "ready again", timeout_seconds=READY_SECONDS)


def _kill(name: str) -> Act:
    """SIGKILL for a process and its workers, then a new start."""

    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        child = child_of(lake, name)
        child.kill_all()
        time.sleep(rng.uniform(0, min(seconds, 3)))
        start_again(child)

    return act


def _terminate(name: str) -> Act:
    """SIGTERM while work is under way, then a new start; the process must end with 0."""

    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        child = child_of(lake, name)
        child.stop(60)
        code = child.returncode()
        start_again(child)
        if code != 0:
            raise AssertionError(f"{name} ended with {code} after SIGTERM; see {child.log}")

    return act


def _server(lake: Lake, name: str) -> Server[object]:
    server: Server[object] | None = {"minio": lake.minio, "kafka": lake.kafka}[name]  # type: ignore[assignment]
    assert server is not None
    return server


def _freeze(name: str) -> Act:
    """SIGSTOP, and SIGCONT after the time: a server, or a process of Penstock's own with its workers."""

    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        frozen = _server(lake, name).children[-1] if name in ("minio", "kafka") else child_of(lake, name)
        os.killpg(frozen.pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.killpg(frozen.pid, signal.SIGCONT)

    return act


def _restart(name: str, *, kill: bool) -> Act:
    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        server = _server(lake, name)
        if kill:
            server.kill()
        server.restart()

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


def _reset_completes(lake: Lake, seconds: float, rng: random.Random) -> None:
    """The next uploads in parts that are completed end with a connection that is cut after the store has done it."""
    lake.proxy.reset_completes(rng.randint(1, 3))


def _notice_weather(kind: str) -> Act:
    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        lake.relay.set_weather([kind], rng.choice((0.1, 0.3)))
        time.sleep(seconds)
        lake.relay.set_weather([], 0)

    return act


ACTS: Mapping[str, Act] = {
    **{f"kill {name}": _kill(name) for name in (*FUNCTIONS, "bridge")},
    **{f"end {name}": _terminate(name) for name in (*FUNCTIONS, "bridge")},
    "freeze minio": _freeze("minio"),
    "freeze compress": _freeze("compress"),
    "restart minio": _restart("minio", kill=False),
    "kill minio": _restart("minio", kill=True),
    "reconcile": _reconcile(None),
    "kill reconcile": _reconcile(signal.SIGKILL),
    "end reconcile": _reconcile(signal.SIGTERM),
    **{f"store: {kind}": _proxy_weather(kind) for kind in fault_proxy.KINDS},
    "store: reset after COMPLETE": _reset_completes,
    **{f"events: {kind}": _notice_weather(kind) for kind in notices.KINDS},
}
KAFKA_ACTS: Mapping[str, Act] = {
    "kill connector": _kill("connector"),
    "end connector": _terminate("connector"),
    "freeze connector": _freeze("connector"),
    "freeze kafka": _freeze("kafka"),
    "restart kafka": _restart("kafka", kill=False),
}
