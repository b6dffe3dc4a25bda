"""gunicorn as a function's server: it speaks both platforms' contracts itself, so there is no watchdog in between.

Imported where a server is about to run, not by what only wires a function: gunicorn and, in the worker, Flask take
most of a start.
"""

import gc
import os
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from penstock.errors import ConfigError
from penstock.process.log import JsonFormatter, say_problems, set_up_logging
from penstock.settings.config import Config

if TYPE_CHECKING:
    from flask import Flask

    from penstock.runtime.runtime import Runtime
    from penstock.serving.app import Health
    from penstock.serving.shared_counts import Board


class JsonLog(Logger):  # type: ignore[misc]
    """gunicorn's own messages in the form of all others."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonFormatter())


class Worker(ThreadWorker):  # type: ignore[misc]
    """A threaded worker that can report "not ready" for a while before it stops to accept."""

    place = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """On SIGTERM: not ready at once; stop accepting after DRAIN_SECONDS; finish what is in flight."""
        server: Server = self.app
        if server.health is not None:
            server.health.draining = True
        seconds = server.config.drain_seconds
        # One that is still loading was never ready: nobody has to be told, and it would say "ready" once loaded.
        if server.health is None or seconds <= 0 or not self.alive:
            super().handle_exit(sig, frame)
            return
        timer = threading.Timer(seconds, super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with settings from `Config` instead of files and arguments; `make` wires the function in each worker."""

    def __init__(self, config: Config, host: str, make: "Callable[[], Runtime]") -> None:
        self.config = config
        self.host = host
        self.make = make
        self.health: Health | None = None
        self.runtime: Runtime | None = None
        self.place = 0
        # A reload has twice as many for a while.
        self.board = _board(2 * config.workers) if config.workers > 1 else None
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": f"[{self.host}]:{self.config.port}" if ":" in self.host else f"{self.host}:{self.config.port}",
            "workers": self.config.workers,
            "worker_class": "penstock.serving.gunicorn.Worker",
            "threads": self.config.threads,
            "timeout": 0,  # long objects are normal; the platforms have their own limits
            "graceful_timeout": int(self.config.drain_seconds) + self.config.grace_seconds,
            "keepalive": 75,  # longer than the gateways keep an idle connection, so that they close it first
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
            "control_socket_disable": True,
            "proc_name": f"penstock {self.config.function}",
            "loglevel": "warning",
            "accesslog": None,
            "logger_class": "penstock.serving.gunicorn.JsonLog",
            "pre_fork": self.take_place,
            "worker_exit": self.stop,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> "Flask":
        """Called in each worker, after the fork."""
        set_up_logging(self.config.log_level)
        import_application()
        from penstock.process.metrics import Metrics
        from penstock.serving.app import Health, create_app

        try:
            self.runtime = self.make()
        except ConfigError as exc:
            say_problems(exc.problems)
            sys.exit(Arbiter.APP_LOAD_ERROR)
        self.health = Health(self.runtime)
        board = self.board if self.board is not None and self.place < self.board.places else None
        return create_app(self.runtime, self.health, Metrics(self.config.function, board, self.place))

    def take_place(self, arbiter: Arbiter, worker: Worker) -> None:
        """Called before each fork: the first place on the board that no living worker has."""
        taken = {other.place for other in arbiter.WORKERS.values()}
        self.place = worker.place = next(place for place in count() if place not in taken)

    def stop(self, _arbiter: Arbiter, _worker: Worker) -> None:
        """Called in each worker as the last thing: the handler's own `stop`."""
        if self.runtime is not None and self.runtime.function.stop is not None:
            self.runtime.function.stop()


def _board(places: int) -> "Board":
    from penstock.serving.shared_counts import Board

    return Board(places)


def import_application() -> None:
    """Import `penstock.serving.app` and with it Flask, without a look for garbage among what stays anyway."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        import penstock.serving.app  # noqa: F401 - for later imports of it
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()


def run_server(server: BaseApplication) -> int:
    """Run gunicorn until it is told to stop; returns the exit code, 78 for an application that cannot be loaded."""
    master = os.getpid()
    try:
        server.run()
    except SystemExit as exc:
        # A forked worker leaves through here too. Only gunicorn's own code tells its master that another one would
        # fail in the same way; with any other it forks for ever.
        if os.getpid() != master:
            raise
        return ConfigError.exit_code if exc.code == Arbiter.APP_LOAD_ERROR else int(exc.code or 0)
    return 0
