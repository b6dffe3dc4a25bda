"""The MQTT connector: QoS 1, acknowledged when the function has given its final answer.

MQTT 5 with a persistent session: what was not acknowledged comes again after a reconnect, and Receive Maximum
bounds what the broker sends ahead. Acknowledgements go out in the order in which messages came, as the
specification demands (4.6). Dead letters are kept in an inbox file, and can be replayed from it.
"""

import hashlib
import json
import logging
import ssl
import threading
from collections import deque
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from penstock import events
from penstock.connect.mqtt.broker import Broker
from penstock.connect.subscriptions import Finder, Subscriptions
from penstock.delivery.deliverer import Message, Policy
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import InboxSender
from penstock.delivery.measures import DeliveryMeasures
from penstock.errors import EventError

# A topic may have 64 KiB. An HTTP server refuses a request with such a header (431).
MAX_TOPIC_BYTES = 4000

_log = logging.getLogger("penstock.connect")


class Arrival:
    """One message from the broker, on the connection that brought it."""

    __slots__ = ("mid", "waits", "window")

    def __init__(self, window: "Window", mid: int, waits: int) -> None:
        self.window = window
        self.mid = mid
        self.waits = waits


class Window:
    """The unacknowledged messages of one connection, oldest first."""

    def __init__(self) -> None:
        self.open: deque[Arrival] = deque()
        self.lost = False
        self.lock = threading.Lock()


