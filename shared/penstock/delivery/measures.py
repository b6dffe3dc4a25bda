"""What /metrics says about delivery. Counting is a dictionary update; prometheus_client only renders it."""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from penstock.delivery.deliverer import Message, Verdict
from penstock.process.metrics import exposition

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_BUCKETS_SECONDS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 300.0)
Labels = Mapping[str, str]
Gauge = Callable[[], Iterable[tuple[Labels, float]]]


class DeliveryMeasures:
    """Counts attempts by target and outcome. `observe` is for a `Courier` and is called on its thread only."""

    def __init__(self) -> None:
        self._attempts: dict[tuple[str, str], int] = defaultdict(int)
        self._seconds: dict[str, list[int]] = {}
        self._seconds_sum: dict[str, float] = defaultdict(float)
        self._gauges: list[tuple[str, str, Gauge]] = []
        self._counts: dict[tuple[str, str], int] = defaultdict(int)
        self._lock = threading.Lock()

    def observe(self, message: Message, verdict: Verdict, seconds: float) -> None:
        """Count one attempt."""
        target = message.target
        self._attempts[target, verdict.outcome] += 1
        buckets = self._seconds.get(target)
        if buckets is None:
            buckets = self._seconds.setdefault(target, [0] * (len(_BUCKETS_SECONDS) + 1))
        buckets[bisect_left(_BUCKETS_SECONDS, seconds)] += 1
        self._seconds_sum[target] += seconds

    def count(self, name: str, text: str, value: int = 1) -> None:
        """Add to a counter without labels, from any thread."""
        with self._lock:
            self._counts[name, text] += value

    def gauge(self, name: str, text: str, read: Gauge) -> None:
        """Add something to be read at every scrape: pairs of labels and a value."""
        self._gauges.append((name, text, read))

    def render(self) -> tuple[bytes, str]:
        """The text that Prometheus scrapes, and its content type."""
        return exposition(self)

    def collect(self) -> "Iterator[Metric]":
        """What prometheus_client asks of a collector."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        attempts = CounterMetricFamily(
            "penstock_delivery_attempts", "Requests by how they ended.", labels=("target", "outcome")
        )
        for (target, outcome), number in list(self._attempts.items()):
            attempts.add_metric((target, outcome), number)
        yield attempts
        seconds = HistogramMetricFamily("penstock_delivery_seconds", "Time from request to answer.", labels=("target",))
        for target, counts in list(self._seconds.items()):
            running, buckets = 0, []
            for bound, number in zip((*map(str, _BUCKETS_SECONDS), "+Inf"), list(counts), strict=True):
                running += number
                buckets.append((bound, float(running)))
            seconds.add_metric((target,), buckets, self._seconds_sum[target])
        yield seconds
        for (name, text), value in list(self._counts.items()):
            counter = CounterMetricFamily(name, text)
            counter.add_metric((), value)
            yield counter
        for name, text, read in self._gauges:
            values = list(read())
            gauge = GaugeMetricFamily(name, text, labels=tuple(values[0][0]) if values else ())
            for labels, reading in values:
                gauge.add_metric(tuple(labels.values()), reading)
            yield gauge
