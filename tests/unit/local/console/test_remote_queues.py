"""What connectors show of their queues."""

import pytest
from penstock.errors import ConfigError
from penstock.local.console.remote.queues import Queues
from pytest_httpserver import HTTPServer as Peer

TEXT = """\
# TYPE penstock_kafka_lag gauge
penstock_kafka_lag{topic="uploads",partition="0"} 12
penstock_kafka_lag{topic="uploads",partition="1"} 30
penstock_kafka_lag{topic="images",partition="0"} -1
# TYPE penstock_inbox_dead gauge
penstock_inbox_dead 3
"""


def test_lag_is_summed_over_the_partitions_of_a_topic(httpserver: Peer) -> None:
    httpserver.expect_request("/metrics").respond_with_data(TEXT)
    url = httpserver.url_for("/metrics")
    found, problems = Queues([url]).read()
    assert problems == []
    assert [(each["name"], each["count"], each["what"]) for each in found] == [
        ("Kafka topic uploads", 42, "records wait"),
        ("Kafka topic images", 0, "records wait"),
        (url, 3, "dead letters"),
    ]


def test_one_that_does_not_answer_does_not_hide_the_others(httpserver: Peer) -> None:
    httpserver.expect_request("/metrics").respond_with_data(TEXT)
    httpserver.expect_request("/gone").respond_with_data("no", 404)
    httpserver.expect_request("/text").respond_with_data("no metrics at all {")
    paths = ("/gone", "/text", "/metrics")
    found, problems = Queues([httpserver.url_for(path) for path in paths]).read()
    assert len(found) == 3
    assert [httpserver.url_for(path) in problem for path, problem in zip(paths, problems, strict=False)] == [True, True]


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="metrics"):
        Queues(["connector:8080/metrics"])
