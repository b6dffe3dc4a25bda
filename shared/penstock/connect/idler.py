"""Sets functions of OpenFaaS that are idle to zero replicas; the gateway wakes them by itself.

Only OpenFaaS's paid autoscaler acts on the labels com.openfaas.scale.zero and .zero-duration. This module does the same
with the gateway's REST API. Never run it beside the paid autoscaler.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from penstock.connect.openfaas import Deployed
from penstock.connect.prometheus import Activity
from penstock.delivery.measures import DeliveryMeasures
from penstock.errors import TemporaryError

_STOPPED = ("penstock_idler_stopped", "Functions set to zero replicas.")

_log = logging.getLogger("penstock.idler")


class ScalableGateway(Protocol):
    """What the idler asks of a gateway; both raise `TemporaryError` when it does not answer."""

    def functions(self) -> Iterable[Deployed]: ...

    def stop(self, name: str) -> None: ...


class Idler:
    """Remembers when each function was last seen at work. One that it sees for the first time counts as at work."""

    def __init__(
        self,
        gateway: ScalableGateway,
        *,
        activity: Callable[[], Activity] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._activity = activity
        self._clock = clock
        self._quiet: dict[str, tuple[object, float]] = {}

    def look(self) -> list[str]:
        """Stop what has been idle for long enough and name it; raises `TemporaryError` with nothing forgotten."""
        activity = self._activity() if self._activity else None
        functions = list(self._gateway.functions())
        for each in functions:
            if each.problem:
                _log.warning("%s: %s; it is left alone", each.name, each.problem)
        now = self._clock()
        candidates = {each.name: each for each in functions if each.replicas > 0 and each.idle_seconds is not None}
        # What is gone or asleep is new when it comes back.
        self._quiet = {name: seen for name, seen in self._quiet.items() if name in candidates}
        stopped = []
        for name, each in candidates.items():
            mark, busy = _signs(each, activity)
            before, since = self._quiet.get(name, (None, now))
            if busy or before != mark:
                self._quiet[name] = (mark, now)
            elif each.idle_seconds is not None and now - since >= each.idle_seconds:
                self._gateway.stop(name)
                del self._quiet[name]
                stopped.append(name)
        return stopped


class IdlerLoop:
    """Looks again and again until `stop`; a gateway that is away is logged once, and asked again."""

    def __init__(self, idler: Idler, measures: DeliveryMeasures, every_seconds: float) -> None:
        self._idler = idler
        self._measures = measures
        self._every_seconds = every_seconds
        self._problem = "the gateway was not asked yet"
        self._stopping = threading.Event()
        measures.count(*_STOPPED, 0)

    def stop(self) -> None:
        """Let `run` return; may be called by any thread and by a signal handler."""
        self._stopping.set()

    def unready(self) -> str:
        """Why functions are not stopped, or ""."""
        return self._problem

    def run(self) -> None:
        while not self._stopping.is_set():
            self._problem = self._look()
            self._stopping.wait(self._every_seconds)

    def _look(self) -> str:
        """One look; returns what went wrong, "" when nothing did, and logs it when that is news."""
        try:
            stopped = self._idler.look()
        except TemporaryError as exc:
            if str(exc) != self._problem:
                _log.error("%s", exc)
            return str(exc)
        for name in stopped:
            _log.info("%s: idle, set to zero replicas", name)
        self._measures.count(*_STOPPED, len(stopped))
        return ""


def _signs(function: Deployed, activity: Activity | None) -> tuple[object, bool]:
    """What changes with every request, and whether one is under way, as far as that is known."""
    if activity is None:
        return (function.version, function.invocations), False
    started, ended = activity.started.get(function.name, 0.0), activity.ended.get(function.name, 0.0)
    return (function.version, started, ended), started > ended
