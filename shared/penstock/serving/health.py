"""Whether a worker may be sent requests."""

import logging
from typing import Final

from penstock.errors import PenstockError
from penstock.runtime.runtime import Runtime

_log: Final = logging.getLogger("penstock.app")


class Health:
    """What `/_/ready` answers: handler loaded, store and sink reached once, not draining."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._reached = False
        self._said = ""
        self.draining = False

    def problem(self) -> str:
        """Why this worker is not ready, or "" when it is.

        Store and sink are asked until they have answered once. After that they are not asked again: a store that
        fails later must not take every function out of service at the same moment.
        """
        if self.draining:
            return "draining: this worker takes no new requests"
        if not self._reached:
            runtime = self._runtime
            try:
                if runtime.store is not None:
                    for bucket in {rule.bucket for rule in runtime.config.sources}:
                        runtime.store.check(bucket)
                if runtime.sink is not None:
                    runtime.sink.check()
            except PenstockError as exc:
                if str(exc) != self._said:  # once, and not with each probe: the log must name the reason
                    _log.warning("not ready: %s", exc)
                self._said = str(exc)
                return self._said
            self._reached = True
        ready = self._runtime.function.ready
        return "" if ready is None or ready() else "the handler's ready() says no"
