"""MQTT's settings and ordering keys; the connector itself is tested with a real broker."""

import argparse
from pathlib import Path

import pytest
from penstock.commands import connect_mqtt
from penstock.connect.mqtt.broker import Broker, broker_from
from penstock.connect.mqtt.messages import make_messages, ordering_key
from penstock.errors import ConfigError


def broker(env: dict[str, str], *flags: str) -> Broker:
    parser = argparse.ArgumentParser()
    connect_mqtt.add_arguments(parser)
    return broker_from(parser.parse_args(flags), env)


def test_broker_comes_from_the_environment_and_secret_files(tmp_path: Path) -> None:
    (tmp_path / "mqtt-password").write_text("secret\n")
    found = broker({"MQTT_URL": "mqtts://broker", "MQTT_USERNAME": "lake", "SECRETS_DIR": str(tmp_path)})
    assert (found.host, found.port, found.tls) == ("broker", 8883, True)
    assert (found.username, found.password) == ("lake", "secret")


@pytest.mark.parametrize("url", ["", "broker:1883", "http://broker", "mqtt://"])
def test_unusable_address_is_named(url: str) -> None:
    with pytest.raises(ConfigError, match="MQTT_URL"):
        broker({"MQTT_URL": url})


def test_group_shares_its_messages() -> None:
    assert broker({"MQTT_URL": "mqtt://broker"}, "--group", "lake").filter("a/#") == "$share/lake/a/#"
    assert broker({"MQTT_URL": "mqtt://broker"}).filter("a/#") == "a/#"


def test_messages_about_one_object_are_one_lane() -> None:
    first = ordering_key("processed", b'{"Key": "processed/a.gz", "EventName": "s3:ObjectCreated:Put"}')
    assert first == ordering_key("processed", b'{"Key": "processed/a.gz"}')
    assert first != ordering_key("processed", b'{"Key": "processed/b.gz"}')


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[1]", b"hello", b'{"Key": 1}', b"[" * 100_000])
def test_other_messages_of_a_topic_are_one_lane(payload: bytes) -> None:
    assert ordering_key("processed", payload) == "processed"


@pytest.mark.parametrize("cloudevents", [False, True])
@pytest.mark.parametrize("topic", ["lake/" + "t" * 20_000, "lake/" + "é" * 10_000, "lake/short"])
def test_topic_of_any_length_makes_a_request_that_servers_take(topic: str, cloudevents: bool) -> None:
    [message] = make_messages(topic, b"not an event", "compress", "lake#1", None, cloudevents=cloudevents)
    assert all(len(f"{name}: {value}") < 8190 for name, value in message.headers.items())
    if cloudevents:
        source = message.headers["ce-source"]
        assert source.startswith("/penstock/connect/mqtt#" + ("lake" if topic == "lake/short" else "sha256:"))
    else:
        assert ("X-Topic" in message.headers) is (topic == "lake/short")
