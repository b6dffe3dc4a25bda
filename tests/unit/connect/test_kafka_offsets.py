"""Offsets that a broker did not confirm are not taken as committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from confluent_kafka import KafkaError, KafkaException
from penstock.connect.kafka.offsets import commit

PLACES = [("upload", 0, 5, ""), ("upload", 1, 7, "")]


@dataclass(frozen=True)
class Answered:
    """A partition as `Consumer.commit` returns it."""

    topic: str
    partition: int
    error: KafkaError | None = None


class Consumer:
    """Answers each commit with what the test gives, or raises it."""

    def __init__(self, answer: Sequence[Answered] | KafkaException | None) -> None:
        self._answer = answer

    def commit(self, offsets: Sequence[object], asynchronous: bool) -> Sequence[Answered] | None:
        if isinstance(self._answer, KafkaException):
            raise self._answer
        return self._answer


def test_commit_that_is_refused_for_one_partition_is_not_confirmed(caplog: pytest.LogCaptureFixture) -> None:
    refused = Answered("upload", 1, KafkaError(KafkaError.REBALANCE_IN_PROGRESS))
    assert not commit(Consumer([Answered("upload", 0), refused]), PLACES, wait=True)
    assert "upload/1" in caplog.text
    assert "upload/0" not in caplog.text


def test_commit_that_fails_is_not_confirmed() -> None:
    assert not commit(Consumer(KafkaException(KafkaError(KafkaError._TIMED_OUT))), PLACES, wait=True)


def test_commit_that_every_partition_confirms_is_confirmed() -> None:
    assert commit(Consumer([Answered("upload", 0), Answered("upload", 1)]), PLACES, wait=True)
    assert commit(Consumer(None), PLACES, wait=False)
