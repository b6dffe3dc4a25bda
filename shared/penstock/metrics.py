"""Counters for /metrics. Counting is a dictionary update; prometheus_client is imported only to render them."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector

Labels = tuple[str, ...]

_COUNTERS: dict[str, tuple[str, Labels]] = {
    "penstock_events": ("Events by how they ended.", ("outcome",)),
    "penstock_requests": ("Requests by mode and status.", ("mode", "status")),
    "penstock_input_bytes": ("Bytes of the inputs that were processed.", ()),
    "penstock_output_bytes": ("Bytes of the outputs that were written.", ()),
}
_BUCKETS_SECONDS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 300.0)


def exposition(collector: "Collector") -> tuple[bytes, str]:
    """The text that Prometheus scrapes, and its content type."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry), CONTENT_TYPE_LATEST


class Metrics:
    """One worker's counters; safe to use from several threads."""

    def __init__(self, function: str) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._counters: dict[tuple[str, Labels], float] = defaultdict(float)
        self._seconds = [0] * (len(_BUCKETS_SECONDS) + 1)
        self._seconds_sum = 0.0
        self.in_flight = 0

    def add(self, name: str, value: float = 1, *labels: str) -> None:
        """Add to one of the counters in `_COUNTERS`."""
        with self._lock:
            self._counters[name, labels] += value

    def observe_seconds(self, seconds: float) -> None:
        """Count the duration of one request."""
        place = sum(seconds > bound for bound in _BUCKETS_SECONDS)
        with self._lock:
            self._seconds[place] += 1
            self._seconds_sum += seconds

    def enter(self) -> None:
        with self._lock:
            self.in_flight += 1

    def leave(self) -> None:
        with self._lock:
            self.in_flight -= 1

    def render(self) -> tuple[bytes, str]:
        """The text that Prometheus scrapes, and its content type."""
        return exposition(self)

    def collect(self) -> "Iterator[Metric]":
        """What prometheus_client asks of a collector."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        with self._lock:
            counters, seconds, total = dict(self._counters), list(self._seconds), self._seconds_sum
        for name, (text, labels) in _COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=("function", *labels))
            for (of, values), value in counters.items():
                if of == name:
                    counter.add_metric((self._function, *values), value)
            yield counter
        gauge = GaugeMetricFamily("penstock_in_flight", "Requests being worked on.", labels=("function",))
        gauge.add_metric((self._function,), self.in_flight)
        yield gauge
        running, buckets = 0, []
        for bound, count in zip((*map(str, _BUCKETS_SECONDS), "+Inf"), seconds, strict=True):
            running += count
            buckets.append((bound, float(running)))
        histogram = HistogramMetricFamily(
            "penstock_request_seconds", "Time from request to answer.", labels=("function",)
        )
        histogram.add_metric((self._function,), buckets, total)
        yield histogram
