"""One client under the name of a session: it connects again by itself, subscribes, and hands over what comes.

MQTT 5 with a persistent session: what was not acknowledged comes again after a reconnect, and Receive Maximum bounds
what the broker sends ahead.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from penstock.connect.mqtt.broker import Broker, is_filter
from penstock.connect.mqtt.client import new_client
from penstock.connect.mqtt.window import Arrival, Window
from penstock.connect.subscriptions import names_refused

_log = logging.getLogger("penstock.connect")

_END_SECONDS = 5.0


class Session:
    """A connection to the broker, and the next one when it is lost.

    `arrived(topic, payload, arrival)` is called for each message; it calls `arrival.begin`. `lost(window)` is called
    when a connection ends: the messages of its window come again. Both are called on the session's own thread.
    `refusal` says what the broker refuses, or "".
    """

    def __init__(
        self,
        broker: Broker,
        max_in_flight: int,
        arrived: Callable[[str, bytes, Arrival], None],
        lost: Callable[[Window], None],
    ) -> None:
        self._broker = broker
        self._max_in_flight = min(max_in_flight, 65535)
        self._take = arrived
        self._lose = lost
        self._client = new_client(broker, broker.client_id, manual_ack=True)
        self._client.on_connect = self._connected
        self._client.on_connect_fail = self._not_connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._arrived
        self._client.reconnect_delay_set(1, 30)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._lock = threading.Lock()
        self._topics: tuple[str, ...] = ()
        self._asked: int | None = None
        self._asked_for: list[str] = []
        self._confirmed = False
        self.refusal = ""
        self._told = False
        self._ending = False
        self.window = self._new_window()

    @property
    def joined(self) -> bool:
        """Whether messages can come: connected, and the broker has answered the subscription."""
        return self._thread.is_alive() and self._client.is_connected() and self._confirmed

    @property
    def unsettled(self) -> int:
        """Messages taken and not acknowledged."""
        return len(self.window)

    def problem(self) -> str:
        """Why messages do not come, or ""."""
        if self.refusal or self.joined:
            return self.refusal
        where = f"{self._broker.host}:{self._broker.port}"
        return f"not subscribed at {where} yet" if self._client.is_connected() else f"not connected to {where}"

    def start(self, topics: Iterable[str]) -> None:
        """Connect, and subscribe to these topics."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        self._topics = tuple(sorted(topics))
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._broker.session_seconds
        properties.ReceiveMaximum = self._max_in_flight
        self._client.connect_async(self._broker.host, self._broker.port, clean_start=False, properties=properties)
        self._thread.start()

    def subscribe(self, topics: Iterable[str]) -> None:
        """Make these the topics."""
        with self._lock:
            gone = set(self._topics) - set(topics)
            self._topics = tuple(sorted(topics))
            if self._client.is_connected():
                self._ask()
                for topic in filter(is_filter, gone):
                    self._client.unsubscribe(self._broker.filter(topic))

    def end(self) -> None:
        """Leave. The broker keeps the session, and what is not acknowledged comes to the next client."""
        self._ending = True
        self._client.disconnect()
        self._thread.join(_END_SECONDS)  # it may wait for the next try to connect
        self._lose_window()

    def _run(self) -> None:
        try:
            self._client.loop_forever(retry_first_connection=True)
        except Exception:  # noqa: BLE001
            # What a callback raises ends paho's loop: without this line nothing would come, and nothing would be said.
            _log.exception("mqtt: the client ended")

    def _new_window(self) -> Window:
        return Window(lambda mid: self._client.ack(mid, 1))

    def _lose_window(self) -> None:
        lost, self.window = self.window, self._new_window()
        lost.lose()
        self._lose(lost)

    def _ask(self) -> None:
        """Subscribe; the caller holds the lock, so the answer is not read before its id is known."""
        self._confirmed = False
        # paho would raise for one of these, which ends its loop, and with it the messages of all topics.
        odd = [topic for topic in self._topics if not is_filter(topic)]
        self.refusal = names_refused("MQTT", odd)
        if odd:
            _log.error("mqtt: %s", self.refusal)
        if wanted := [topic for topic in self._topics if topic not in odd]:
            filters = [(self._broker.filter(topic), 1) for topic in wanted]
            _log.info("mqtt: topics %s", ", ".join(name for name, _ in filters))
            self._asked_for = wanted
            self._asked = self._client.subscribe(filters)[1]

    def _not_connected(self, _client: Any, _data: Any) -> None:
        """Nothing answers: said once, until a connection was there."""
        if not self._told and not self._ending:
            self._told = True
            _log.warning(
                "mqtt: %s:%s does not answer; trying again until it does", self._broker.host, self._broker.port
            )

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.refusal = f"{self._broker.host}:{self._broker.port} refused: {reason}; check MQTT_USERNAME"
            _log.error("mqtt: %s", self.refusal)
            return
        self._told = False
        with self._lock:
            self._ask()

    def _subscribed(self, _client: Any, _data: Any, mid: int, reasons: Any, _properties: Any) -> None:
        with self._lock:
            if mid != self._asked:
                return
            self._confirmed = True
            refused = [
                f"{topic}: {reason}"
                for topic, reason in zip(self._asked_for, reasons, strict=False)
                if reason.is_failure
            ]
            if refused:
                problem = f"the broker refuses topics: {', '.join(refused)}; check its access rules"
                _log.error("mqtt: %s", problem)
                self.refusal = "; ".join(filter(None, (problem, self.refusal)))

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        """What was not acknowledged comes again: forget what waits, and do not acknowledge what is being sent."""
        self._confirmed = False
        if not self._ending:
            _log.warning("mqtt: connection lost: %s", reason)
            self._lose_window()

    def _arrived(self, _client: Any, _data: Any, message: Any) -> None:
        if not self._ending:
            self._take(message.topic, message.payload, Arrival(self.window, message.mid, message.qos))
