"""Subscribed, refused, silent: what a session says of its broker."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

import pytest
from penstock.connect.mqtt.broker import Broker
from penstock.connect.mqtt.session import Session
from penstock.connect.mqtt.window import Arrival

from tests.unit.connect.played_broker import NOT_AUTHORIZED, PlayedBroker
from tests.waiting import wait_until


def take(_topic: str, _payload: bytes, arrival: Arrival) -> None:
    arrival.begin(0)


def test_a_session_has_joined_once_its_topics_are_granted(play: Callable[..., PlayedBroker]) -> None:
    broker = play()
    session = Session(broker.address, 10, take, lambda _window: None)
    assert session.problem() == f"not connected to 127.0.0.1:{broker.port}"
    session.start(["processed"])
    try:
        wait_until(lambda: session.joined)
        assert session.problem() == ""
        broker.publish(7, "processed", b"{}")
        wait_until(lambda: broker.acknowledged == [7])
    finally:
        session.end()
    assert not session.joined


def test_a_subscription_without_an_answer_is_not_joined(play: Callable[..., PlayedBroker]) -> None:
    broker = play(subscribe=None)
    session = Session(broker.address, 10, take, lambda _window: None)
    session.start(["processed"])
    try:
        wait_until(lambda: session.problem() == f"not subscribed at 127.0.0.1:{broker.port} yet")
        assert not session.joined
    finally:
        session.end()


def test_a_refused_topic_is_named(play: Callable[..., PlayedBroker]) -> None:
    session = Session(play(subscribe=NOT_AUTHORIZED).address, 10, take, lambda _window: None)
    session.start(["processed"])
    try:
        wait_until(lambda: bool(session.refusal))
        assert session.problem() == "the broker refuses topics: processed: Not authorized; check its access rules"
    finally:
        session.end()


def test_a_refused_login_is_named(play: Callable[..., PlayedBroker]) -> None:
    session = Session(play(connect=NOT_AUTHORIZED).address, 10, take, lambda _window: None)
    session.start(["processed"])
    try:
        wait_until(lambda: "refused: Not authorized; check MQTT_USERNAME" in session.problem())
    finally:
        session.end()


def test_a_client_that_ended_is_seen(play: Callable[..., PlayedBroker]) -> None:
    def broken(_topic: str, _payload: bytes, _arrival: Arrival) -> None:
        raise RuntimeError("a mistake in the connector")

    broker = play()
    session = Session(broker.address, 10, broken, lambda _window: None)
    session.start(["processed"])
    wait_until(lambda: session.joined)
    broker.publish(1, "processed", b"{}")
    wait_until(lambda: not session.joined)
    session.end()


def test_a_broker_that_does_not_answer_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    session = Session(Broker("127.0.0.1", port, "penstock-test"), 10, take, lambda _window: None)
    with caplog.at_level(logging.WARNING):
        session.start(["processed"])
        try:
            wait_until(lambda: bool(caplog.messages))
        finally:
            session.end()
    assert caplog.messages == [f"mqtt: 127.0.0.1:{port} does not answer; trying again until it does"]
