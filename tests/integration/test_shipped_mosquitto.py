"""deploy/mqtt/broker, its files as they are, in a real Mosquitto: TLS only, and each user does its own part."""

import getpass
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.components.certificates import make_certificates
from tests.components.install import ensure_debian_package
from tests.components.mosquitto import MosquittoEndpoint, MosquittoServer
from tests.components.process import LOOPBACK, free_ports
from tests.paths import DEPLOY

FOLDER = DEPLOY / "mqtt" / "broker"
USERS = ("minio", "connector")


class ShippedMosquitto(MosquittoServer):
    """The shipped configuration; only its port, its user and the places of its files are this machine's."""

    def prepare(self) -> MosquittoEndpoint:
        (self.port,) = free_ports(1)
        for name in ("config", "secrets", "tls", "data"):
            (self.folder / name).mkdir(exist_ok=True)
        certificates = make_certificates(self.folder / "tls")
        self.ca_file = certificates.ca_file
        certificates.cert_file.rename(self.folder / "tls" / "tls.crt")
        certificates.key_file.rename(self.folder / "tls" / "tls.key")
        tool = ensure_debian_package("mosquitto", "mosquitto_passwd")
        passwords = self.folder / "secrets" / "passwords"
        passwords.touch(mode=0o600)
        for user in USERS:
            subprocess.run([tool, "-b", passwords, user, f"{user}-secret"], check=True, capture_output=True)
        rules = self.folder / "config" / "acl.conf"
        rules.write_text((FOLDER / "acl.conf").read_text(encoding="utf-8"), encoding="utf-8")
        rules.chmod(0o600)
        shipped = (FOLDER / "mosquitto.conf").read_text(encoding="utf-8").replace("/mosquitto/", f"{self.folder}/")
        text = re.sub(r"(?m)^listener 8883$", f"listener {self.port} {LOOPBACK}", shipped)
        self._config = self.folder / "mosquitto.conf"
        self._config.write_text(f"user {getpass.getuser()}\n{text}", encoding="utf-8")
        return MosquittoEndpoint(LOOPBACK, self.port, None, None)


@dataclass
class Client:
    """A connected client, and what it got."""

    client: mqtt.Client
    refused: bool
    messages: SimpleQueue[bytes]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ShippedMosquitto]:
    with ShippedMosquitto(tmp_path) as server:
        yield server


def connect(broker: ShippedMosquitto, user: str, password: str, *, will: str = "") -> Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    if user:
        client.username_pw_set(user, password)
    if will:
        client.will_set(will, b"forged", qos=1)
    client.tls_set(str(broker.ca_file))
    answers: SimpleQueue[bool] = SimpleQueue()
    messages: SimpleQueue[bytes] = SimpleQueue()
    client.on_connect = lambda _client, _data, _flags, reason, _properties: answers.put(reason.is_failure)
    client.on_message = lambda _client, _data, message: messages.put(bytes(message.payload))
    client.connect(LOOPBACK, broker.port)
    client.loop_start()
    return Client(client, answers.get(timeout=120), messages)


def subscribe(known: Client, topic: str) -> None:
    done: SimpleQueue[None] = SimpleQueue()
    known.client.on_subscribe = lambda *_: done.put(None)
    known.client.subscribe(topic, qos=1)
    done.get(timeout=120)


def publish(known: Client, topic: str, payload: bytes) -> bool:
    """Whether the broker took it."""
    codes: SimpleQueue[bool] = SimpleQueue()
    known.client.on_publish = lambda _client, _data, _mid, reason, _properties: codes.put(reason.is_failure)
    known.client.publish(topic, payload, qos=1)
    return not codes.get(timeout=120)


def test_minio_writes_and_a_group_of_connectors_reads(broker: ShippedMosquitto) -> None:
    minio, connector = (connect(broker, user, f"{user}-secret") for user in USERS)
    subscribe(connector, "$share/penstock/processed")
    assert publish(minio, "processed", b"event")
    assert connector.messages.get(timeout=120) == b"event"
    for each in (minio, connector):
        each.client.disconnect()
        each.client.loop_stop()


def test_neither_user_can_do_the_other_s_part(broker: ShippedMosquitto) -> None:
    # One more connector: this version ends the connection of a client whose message it refuses.
    minio, connector, forger = (connect(broker, user, f"{user}-secret") for user in (*USERS, "connector"))
    subscribe(minio, "processed")
    subscribe(connector, "processed")
    assert not publish(forger, "processed", b"forged")
    assert publish(minio, "processed", b"event")
    # The forged message would have come before this one.
    assert connector.messages.get(timeout=120) == b"event"
    # A round trip after it: what the broker had for minio would be here.
    subscribe(minio, "another")
    with pytest.raises(Empty):
        minio.messages.get_nowait()
    for each in (minio, connector, forger):
        each.client.disconnect()
        each.client.loop_stop()


@pytest.mark.parametrize("topic", ["$SYS/#", "$SYS/broker/clients/total", "$CONTROL/#"])
def test_connector_is_told_nothing_about_the_broker(broker: ShippedMosquitto, topic: str) -> None:
    minio, connector = (connect(broker, user, f"{user}-secret") for user in USERS)
    subscribe(connector, topic)
    subscribe(connector, "processed")
    assert publish(minio, "processed", b"event")
    assert connector.messages.get(timeout=30) == b"event", "a retained message of $SYS would have come before it"
    for each in (minio, connector):
        each.client.disconnect()
        each.client.loop_stop()


def test_last_will_of_the_connector_forges_no_event(broker: ShippedMosquitto) -> None:
    """A client's will is published when its connection breaks; the rules hold for it too."""
    minio, connector = (connect(broker, user, f"{user}-secret") for user in USERS)
    subscribe(connector, "processed")
    forger = connect(broker, "connector", "connector-secret", will="processed")
    if not forger.refused:
        forger.client.socket().close()  # type: ignore[union-attr]  # broken off, so that the will is published
    assert publish(minio, "processed", b"event")
    assert connector.messages.get(timeout=30) == b"event"
    forger.client.loop_stop()
    # The broker notices a broken connection by itself; what it had for the connector would come before this.
    assert publish(minio, "processed", b"second")
    assert connector.messages.get(timeout=30) == b"second"
    for each in (minio, connector):
        each.client.disconnect()
        each.client.loop_stop()


def test_client_without_a_name_is_refused(broker: ShippedMosquitto) -> None:
    stranger = connect(broker, "", "")
    assert stranger.refused
    stranger.client.loop_stop()


def test_a_wrong_password_and_a_connection_without_tls_are_refused(broker: ShippedMosquitto) -> None:
    stranger = connect(broker, "minio", "wrong")
    assert stranger.refused
    stranger.client.loop_stop()
    plain = mqtt.Client(CallbackAPIVersion.VERSION2)
    ended: SimpleQueue[None] = SimpleQueue()
    accepted: SimpleQueue[None] = SimpleQueue()
    plain.on_disconnect = lambda *_: ended.put(None)
    plain.on_connect = lambda *_: accepted.put(None)
    plain.connect(LOOPBACK, broker.port)
    plain.loop_start()
    ended.get(timeout=120)
    plain.loop_stop()
    assert accepted.empty()