class MqttConnector:
    """Delivers the messages of some topics to the functions that want them, until `stop`."""

    def __init__(
        self,
        broker: Broker,
        finder: Finder,
        inbox: Inbox,
        *,
        policy: Policy,
        cloudevents: bool = False,
        keep_identity: bool = False,
    ) -> None:
        from paho.mqtt.client import Client, MQTTv5
        from paho.mqtt.enums import CallbackAPIVersion

        self._broker = broker
        self._finder = finder
        self._cloudevents = cloudevents
        self._max_in_flight = min(policy.max_in_flight, 65535)
        self._wanted = Subscriptions({}, {})
        self._window = Window()
        self._stopping = threading.Event()
        self.measures = DeliveryMeasures()
        self._sender: InboxSender[Arrival] = InboxSender(
            inbox, (), policy, observe=self.measures.observe, finished=self._finished, keep_identity=keep_identity
        )
        self._client = Client(CallbackAPIVersion.VERSION2, broker.client_id, protocol=MQTTv5, manual_ack=True)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._arrived
        self._client.reconnect_delay_set(1, 30)
        if broker.username:
            self._client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            self._client.tls_set_context(ssl.create_default_context(cafile=broker.ca_file))
        gauge = self.measures.gauge
        gauge("penstock_mqtt_unacknowledged", "Taken, not finished.", lambda: [({}, len(self._window.open))])
        gauge("penstock_inbox_dead", "Dead letters.", lambda: [({}, inbox.counts().dead)])

    def stop(self) -> None:
        """Let `run` drain and return; may be called by any thread and by a signal handler."""
        self._stopping.set()

    def unready(self) -> str:
        """Why messages do not flow, or ""."""
        if not self._wanted.topics:
            return "no function wants a topic yet"
        if not self._client.is_connected():
            return f"not connected to {self._broker.host}:{self._broker.port}"
        return "" if self._sender.running else self._sender.error or "delivery has ended"

    def run(self, drain_seconds: float = 25.0) -> None:
        """Deliver until `stop` is called; then drain. Raises `ConfigError` when the inbox is another's."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        self._sender.start()
        self._finder.start()
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._broker.session_seconds
        properties.ReceiveMaximum = self._max_in_flight
        # Not before the targets are known: a session that goes on brings messages at once.
        while not self._apply_discovery() and not self._stopping.wait(0.1):
            pass
        self._client.connect_async(self._broker.host, self._broker.port, clean_start=False, properties=properties)
        self._client.loop_start()
        while not self._stopping.wait(0.5):
            self._apply_discovery()
        self._finder.stop()
        if not self._sender.stop(drain_seconds):
            _log.warning("requests under way were cut off; their messages will be delivered again")
        self._client.disconnect()
        self._client.loop_stop()

    def _apply_discovery(self) -> bool:
        found = self._finder.news()
        if found is not None and found != self._wanted:
            gone = set(self._wanted.topics) - set(found.topics)
            self._sender.configure(found.targets.values())
            self._wanted = found
            if self._client.is_connected():
                self._subscribe(found.topics)
                for topic in gone:
                    self._client.unsubscribe(self._broker.filter(topic))
        return bool(self._wanted.topics)

    def _subscribe(self, topics: Iterable[str]) -> None:
        if wanted := [(self._broker.filter(topic), 1) for topic in sorted(topics)]:
            _log.info("mqtt: topics %s", ", ".join(topic for topic, _ in wanted))
            self._client.subscribe(wanted)

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            _log.error("mqtt: %s:%d refused: %s", self._broker.host, self._broker.port, reason)
            return
        self._subscribe(self._wanted.topics)

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        """What was not acknowledged comes again: forget what waits, and do not acknowledge what is being sent."""
        window, self._window = self._window, Window()
        with window.lock:
            window.lost = True
        if not self._stopping.is_set():
            _log.warning("mqtt: connection lost: %s", reason)
            self._sender.withdraw(lambda message: message.receipt.window is window)

    def _arrived(self, _client: Any, _data: Any, message: Any) -> None:
        from paho.mqtt.client import topic_matches_sub

        if self._stopping.is_set():
            return
        names = {
            name: None
            for topic, targets in self._wanted.topics.items()
            if topic_matches_sub(topic, message.topic)
            for name in targets
        }
        window = self._window
        arrival = Arrival(window, message.mid, 0)
        made = [each for name in names for each in self.messages_of(message.topic, message.payload, name, arrival)]
        arrival.waits = len(made)
        if message.qos:
            with window.lock:
                window.open.append(arrival)
        if made:
            self._sender.submit(made)
        else:
            self._acknowledge(window)

    def messages_of(self, topic: str, payload: bytes, target: str, arrival: Arrival) -> list[Message[Arrival]]:
        """What is sent to one target for one message of the broker."""
        where = f"{topic}#{arrival.mid}"
        if not self._cloudevents:
            headers = {"Content-Type": "text/plain"}
            name = quote(topic, safe=" /:;,=+-._~!@$&'()*")
            if len(name) <= MAX_TOPIC_BYTES:
                headers["X-Topic"] = name
            return [Message(ordering_key(topic, payload), payload, headers, where, target, arrival)]
        try:
            made = events.to_cloudevents(payload)
        except EventError:
            headers = {
                "ce-specversion": "1.0",
                "ce-type": "dev.penstock.mqtt.message",
                "ce-source": f"/penstock/connect/mqtt#{_short(quote(topic))}",
                "ce-id": hashlib.sha256(topic.encode() + b"\0" + payload).hexdigest(),
            }
            return [Message(ordering_key(topic, payload), payload, headers, where, target, arrival)]
        return [
            Message(ordering_key(topic, payload), event.data, event.http_headers(), where, target, arrival)
            for event in made
        ]

    def _finished(self, message: Message[Arrival]) -> None:
        arrival = message.receipt
        arrival.waits -= 1
        if not arrival.waits:
            self._acknowledge(arrival.window)

    def _acknowledge(self, window: Window) -> None:
        with window.lock:
            while window.open and not window.open[0].waits and not window.lost:
                self._client.ack(window.open.popleft().mid, 1)


def _short(name: str) -> str:
    """A topic as a header may carry it: of one that is too long, its SHA-256."""
    return name if len(name) <= MAX_TOPIC_BYTES else f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def ordering_key(topic: str, payload: bytes) -> str:
    """MinIO's messages about one object are delivered in order, and so are other messages of one topic."""
    try:
        found = json.loads(payload).get("Key")
    except (ValueError, AttributeError, RecursionError):
        found = None
    return f"{topic}\0{found}" if isinstance(found, str) else topic
