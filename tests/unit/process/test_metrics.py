"""Metrics that Prometheus reads."""

from __future__ import annotations

import sys
import threading

import pytest
from penstock.process.metrics import Metrics
from prometheus_client.parser import text_string_to_metric_families


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text, _ = metrics.render()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[name, frozenset({"function": "upper", **labels}.items())]


def test_counters_have_the_function_and_their_own_labels() -> None:
    metrics = Metrics("upper")
    metrics.add("penstock_events", 1, "processed")
    metrics.add("penstock_events", 2, "processed")
    metrics.add("penstock_input_bytes", 10)
    assert value(metrics, "penstock_events_total", outcome="processed") == 3
    assert value(metrics, "penstock_input_bytes_total") == 10


def test_histogram_is_cumulative_and_sums_up() -> None:
    metrics = Metrics("upper")
    for seconds in (0.001, 0.005, 0.05, 400.0):
        metrics.observe_seconds(seconds)
    assert value(metrics, "penstock_request_seconds_bucket", le="0.005") == 2
    assert value(metrics, "penstock_request_seconds_bucket", le="0.1") == 3
    assert value(metrics, "penstock_request_seconds_bucket", le="300.0") == 3
    assert value(metrics, "penstock_request_seconds_bucket", le="+Inf") == 4
    assert value(metrics, "penstock_request_seconds_count") == 4
    assert value(metrics, "penstock_request_seconds_sum") == pytest.approx(400.056)


def test_gauge_goes_up_and_down() -> None:
    metrics = Metrics("upper")
    metrics.enter()
    metrics.enter()
    metrics.leave()
    assert value(metrics, "penstock_in_flight") == 1


def test_labels_with_quotes_and_newlines_are_escaped() -> None:
    metrics = Metrics('up"per\n')
    metrics.add("penstock_input_bytes", 1)
    assert samples(metrics)["penstock_input_bytes_total", frozenset({("function", 'up"per\n')})] == 1


def test_nothing_counted_yet_is_still_readable() -> None:
    assert ("penstock_in_flight", frozenset({("function", "upper")})) in samples(Metrics("upper"))


def test_threads_lose_no_count() -> None:
    metrics = Metrics("upper")

    def count() -> None:
        for _ in range(2000):
            metrics.add("penstock_events", 1, "processed")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(metrics, "penstock_events_total", outcome="processed") == 8000


def test_counting_imports_no_client_library() -> None:
    import subprocess

    script = (
        "import sys; from penstock.process.metrics import Metrics; m = Metrics('f'); m.add('penstock_events', 1, 'x');"
        "sys.exit('prometheus_client' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
