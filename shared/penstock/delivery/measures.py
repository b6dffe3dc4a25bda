"""What /metrics says about delivery."""

from prometheus_client import Counter, Histogram

from penstock.delivery.deliverer import DeliveryOutcome, Message, Verdict
from penstock.process import metric_table
from penstock.process.exposition import ProcessMetrics

_BUCKETS_SECONDS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 300.0)


class DeliveryMeasures(ProcessMetrics):
    """The metrics of a process that delivers. `observe` is for a `Sender`."""

    def __init__(self) -> None:
        super().__init__()
        self._attempts = self.counter(metric_table.DELIVERY_ATTEMPTS)
        self._seconds = self.histogram(metric_table.DELIVERY_SECONDS, _BUCKETS_SECONDS)

        # Kept, because `labels` takes longer than to count; ten thousand records a second pass here.
        self._series: dict[tuple[str, DeliveryOutcome], tuple[Counter, Histogram]] = {}

    def observe(self, message: Message[object], verdict: Verdict, seconds: float) -> None:
        """Count one attempt."""
        attempts, durations = self._series.get((message.target, verdict.outcome)) or self._add_series(message, verdict)
        attempts.inc()
        durations.observe(seconds)

    def _add_series(self, message: Message[object], verdict: Verdict) -> tuple[Counter, Histogram]:
        target, outcome = message.target, verdict.outcome
        found = self._attempts.labels(target, outcome.value), self._seconds.labels(target)
        self._series[target, outcome] = found
        return found
