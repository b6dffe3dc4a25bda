"""What the watcher counts, and when it is unhealthy; penstock.process.status_server serves both."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from penstock.jobs.job import Job, JobState
from penstock.process.metrics import exposition

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

# A watch ends after a minute and is followed by a new list, so three minutes without one are a fault.
ILL_AFTER_SECONDS = 180.0


class JobMeasures:
    """What a watcher counted; safe to read from another thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._settled: Counter[tuple[str, str]] = Counter()
        self._states: Counter[tuple[str, str]] = Counter()
        self._dead_letter_failures = 0
        self._listed = clock()

    def listed(self) -> None:
        """The API answered with all Jobs."""
        with self._lock:
            self._listed = self._clock()

    def seen(self, jobs: Iterable[Job]) -> None:
        """How many Jobs there are in each state."""
        states = Counter((job.function, job.state.value) for job in jobs)
        with self._lock:
            self._states = states

    def settled(self, job: Job) -> None:
        """A Job was settled; called once for each, also over restarts."""
        with self._lock:
            self._settled[job.function, job.state.value if job.ended else "deleted"] += 1

    def dead_letter_failed(self) -> None:
        with self._lock:
            self._dead_letter_failures += 1

    def problem(self) -> str:
        """What is wrong, or "" when nothing is."""
        with self._lock:
            age = self._clock() - self._listed
        return f"no list of Jobs for {age:.0f} seconds" if age > ILL_AFTER_SECONDS else ""

    def render(self) -> tuple[bytes, str]:
        """The text that Prometheus scrapes, and its content type."""
        return exposition(self)

    def collect(self) -> "Iterable[Metric]":
        """What prometheus_client asks of a collector."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        with self._lock:
            states, settled, failures = dict(self._states), dict(self._settled), self._dead_letter_failures
        gauge = GaugeMetricFamily("penstock_jobs", "Jobs by their present state.", labels=("function", "state"))
        for function in sorted({function for function, _ in states}):
            for state in JobState:
                gauge.add_metric((function, state.value), states.get((function, state.value), 0))
        yield gauge
        counter = CounterMetricFamily("penstock_jobs_settled", "Jobs by how they ended.", labels=("function", "end"))
        for labels, count in settled.items():
            counter.add_metric(labels, count)
        yield counter
        failed = CounterMetricFamily("penstock_jobs_dead_letter_failures", "Dead letters that could not be sent yet.")
        failed.add_metric((), failures)
        yield failed
