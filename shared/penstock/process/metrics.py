"""A function's counters for /metrics. To count is a dictionary update; prometheus_client is imported only to render.

Not made with prometheus_client, as other processes' metrics are (`exposition.py`): to import it takes a tenth of a
function's start, and its own way for several workers needs a folder that is writable. Several workers publish what they
counted (`serving/shared_counts.py`), and the one that is scraped answers for all.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from penstock.process import metric_table

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

Labels = tuple[str, ...]

_COUNTERS = (metric_table.EVENTS, metric_table.REQUESTS, metric_table.INPUT_BYTES, metric_table.OUTPUT_BYTES)
_BUCKETS_SECONDS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 300.0)


@dataclass(slots=True)
class Counts:
    """What was counted: by name and labels, by duration, and the requests that are being worked on."""

    counters: defaultdict[tuple[str, Labels], float] = field(default_factory=lambda: defaultdict(float))
    seconds: list[int] = field(default_factory=lambda: [0] * (len(_BUCKETS_SECONDS) + 1))
    seconds_sum: float = 0.0
    in_flight: int = 0

    def include(self, other: "Counts") -> None:
        """Add what another worker counted."""
        for key, value in other.counters.items():
            self.counters[key] += value
        self.seconds = [mine + its for mine, its in zip(self.seconds, other.seconds, strict=True)]
        self.seconds_sum += other.seconds_sum
        self.in_flight += other.in_flight

    def dump(self) -> bytes:
        counters = [(name, labels, value) for (name, labels), value in self.counters.items()]
        return json.dumps((counters, self.seconds, self.seconds_sum, self.in_flight)).encode()

    @classmethod
    def load(cls, text: bytes) -> "Counts":
        counters, seconds, seconds_sum, in_flight = json.loads(text)
        counts = cls(seconds=seconds, seconds_sum=seconds_sum, in_flight=in_flight)
        counts.counters.update({(name, tuple(labels)): value for name, labels, value in counters})
        return counts


class CountsOfWorkers(Protocol):
    """Where several workers publish their counts, each at its place; `serving/shared_counts.py` has the real one."""

    def read(self, place: int) -> Counts | None: ...

    def write(self, place: int, counts: Counts) -> None: ...

    def all(self) -> Counts: ...


class Metrics:
    """One worker's counters; safe to use from several threads.

    With a `board` it goes on from what a worker before it published at its `place`, and renders the sum of all places.
    """

    def __init__(self, function: str, board: CountsOfWorkers | None = None, place: int = 0) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._board, self._place = board, place
        self._counts = Counts()
        if board is not None:
            self._counts = board.read(place) or Counts()
            self._counts.in_flight = 0
            board.write(place, self._counts)

    @property
    def in_flight(self) -> int:
        """Requests that this worker is working on."""
        return self._counts.in_flight

    def add(self, name: str, value: float = 1, *labels: str) -> None:
        """Add to one of the counters in `_COUNTERS`."""
        with self._lock:
            self._counts.counters[name, labels] += value

    def observe_seconds(self, seconds: float) -> None:
        """Count the duration of one request."""
        place = sum(seconds > bound for bound in _BUCKETS_SECONDS)
        with self._lock:
            self._counts.seconds[place] += 1
            self._counts.seconds_sum += seconds

    def enter(self) -> None:
        """A request begins."""
        self._change_in_flight(1)

    def leave(self) -> None:
        """A request ends; with it all that it counted is published."""
        self._change_in_flight(-1)

    def _change_in_flight(self, by: int) -> None:
        with self._lock:
            self._counts.in_flight += by
            if self._board is not None:
                self._board.write(self._place, self._counts)

    def render(self) -> tuple[bytes, str]:
        """The text that Prometheus scrapes, and its content type."""
        from penstock.process.exposition import exposition

        return exposition(self)

    def collect(self) -> "Iterator[Metric]":
        """What prometheus_client asks of a collector."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        counts = Counts()
        if self._board is not None:
            counts = self._board.all()
        else:
            with self._lock:
                counts.include(self._counts)
        for measure in _COUNTERS:
            counter = CounterMetricFamily(measure.name, measure.text, labels=measure.labels)
            for (of, values), value in counts.counters.items():
                if of == measure.name:
                    counter.add_metric((self._function, *values), value)
            yield counter
        in_flight = metric_table.IN_FLIGHT
        gauge = GaugeMetricFamily(in_flight.name, in_flight.text, labels=in_flight.labels)
        gauge.add_metric((self._function,), counts.in_flight)
        yield gauge
        running, buckets = 0, []
        for bound, count in zip((*map(str, _BUCKETS_SECONDS), "+Inf"), counts.seconds, strict=True):
            running += count
            buckets.append((bound, float(running)))
        seconds = metric_table.REQUEST_SECONDS
        histogram = HistogramMetricFamily(seconds.name, seconds.text, labels=seconds.labels)
        histogram.add_metric((self._function,), buckets, counts.seconds_sum)
        yield histogram
