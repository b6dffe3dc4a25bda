"""Reads what a process of ours shows at /metrics (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class MetricSample:
    """One line: a name, its labels, and the present value."""

    name: str
    labels: Mapping[str, str]
    value: float


def read_samples(text: str) -> list[MetricSample]:
    """The samples in the order of the text; raises `ValueError` for what is not such a text.

    >>> read_samples('penstock_kafka_lag{topic="upload",partition="0"} 12')[0].value
    12.0
    """
    return [
        MetricSample(sample.name, dict(sample.labels), float(sample.value))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
