"""Whether an MQTT broker answers."""

from __future__ import annotations

from collections.abc import Callable

from penstock.connect.mqtt.client import broker_answers

from tests.unit.connect.played_broker import NOT_AUTHORIZED, PlayedBroker


def test_only_a_broker_that_lets_a_client_in_answers(play: Callable[..., PlayedBroker]) -> None:
    assert broker_answers(play().address)
    assert not broker_answers(play(connect=None).address, 0.2)  # frozen: the system accepts, the broker says nothing
    assert not broker_answers(play(connect=NOT_AUTHORIZED).address)
    gone = play()
    gone.stop()
    assert not broker_answers(gone.address)
