"""The messages of some MQTT topics as they come, for looking: in a session that ends with the connection."""

import queue
import ssl
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from penstock.connect.mqtt.broker import Broker
from penstock.errors import TemporaryError


def mqtt_bodies(broker: Broker, topics: Sequence[str], report: Callable[[str], None]) -> Iterator[bytes]:
    """Messages from now on, without end. `report` is told what the broker refuses. Raises `TemporaryError`."""
    from paho.mqtt.client import Client, MQTTv5
    from paho.mqtt.enums import CallbackAPIVersion

    arrived: queue.Queue[bytes] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2, f"penstock-listen-{uuid.uuid4().hex[:12]}", protocol=MQTTv5)
    if broker.username:
        client.username_pw_set(broker.username, broker.password)
    if broker.tls:
        client.tls_set_context(ssl.create_default_context(cafile=broker.ca_file))

    def connected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            report(f"{broker.host}:{broker.port} refused: {reason}")
        else:
            client.subscribe([(topic, 1) for topic in topics])

    client.on_connect = connected
    client.on_message = lambda _client, _data, message: arrived.put(bytes(message.payload))
    try:
        client.connect(broker.host, broker.port)
    except OSError as exc:
        raise TemporaryError(f"{broker.host}:{broker.port}: {exc}; check MQTT_URL") from exc
    client.loop_start()
    try:
        while True:
            try:
                yield arrived.get(timeout=0.5)
            except queue.Empty:
                continue
    finally:
        client.disconnect()
        client.loop_stop()
