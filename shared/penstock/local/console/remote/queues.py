"""What connectors show at /metrics of what waits: Kafka's lag, and the inbox of a bridge or connector."""

from collections.abc import Iterable
from typing import Any, Final

from penstock.connect import rest
from penstock.errors import TemporaryError
from penstock.process import metric_table
from penstock.process.scrape import MetricSample, read_samples

_LAG: Final = metric_table.KAFKA_LAG.name
# Name of the metric, and what its number is for people.
_GAUGES: Final = {metric_table.INBOX_PENDING.name: "events wait", metric_table.INBOX_DEAD.name: "dead letters"}


class Queues:
    """The addresses of /metrics, asked one after the other."""

    def __init__(self, urls: Iterable[str], *, ca_file: str | None = None) -> None:
        self._urls = tuple(urls)
        for url in self._urls:
            rest.check_url(url, "metrics")
        self._ca_file = ca_file

    def read(self) -> tuple[list[dict[str, Any]], list[str]]:
        """What waits, ready for JSON, as `{"name", "count", "what"}`; and what did not answer, in words."""
        found: list[dict[str, Any]] = []
        problems = []
        for url in self._urls:
            try:
                text = rest.get(url, what="metrics", headers={}, ca_file=self._ca_file).decode()
                found += _waiting(url, read_samples(text))
            except (TemporaryError, ValueError) as exc:
                problems.append(f"{url}: {exc}" if url not in str(exc) else str(exc))
        return found, problems


def _waiting(url: str, samples: Iterable[MetricSample]) -> list[dict[str, Any]]:
    lag: dict[str, float] = {}
    found = []
    for sample in samples:
        if sample.name == _LAG:
            topic = sample.labels.get("topic", "")
            lag[topic] = lag.get(topic, 0) + max(0.0, sample.value)
        elif what := _GAUGES.get(sample.name):
            found.append({"name": url, "count": round(sample.value), "what": what})
    return [
        {"name": f"Kafka topic {topic}", "count": round(n), "what": "records wait"} for topic, n in lag.items()
    ] + found
