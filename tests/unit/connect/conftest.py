"""Fixtures of the connectors' tests."""

from collections.abc import Callable, Iterator

import pytest

from tests.unit.connect.played_broker import PlayedBroker


@pytest.fixture
def play() -> Iterator[Callable[..., PlayedBroker]]:
    made: list[PlayedBroker] = []

    def make(**answers: int | None) -> PlayedBroker:
        made.append(PlayedBroker(**answers))
        return made[-1]

    yield make
    for each in made:
        each.stop()
