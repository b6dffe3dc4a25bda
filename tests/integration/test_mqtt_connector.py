"""The MQTT connector on a real Mosquitto: kill, broker restart, shared subscriptions, dead letters."""

from __future__ import annotations

import json
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from tests.components import MosquittoServer
from tests.integration.connect_helpers import QUICK, Penstock, RecordingFunction, dlq
from tests.integration.queue_contract import refuse_and_replay
from tests.paths import EVENTS


def publish(broker: MosquittoServer, topic: str, *payloads: bytes) -> None:
    """Publish with QoS 1 and wait for every acknowledgement."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    if broker.endpoint.username:
        client.username_pw_set(broker.endpoint.username, broker.endpoint.password)
    client.connect(broker.endpoint.host, broker.endpoint.port)
    client.loop_start()
    sent = [client.publish(topic, payload, qos=1) for payload in payloads]
    for each in sent:
        each.wait_for_publish(120)
        assert each.is_published()
    client.disconnect()
    client.loop_stop()


def connect(
    broker: MosquittoServer, folder: Path, name: str, to: str, *more: str, env: dict[str, str] | None = None
) -> Penstock:
    """A connector with an inbox and a session of its own, once it takes messages."""
    url = f"mqtt://{broker.endpoint.host}:{broker.endpoint.port}"
    made = Penstock(
        name, folder, "connect", "mqtt", "--url", url, "--client-id", f"{folder.name}-{name}",
        "--inbox", str(folder / f"{name}.db"), "--to", to, *QUICK, *more, env=env,
    )  # fmt: skip
    made.until(lambda: "mqtt: topics" in made.text(), "subscribed")
    return made


def notification(key: str) -> bytes:
    value: dict[str, Any] = json.loads((EVENTS / "mqtt_payload.json").read_text())
    value["Key"] = f"processed/{key}"
    value["Records"][0]["s3"]["object"]["key"] = key
    return json.dumps(value).encode()


def test_messages_are_delivered_while_connector_and_broker_are_killed(
    tmp_path: Path, function: RecordingFunction
) -> None:
    def answer(path: str, body: bytes) -> int:
        time.sleep(0.01)
        return 200

    function.answer = answer
    wanted = [b"%d" % number for number in range(300)]
    with MosquittoServer(tmp_path / "broker") as broker:
        first = connect(broker, tmp_path, "connector", f"processed={function.url}/")
        publish(broker, "processed", *wanted[:100])
        first.until(lambda: len(function.delivered()) > 20, "20 delivered")
        first.kill()
        publish(broker, "processed", *wanted[100:200])  # kept by the broker for the session
        second = connect(broker, tmp_path, "connector", f"processed={function.url}/")
        second.until(lambda: len(set(function.delivered())) > 120, "more delivered")
        broker.kill()
        broker.restart()
        publish(broker, "processed", *wanted[200:])
        second.until(lambda: len(set(function.delivered())) == 300, "all delivered")
        assert second.end() == 0
    # One topic without keys is one lane: the first deliveries are in order.
    assert list(dict.fromkeys(function.delivered())) == wanted


def test_unanswered_message_comes_again_and_is_in_order_per_object(
    mosquitto: MosquittoServer, unique_name: str, tmp_path: Path, function: RecordingFunction
) -> None:
    stuck = notification("a.csv.gz")
    function.answer = lambda path, body: 503 if body == stuck else 200
    first = connect(mosquitto, tmp_path, unique_name, f"{unique_name}={function.url}/", "--attempts", "0")
    publish(mosquitto, unique_name, stuck, notification("b.csv.gz"), stuck, notification("c.csv.gz"))
    first.until(lambda: len(set(function.delivered())) == 2, "the other objects delivered")
    assert first.end() == 0
    function.answer = lambda path, body: 200
    second = connect(mosquitto, tmp_path, unique_name, f"{unique_name}={function.url}/")
    second.until(lambda: function.delivered().count(stuck) >= 2, "the stuck ones delivered")
    assert second.end() == 0
    assert function.calls[0].headers["x-topic"] == unique_name


def test_connectors_of_a_group_share_the_messages(
    mosquitto: MosquittoServer, unique_name: str, tmp_path: Path, function: RecordingFunction
) -> None:
    other = RecordingFunction()
    replicas = [
        connect(mosquitto, tmp_path, f"{unique_name}-{number}", f"{unique_name}={url}/", "--group", unique_name)
        for number, url in enumerate((function.url, other.url))
    ]
    wanted = [b"%d" % number for number in range(40)]
    publish(mosquitto, unique_name, *wanted)
    replicas[0].until(lambda: {*function.delivered(), *other.delivered()} == set(wanted), "all delivered")
    assert [replica.end() for replica in replicas] == [0, 0]
    other.stop()
    assert len(function.delivered()) + len(other.delivered()) < 2 * len(wanted), "each of the two had all"
    assert function.delivered()
    assert other.delivered()


def test_refused_message_is_kept_and_can_be_replayed(tmp_path: Path, function: RecordingFunction) -> None:
    with MosquittoServer(tmp_path / "broker", credentials=("lake", "secret")) as broker:
        env = {"MQTT_USERNAME": "lake", "MQTT_PASSWORD": "secret"}
        connector = connect(broker, tmp_path, "connector", f"processed={function.url}/strict", env=env)
        inbox = tmp_path / "connector.db"
        refuse_and_replay(connector, inbox, function, partial(publish, broker, "processed"))
        assert connector.end() == 0
        assert dlq(inbox, "list", "--json") == ""


def test_messages_of_a_topic_are_listened_to_until_interrupted(
    mosquitto: MosquittoServer, unique_name: str, tmp_path: Path
) -> None:
    url = f"mqtt://{mosquitto.endpoint.host}:{mosquitto.endpoint.port}"
    listener = Penstock("listen", tmp_path, "listen", "mqtt", unique_name, "--url", url)
    stop = threading.Event()

    def keep_publishing() -> None:
        while not stop.is_set():
            publish(mosquitto, unique_name, notification("donors+2026.csv.gz"))

    publisher = threading.Thread(target=keep_publishing)  # the listener sees only what comes after it subscribed
    publisher.start()
    try:
        listener.until(lambda: "s3://upload/donors 2026.csv.gz" in listener.text(), "printed")
    finally:
        stop.set()
        publisher.join()
    assert listener.end() == 0


def test_topic_that_is_none_of_mqtt_stops_no_other(
    mosquitto: MosquittoServer, tmp_path: Path, function: RecordingFunction
) -> None:
    """Functions of one gateway may have topics of other kinds of brokers in their annotations."""
    more = [
        part for name in ("a/#/b", "a+b", "x" * 300, "two words..") for part in ("--to", f"{name}={function.url}/x")
    ]
    connector = connect(mosquitto, tmp_path, "connector", f"processed={function.url}/", *more)
    connector.until(lambda: "a/#/b: MQTT cannot have a topic of this name" in connector.ready_text(), "said")
    publish(mosquitto, "processed", b"event")
    connector.until(lambda: function.delivered() == [b"event"], "delivered")
    assert connector.end() == 0
