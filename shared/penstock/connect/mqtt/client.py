"""The client library for MQTT, set up for one broker."""

import ssl
import threading
from typing import TYPE_CHECKING, Any

from penstock.connect.mqtt.broker import Broker

if TYPE_CHECKING:
    from paho.mqtt.client import Client

ANSWER_SECONDS = 5.0


def new_client(broker: Broker, client_id: str, *, manual_ack: bool = False) -> "Client":
    """A client of MQTT 5 that can log in and is not connected yet."""
    from paho.mqtt.client import Client, MQTTv5
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv5, manual_ack=manual_ack)
    if broker.username:
        client.username_pw_set(broker.username, broker.password)
    if broker.tls:
        client.tls_set_context(ssl.create_default_context(cafile=broker.ca_file))
    return client


def broker_answers(broker: Broker, timeout_seconds: float = ANSWER_SECONDS) -> bool:
    """Whether the broker lets a client in that connects now; a broker that is frozen does not."""
    client = new_client(broker, "")  # the broker gives it a name of its own, for this connection
    answered = threading.Event()
    accepted = False

    def connected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        nonlocal accepted
        accepted = not reason.is_failure
        answered.set()

    client.on_connect = connected
    client.connect_timeout = timeout_seconds
    try:
        client.connect(broker.host, broker.port)
    except OSError:
        return False
    client.loop_start()
    answered.wait(timeout_seconds)
    client.disconnect()
    client.loop_stop()
    return accepted
