"""What /metrics says about delivery."""

from penstock.delivery.deliverer import Message, Verdict
from penstock.process.exposition import ProcessMetrics

_BUCKETS_SECONDS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 300.0)


class DeliveryMeasures(ProcessMetrics):
    """The metrics of a process that delivers. `observe` is for a `Sender`."""

    def __init__(self) -> None:
        super().__init__()
        self._attempts = self.counter(
            "penstock_delivery_attempts", "Requests by how they ended.", ("target", "outcome")
        )
        self._seconds = self.histogram(
            "penstock_delivery_seconds", "Time from request to answer.", ("target",), _BUCKETS_SECONDS
        )

    def observe(self, message: Message[object], verdict: Verdict, seconds: float) -> None:
        """Count one attempt."""
        self._attempts.labels(message.target, verdict.outcome.value).inc()
        self._seconds.labels(message.target).observe(seconds)
