"""Asking the brokers for a topic says within seconds that none answers, and goes on."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from penstock.connect.kafka import topics
from penstock.connect.kafka.topics import find_topic


class Silent:
    """A client whose brokers do not answer the first `times` questions."""

    def __init__(self, times: int) -> None:
        self.left = times

    def list_topics(self, topic: str, timeout: float) -> Any:
        if self.left:
            self.left -= 1
            raise KafkaException(KafkaError(-195))
        return type("Found", (), {"topics": {topic: "its metadata"}})


def test_silence_is_said_once_and_the_answer_still_taken(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "SILENT_SECONDS", 0.0)
    with caplog.at_level(logging.WARNING):
        assert find_topic(Silent(3), "uploads", 60.0) == "its metadata"
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("kafka: no broker answers yet (")


def test_an_answer_at_once_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert find_topic(Silent(0), "uploads", 60.0) == "its metadata"
    assert caplog.messages == []
