"""What the watcher counts, and when it is unhealthy; penstock.process.status_server serves both."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from penstock.jobs.job import Job, JobState
from penstock.process import metric_table
from penstock.process.exposition import ProcessMetrics

# A watch ends after a minute and is followed by a new list, so three minutes without one are a fault.
ILL_AFTER_SECONDS = 180.0


class JobMeasures(ProcessMetrics):
    """What a watcher counted; safe to read from another thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._states_lock = threading.Lock()
        self._states: Counter[tuple[str, str]] = Counter()
        self._listed = clock()
        self.gauge(metric_table.JOBS, self._read_states)
        self._ended = self.counter(metric_table.JOBS_SETTLED)
        self._dead_letter_failures = self.counter(metric_table.JOBS_DEAD_LETTER_FAILURES)

    def listed(self) -> None:
        """The API answered with all Jobs."""
        with self._states_lock:
            self._listed = self._clock()

    def seen(self, jobs: Iterable[Job]) -> None:
        """How many Jobs there are in each state."""
        states = Counter((job.function, job.state.value) for job in jobs)
        with self._states_lock:
            self._states = states

    def settled(self, job: Job) -> None:
        """The watcher has finished with a Job; once for each, also over restarts."""
        self._ended.labels(job.function, job.state.value if job.ended else "deleted").inc()

    def dead_letter_failed(self) -> None:
        self._dead_letter_failures.inc()

    def problem(self) -> str:
        """What is wrong, or "" when nothing is."""
        with self._states_lock:
            age = self._clock() - self._listed
        return f"no list of Jobs for {age:.0f} seconds" if age > ILL_AFTER_SECONDS else ""

    def _read_states(self) -> Iterable[tuple[Mapping[str, str], float]]:
        with self._states_lock:
            states = dict(self._states)
        return [
            ({"function": function, "state": state.value}, states.get((function, state.value), 0))
            for function in sorted({function for function, _ in states})
            for state in JobState
        ]
