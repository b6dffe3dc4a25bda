"""How many seconds an object will take, from its size and this process's own runs. Memory is not estimated here."""

import threading
import time
from collections.abc import Callable

# A shorter run is mostly requests and start-up, and says nothing about a large object.
MIN_BYTES = 8 * 1024 * 1024
MIN_RUNS = 3
# The newest run's share of the mean: a store that turns slow shows after a few runs.
_SHARE = 0.3
# Where every object of some size goes to a Job, no run corrects the estimate any more. So it does not outlive this.
FORGET_SECONDS = 900.0


class Estimate:
    """The mean of seconds per byte over finished runs, the newest counting most. Safe to use from several threads.

    Runs at the same time slow each other down, and that is part of what is measured.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._runs = 0
        self._seconds_per_byte = 0.0
        self._last = 0.0

    def add(self, size_bytes: int, seconds: float) -> None:
        """Count a run that ended well."""
        if size_bytes < MIN_BYTES:
            return
        with self._lock:
            self._forget()
            self._runs += 1
            self._last = self.clock()
            # The first few count alike.
            share = max(_SHARE, 1 / self._runs)
            self._seconds_per_byte += share * (seconds / size_bytes - self._seconds_per_byte)

    def seconds_for(self, size_bytes: int) -> float | None:
        """How long an object of this size will take, or None while too little is known."""
        with self._lock:
            self._forget()
            return size_bytes * self._seconds_per_byte if self._runs >= MIN_RUNS else None

    def _forget(self) -> None:
        if self._runs and self.clock() - self._last > FORGET_SECONDS:
            self._runs = 0
