"""Subscribed, refused, silent: what a session says of a broker that this test plays byte by byte (MQTT 5, 3.2, 3.9)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from penstock.connect.mqtt.broker import Broker
from penstock.connect.mqtt.client import broker_answers
from penstock.connect.mqtt.connector import MqttConnector
from penstock.connect.mqtt.session import Session
from penstock.connect.mqtt.window import Arrival
from penstock.connect.subscriptions import Finder, Subscriptions
from penstock.connect.watch import SubscriptionState, SubscriptionWatch
from penstock.delivery.deliverer import Policy
from penstock.delivery.http import HttpTarget
from penstock.delivery.inbox import Inbox

CONNECT, SUBSCRIBE, PUBACK = 1, 8, 4
GRANTED, NOT_AUTHORIZED = 1, 0x87


def wait_until(condition: Callable[[], bool]) -> None:
    """Look until it is so; the limit only ends a test that has failed."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)


class PlayedBroker:
    """Answers CONNECT and SUBSCRIBE with reason codes; None: no answer. `publish` sends a message with QoS 1."""

    def __init__(self, *, connect: int | None = 0, subscribe: int | None = GRANTED) -> None:
        self.connect = connect
        self.subscribe = subscribe
        self.clients = 0
        self.acknowledged: list[int] = []
        self._connections: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> Broker:
        return Broker("127.0.0.1", self.port, "penstock-test")

    def publish(self, mid: int, topic: str, payload: bytes) -> None:
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name + mid.to_bytes(2, "big") + b"\0" + payload
        self._connections[-1].sendall(bytes([0x32, len(body)]) + body)

    def stop(self) -> None:
        self._server.close()
        for each in self._connections:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._server.accept()[0]
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while head := stream.read(1):
            size = shift = 0
            while (byte := stream.read(1)[0]) & 0x80:
                size, shift = size | (byte & 0x7F) << shift, shift + 7
            body = stream.read(size | byte << shift)
            kind = head[0] >> 4
            if kind == CONNECT and self.connect is not None:
                self.clients += 1
                connection.sendall(bytes([0x20, 3, 0, self.connect, 0]))
            elif kind == SUBSCRIBE and self.subscribe is not None:
                connection.sendall(bytes([0x90, 4]) + body[:2] + bytes([0, self.subscribe]))
            elif kind == PUBACK:
                self.acknowledged.append(int.from_bytes(body[:2], "big"))


@pytest.fixture
def play() -> Iterator[Callable[..., PlayedBroker]]:
    made: list[PlayedBroker] = []

    def make(**answers: int | None) -> PlayedBroker:
        made.append(PlayedBroker(**answers))
        return made[-1]

    yield make
    for each in made:
        each.stop()


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


def test_only_a_broker_that_lets_a_client_in_answers(play: Callable[..., PlayedBroker]) -> None:
    assert broker_answers(play().address)
    assert not broker_answers(play(connect=None).address, 0.2)  # frozen: the system accepts, the broker says nothing
    assert not broker_answers(play(connect=NOT_AUTHORIZED).address)
    gone = play()
    gone.stop()
    assert not broker_answers(gone.address)


def test_a_client_that_does_not_subscribe_is_replaced(play: Callable[..., PlayedBroker], tmp_path: Path) -> None:
    broker = play(subscribe=None)
    wanted = Subscriptions({"f": HttpTarget("f", "http://127.0.0.1:9/")}, {"processed": ("f",)})
    watch = SubscriptionWatch("mqtt", lambda: True, patience_seconds=0.0)
    connector = MqttConnector(
        broker.address, Finder(lambda: wanted), Inbox(tmp_path / "inbox.db"), policy=Policy(), watch=watch
    )
    thread = threading.Thread(target=connector.run, args=(1.0,))
    thread.start()
    try:
        wait_until(lambda: broker.clients >= 3)
        assert "subscribed but nothing arrives" in connector.unready()
        assert "new clients did not help" in connector.ill()
        broker.subscribe = GRANTED
        wait_until(lambda: watch.state is SubscriptionState.JOINED)
        assert connector.unready() == connector.ill() == ""
        assert b'penstock_subscription{state="joined"} 1.0' in connector.measures.render()[0]
    finally:
        connector.stop()
        thread.join()
