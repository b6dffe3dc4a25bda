"""One function that runs while it is used: from zero on the first request, back to zero when idle."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from penstock.local.functions.crashes import CrashLog
from penstock.local.functions.logs import LogBuffer
from penstock.local.functions.process import FunctionProcess, Spawner, StartFailed, free_port
from penstock.settings.stackfile import FunctionSpec
from penstock.settings.table import SECRETS_DIR

START_SECONDS: Final = 60.0
DRAIN_SECONDS: Final = 30.0
# What a process needs of the machine; everything else a function is told comes from stack.yml, as in a container.
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT")

_CREDENTIALS: Final = ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY")


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for every function: the command that serves one, extra environment, where logs and crashes go.

    `zero_after_seconds` overrides what the stack file says; None leaves it. `secrets` makes the folder with the secrets
    of one function.
    """

    data: Path
    environment: Mapping[str, str]
    command: Callable[[FunctionSpec], Sequence[str]]
    zero_after_seconds: float | None = None
    secrets: Callable[[FunctionSpec], Path] | None = None
    crashes: CrashLog = field(default_factory=CrashLog)


def serve_command(spec: FunctionSpec) -> Sequence[str]:
    """As the image does it. `-P` keeps the working directory off the path, where a codecs.py would be Python's own."""
    return (sys.executable, "-P", "-m", "penstock.serve", str(spec.handler), "--host", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to send one request; `cold` when it had to wait for a start."""

    port: int
    cold: bool
    instance: str = ""


class LocalFunction:
    """One deployed function and its process, if it runs."""

    def __init__(self, spec: FunctionSpec, settings: Settings, spawner: Spawner) -> None:
        self.spec = spec
        self.created = time.time()
        self.invocations = 0
        log = settings.data / "logs" / f"{spec.name}.log"
        self.logs = LogBuffer(log, heard=partial(settings.crashes.read, spec.name, log))
        self._settings = settings
        self._spawner = spawner
        self._lock = threading.Lock()
        self._process: FunctionProcess | None = None
        self._ending: list[FunctionProcess] = []
        self._start: Future[FunctionProcess] | None = None
        self._in_flight = 0
        self._last_used = time.monotonic()
        self._closed = False

    @property
    def zero_after_seconds(self) -> float | None:
        """How long it may be idle, or None when it is never stopped for that."""
        own = self.spec.zero_after_seconds
        override = self._settings.zero_after_seconds
        return own if own is None or override is None else override

    @property
    def environment(self) -> dict[str, str]:
        """The settings that it runs with, but for the credentials of the store."""
        own = {key: value for key, value in self._settings.environment.items() if key not in _CREDENTIALS}
        return {**self.spec.environment, **own}

    @property
    def replicas(self) -> int:
        """0 or 1; a process that is ending still counts, so 0 means that nothing runs."""
        with self._lock:
            running = [self._process] if self._process is not None else []
            return int(any(process.alive for process in (*running, *self._ending)))

    @property
    def pid(self) -> int | None:
        """Its process, which leads a session of its own; None when it does not run."""
        with self._lock:
            return self._process.pid if self._process is not None else None

    @property
    def starting(self) -> bool:
        with self._lock:
            return self._start is not None

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """Hold the function running for one request; raises `StartFailed`."""
        with self._lock:
            self._in_flight += 1
            self.invocations += 1
        try:
            process, cold = self._ensure()
            yield Lease(process.port, cold, process.instance)
        finally:
            with self._lock:
                self._in_flight -= 1
                self._last_used = time.monotonic()

    def start_aside(self) -> None:
        """Have it running soon, as a platform does with what was deployed; its log tells of a start that fails."""

        def start() -> None:
            try:
                self.start()
            except StartFailed as exc:
                self.logs.add(f"penstock: {exc}", self.spec.name)

        threading.Thread(target=start, name=f"start-{self.spec.name}", daemon=True).start()

    def start(self) -> None:
        """Have it running without a request; raises `StartFailed`."""
        self._ensure()
        with self._lock:
            self._last_used = time.monotonic()

    def stop(self, grace_seconds: float = DRAIN_SECONDS) -> None:
        """End its process, which finishes what is in flight first. A request that comes now starts another one."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                self._ending.append(process)
        if process is not None:
            self._end(process, grace_seconds)

    def close(self, grace_seconds: float = DRAIN_SECONDS) -> None:
        """Stop it for good."""
        with self._lock:
            self._closed = True
            ending = list(self._ending)
        for process in ending:  # one that does not heed its SIGTERM must not hold up a shutdown
            process.stop(grace_seconds)
        self.stop(grace_seconds)
        self.logs.close()

    def stop_if_idle(self) -> bool:
        """Stop it when nothing was asked of it for long enough; says whether it did."""
        limit = self.zero_after_seconds
        with self._lock:
            process = self._process
            if process is None or self._in_flight or limit is None or time.monotonic() - self._last_used < limit:
                return False
            self._process = None
            self._ending.append(process)
        self._end(process, DRAIN_SECONDS)
        return True

    def _end(self, process: FunctionProcess, grace_seconds: float) -> None:
        process.stop(grace_seconds)
        with self._lock:
            self._ending.remove(process)

    def _ensure(self) -> tuple[FunctionProcess, bool]:
        """The running process, started when needed; all who wait for one start share its end."""
        with self._lock:
            if self._process is not None and self._process.alive:
                return self._process, False
            self._process = None
            ours = self._start is None
            future = self._start = self._start or Future()
        if not ours:
            return future.result(), True
        try:
            process = self._launch()
        except BaseException as exc:
            with self._lock:
                self._start = None
            future.set_exception(exc)
            raise
        with self._lock:
            self._process, self._start = process, None
            closed = self._closed
        future.set_result(process)
        if closed:  # removed while it started, so it must be stopped here
            self.stop()
        return process, True

    def _launch(self) -> FunctionProcess:
        port = free_port()
        env = function_environment(self.spec, self._settings) | {"PORT": str(port)}
        popen = self._spawner.spawn(self._settings.command(self.spec), env, self._settings.data)
        process = FunctionProcess(self.spec.name, popen, port, self.logs)
        process.wait_ready(START_SECONDS)
        return process


def function_environment(spec: FunctionSpec, settings: Settings) -> dict[str, str]:
    """What a function's process is told, without its port."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    own = {"PYTHONUNBUFFERED": "1", "FUNCTION_NAME": spec.name}
    env = {**inherited, **own, **spec.environment, **settings.environment}
    if settings.secrets is not None:
        env[SECRETS_DIR.name] = str(settings.secrets(spec))
    return env
