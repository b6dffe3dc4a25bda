"""The messages of some MQTT topics as they come, for looking: in a session that ends with the connection."""

import queue
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from penstock.connect.mqtt.broker import Broker
from penstock.connect.mqtt.client import new_client
from penstock.errors import TemporaryError


def mqtt_bodies(broker: Broker, topics: Sequence[str], report: Callable[[str], None]) -> Iterator[bytes]:
    """Messages from now on, without end. `report` is told what the broker refuses. Raises `TemporaryError`."""
    arrived: queue.Queue[bytes] = queue.Queue()
    client = new_client(broker, f"penstock-listen-{uuid.uuid4().hex[:12]}")

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
