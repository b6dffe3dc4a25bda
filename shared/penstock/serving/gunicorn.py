"""gunicorn as the server of functions and of the bridge: it speaks both platforms' contracts itself.

So there is no watchdog process in between. This is imported where a server is about to run, not by what only wires a
function: gunicorn and, in the worker, Flask take most of a start.
"""

import logging
import os
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger

from penstock.errors import ConfigError
from penstock.process.log import formatter_for

if TYPE_CHECKING:
    from flask import Flask

    from penstock.serving.worker import Worker


class Serving(NamedTuple):
    """How a server runs.

    `graceful_seconds` is how long requests under way may take once it was told to stop. `max_waiting` requests may wait
    for a thread. A caller may take `read_timeout_seconds` for the head of a request, and as long for its body, with one
    second more for each `min_bytes_per_second`.
    """

    name: str
    host: str
    port: int
    threads: int
    graceful_seconds: int
    workers: int = 1
    max_waiting: int = 64
    read_timeout_seconds: float = 20.0
    min_bytes_per_second: int = 1024


class _LoadErrors(logging.Filter):
    """Drops gunicorn's three lines about an application that cannot be loaded: the reason was logged before them."""

    def __init__(self) -> None:
        super().__init__()
        self._seen = False

    def filter(self, record: logging.LogRecord) -> bool:
        if str(record.msg).endswith("exited with code %s.") and record.args:
            self._seen = self._seen or tuple(record.args)[-1] == Arbiter.APP_LOAD_ERROR
            return not self._seen
        return not (self._seen and record.msg in ("Shutting down: %s", "Reason: %s"))


class JsonLog(Logger):  # type: ignore[misc]
    """gunicorn's own messages in the form of all others."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter_for(sys.stderr))
            handler.addFilter(_LoadErrors())


class WatchingArbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's first process; once a second it also ends the workers that the server names."""

    _is_halting = False

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        self._is_halting = True
        super().halt(reason, exit_status)

    def reap_workers(self) -> None:
        """See which workers ended. One that cannot load ends the server, once: a second one would be a traceback."""
        while True:
            try:
                super().reap_workers()
            except HaltServer:
                if not self._is_halting:
                    raise
            else:
                return

    def murder_workers(self) -> None:
        super().murder_workers()
        self.app.end_overdue(self)


class GunicornServer(BaseApplication, ABC):  # type: ignore[misc]
    """gunicorn with settings from values instead of files and arguments: one server for functions and the bridge."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        super().__init__()

    @abstractmethod
    def load(self) -> "Flask":
        """Make the application. Called in each worker, after the fork: threads would not survive it."""

    def begin_drain(self) -> float:
        """Called in each worker on SIGTERM: how many seconds it goes on accepting, so that its callers can leave."""
        return 0.0

    def take_place(self, arbiter: Arbiter, worker: "Worker") -> None:
        """Called in the first process before each fork."""

    def end_overdue(self, arbiter: Arbiter) -> None:
        """Called in the first process once a second."""

    def run(self) -> None:
        try:
            WatchingArbiter(self).run()
        except RuntimeError as exc:
            raise SystemExit(f"gunicorn: {exc}") from exc

    def close(self) -> None:
        """Called in each worker as the last thing."""

    def load_config(self) -> None:
        serving = self.serving
        settings: dict[str, Any] = {
            "bind": f"[{serving.host}]:{serving.port}" if ":" in serving.host else f"{serving.host}:{serving.port}",
            "workers": serving.workers,
            "worker_class": "penstock.serving.worker.Worker",
            "threads": serving.threads,
            "timeout": 0,  # long objects are normal; the platforms have their own limits
            "graceful_timeout": serving.graceful_seconds,
            "keepalive": 75,  # longer than the gateways keep an idle connection, so that they close it first
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
            "control_socket_disable": True,
            "proc_name": f"penstock {serving.name}",
            "loglevel": "warning",
            "accesslog": None,
            "logger_class": "penstock.serving.gunicorn.JsonLog",
            "pre_fork": self.take_place,
            "worker_exit": lambda _arbiter, _worker: self.close(),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)


def run_server(server: GunicornServer) -> int:
    """Run gunicorn until it is told to stop; returns the exit code, 78 for an application that cannot be loaded."""
    first = os.getpid()
    try:
        server.run()
    except SystemExit as exc:
        # A forked worker leaves through here too. Only gunicorn's own code tells the first process that another one
        # would fail in the same way; with any other it forks for ever.
        if os.getpid() != first:
            raise
        return ConfigError.exit_code if exc.code == Arbiter.APP_LOAD_ERROR else int(exc.code or 0)
    return 0
