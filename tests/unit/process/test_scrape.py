"""What is shown at /metrics is read back."""

import pytest
from penstock.process import metric_table
from penstock.process.exposition import ProcessMetrics
from penstock.process.metric_table import Measure
from penstock.process.scrape import MetricSample, read_samples


def test_what_a_process_shows_is_read_back() -> None:
    metrics = ProcessMetrics()
    metrics.gauge(metric_table.KAFKA_LAG, lambda: [({"topic": 'a"b\\c', "partition": "0"}, 12)])
    metrics.count(Measure("penstock_events", "counter", (), "Events.", "other"), 3)
    text, _ = metrics.render()
    assert MetricSample("penstock_kafka_lag", {"topic": 'a"b\\c', "partition": "0"}, 12.0) in read_samples(
        text.decode()
    )
    assert MetricSample("penstock_events_total", {}, 3.0) in read_samples(text.decode())


def test_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match="float"):
        read_samples("<html>{")
