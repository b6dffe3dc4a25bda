"""The server of one function: wires it in each worker, and shares the workers' counts."""

import contextlib
import gc
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from gunicorn.arbiter import Arbiter

from penstock.errors import ConfigError
from penstock.process.log import say_problems, set_up_logging
from penstock.process.loopback import LOOPBACK, is_loopback
from penstock.serving.gunicorn import GunicornServer, Serving
from penstock.settings.config import Config

if TYPE_CHECKING:
    from flask import Flask

    from penstock.process.tracing import Tracer
    from penstock.runtime.runtime import Runtime
    from penstock.serving.health import Health
    from penstock.serving.overdue import Overdue
    from penstock.serving.shared_counts import SharedCounts
    from penstock.serving.worker import Worker


_log = logging.getLogger("penstock.serve")


class FunctionServer(GunicornServer):
    """Serves one function; `make` wires it in each worker, with the tracer where traces are wanted."""

    def __init__(self, config: Config, host: str, make: "Callable[[Tracer | None], Runtime]") -> None:
        self._config = config
        self._make = make
        self._health: Health | None = None
        self._runtime: Runtime | None = None
        self._tracer: Tracer | None = None
        self._place = 0
        # A reload has twice as many for a while.
        self._counts = _shared_counts(2 * config.workers) if config.workers > 1 else None
        self._overdue = _overdue(config) if config.deadline_seconds else None
        graceful_seconds = int(config.drain_seconds) + config.grace_seconds
        super().__init__(
            Serving(
                config.function,
                host,
                config.port,
                config.threads,
                graceful_seconds,
                workers=config.workers,
                max_waiting=config.max_waiting,
                read_timeout_seconds=config.read_timeout_seconds,
                min_bytes_per_second=config.min_bytes_per_second,
            )
        )

    def load(self) -> "Flask":
        set_up_logging(self._config.log_level)
        choose_temporary_folder()
        # As commands/serve.py does before the fork. The handler is loaded with garbage collection as it is served:
        # what its module and its `start` leave behind may be large, and may never be frozen.
        gc.disable()
        from penstock.process.metrics import Metrics
        from penstock.serving.app import create_app
        from penstock.serving.health import Health

        gc.freeze()
        gc.enable()
        if self._overdue is not None:
            from penstock.process.deadline import watch_with

            watch_with(self._overdue.watch(self._place))
        try:
            self._tracer = self._make_tracer()
            self._runtime = self._make(self._tracer)
        except ConfigError as exc:
            say_problems(exc.problems)
            sys.exit(Arbiter.APP_LOAD_ERROR)
        self._health = Health(self._runtime)
        counts = self._counts if self._counts is not None and self._place < self._counts.places else None
        host, metrics = self.serving.host, Metrics(self._config.function, counts, self._place)
        if self._place == 0:  # the first of its workers tells it
            shown = f"[{host}]" if ":" in host else host
            _log.info("%s listens on http://%s:%s", self._config.function, shown, self._config.port)
        hosts = LOOPBACK | {host} if is_loopback(host) else frozenset()
        app = create_app(self._runtime, self._health, metrics, hosts=hosts)
        if self._tracer is not None:
            from penstock.serving.traced import TracedApplication

            app.wsgi_app = TracedApplication(app.wsgi_app, self._tracer)  # type: ignore[method-assign]
        return app

    def begin_drain(self) -> float:
        """Not ready at once; accepting for DRAIN_SECONDS more."""
        # A worker that is still loading was never ready: no caller has to be told, and later it would say "ready".
        if self._health is None:
            return 0.0
        self._health.draining = True
        return self._config.drain_seconds

    def take_place(self, arbiter: Arbiter, worker: "Worker") -> None:
        """Give the next worker the first place among the shared counts that no living worker has."""
        taken = {other.place for other in arbiter.WORKERS.values()}
        self._place = worker.place = next(place for place in count() if place not in taken)
        if self._overdue is not None:
            self._overdue.forget(self._place)

    def end_overdue(self, arbiter: Arbiter) -> None:
        """End the workers that are stuck on an object."""
        if self._overdue is None:
            return
        for pid, worker in list(arbiter.WORKERS.items()):
            found = self._overdue.signal_for(worker.place, pid, time.monotonic())
            if found is not None:
                number, subject = found
                seconds = self._config.deadline_seconds
                arbiter.log.error(
                    "%s: took longer than DEADLINE_SECONDS (%g) in code that cannot be interrupted: "
                    "its worker (pid %s) is ended, and a new one starts",
                    subject,
                    seconds,
                    pid,
                )
                arbiter.kill_worker(pid, number)

    def close(self) -> None:
        """Call the handler's own `stop`, and send what is left of the traces."""
        if self._runtime is not None and self._runtime.function.stop is not None:
            self._runtime.function.stop()
        if self._tracer is not None:
            self._tracer.stop()

    def _make_tracer(self) -> "Tracer | None":
        if not self._config.traces_endpoint:
            return None
        from penstock.process.tracing import make_tracer

        return make_tracer(self._config.function, self._config.traces_endpoint)


def _overdue(config: Config) -> "Overdue":
    from penstock.serving.overdue import Overdue

    # A reload has twice as many workers for a while.
    return Overdue(2 * config.workers, config.threads, config.deadline_seconds)


def choose_temporary_folder() -> None:
    """Have Python choose its folder for temporary files now.

    It looks for one by writing there, once, when the first file is needed. A volume that is full in that moment would
    be passed over for good, for one that is not meant for such files.
    """
    with contextlib.suppress(FileNotFoundError):  # the first file that is needed is told
        tempfile.gettempdir()


def _shared_counts(places: int) -> "SharedCounts":
    from penstock.serving.shared_counts import SharedCounts

    return SharedCounts(places)
