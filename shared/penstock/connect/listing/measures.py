"""What a watch counts, and whether its last round came to its end; penstock.process.status_server serves both."""

import time
from collections.abc import Callable

from penstock.connect.listing.rounds import RoundReport
from penstock.process import metric_table
from penstock.process.exposition import ProcessMetrics


class WatchMeasures(ProcessMetrics):
    """The metrics of `penstock watch`; the watch writes, and probes and scrapes read from other threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._problem = "no listing has come to its end yet"
        self._listed = 0
        self._ended_at = 0.0
        self._rounds = self.counter(metric_table.WATCH_ROUNDS)
        self._hints = self.counter(metric_table.WATCH_HINTS)
        self._found = self.counter(metric_table.WATCH_FOUND)
        self.gauge(metric_table.WATCH_LISTED, lambda: [({}, self._listed)])
        self.gauge(metric_table.WATCH_LAST_ROUND_SECONDS, lambda: [({}, self._ended_at)])
        # They show up before the first event, so that an alert on their growth sees the first one.
        for outcome in ("whole", "failed"):
            self._rounds.labels(outcome)
        for outcome in ("told", "refused", "failed"):
            self._hints.labels(outcome)
        for change in ("changed", "gone"):
            self._found.labels(change)

    def ended(self, report: RoundReport) -> None:
        """A listing came to its end."""
        self._rounds.labels("whole").inc()
        for outcome, objects in (("told", report.told), ("refused", report.refused), ("failed", report.failed)):
            self._hints.labels(outcome).inc(objects)
        self._found.labels("changed").inc(report.changed)
        self._found.labels("gone").inc(report.gone)
        self._listed = report.listed
        self._ended_at = self._clock()
        told_why = "; ".join(report.problems)
        self._problem = f"{report.failed} objects are to be told again: {told_why}" if report.failed else ""

    def failed(self, why: str) -> None:
        """A listing did not come to its end."""
        self._rounds.labels("failed").inc()
        self._problem = f"the last listing failed: {why}"

    def unready(self) -> str:
        """Why hints do not flow, or ""."""
        return self._problem
