"""The metrics of a long-running process: made with prometheus_client, kept in one registry, rendered for /metrics.

Connectors, the bridge, the watcher of Jobs and the local gateway use `ProcessMetrics`. A function does not:
its counters (`metrics.py`) must work before prometheus_client is imported, and over several workers. Both are rendered
here.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from penstock.process.metric_table import Measure

disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each counter and histogram, which no dashboard asks for

Read = Callable[[], Iterable[tuple[Mapping[str, str], float]]]
"""Reads the present values of a gauge: pairs of labels and a value, all with the same names of labels."""


def exposition(collector: Collector) -> tuple[bytes, str]:
    """The text that Prometheus scrapes from one collector, and its content type."""
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry), CONTENT_TYPE_LATEST


class ProcessMetrics:
    """Counters, histograms and gauges of one process; safe to use from several threads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._lock = threading.Lock()

    def count(self, measure: Measure, value: float = 1) -> None:
        """Add to a counter without labels, which the first call makes; 0 makes it show up before the first event."""
        with self._lock:
            counter = self._counters.get(measure.name)
            if counter is None:
                counter = self._counters[measure.name] = self.counter(measure)
        counter.inc(value)

    def counter(self, measure: Measure) -> Counter:
        """A new counter; Prometheus sees it as its name with `_total`."""
        return Counter(measure.name, measure.text, measure.labels, registry=self._registry)

    def histogram(self, measure: Measure, buckets: Sequence[float]) -> Histogram:
        """A new histogram; `buckets` are upper bounds."""
        return Histogram(measure.name, measure.text, measure.labels, buckets=buckets, registry=self._registry)

    def gauge(self, measure: Measure, read: Read) -> None:
        """Add a gauge that is read at every scrape."""
        self._registry.register(_ReadGauge(measure, read))

    def render(self) -> tuple[bytes, str]:
        """The text that Prometheus scrapes, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _ReadGauge(Collector):
    def __init__(self, measure: Measure, read: Read) -> None:
        self._name = measure.name
        self._text = measure.text
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Its name, so that registering it does not read it."""
        return [GaugeMetricFamily(self._name, self._text)]

    def collect(self) -> Iterator[Metric]:
        values = list(self._read())
        gauge = GaugeMetricFamily(self._name, self._text, labels=tuple(values[0][0]) if values else ())
        for labels, value in values:
            gauge.add_metric(tuple(labels.values()), value)
        yield gauge
