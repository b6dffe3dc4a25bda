"""Where an MQTT broker is and how to log in, from flags and environment."""

import argparse
from pathlib import Path

import pytest
from penstock.commands import connect_mqtt
from penstock.connect.mqtt.broker import Broker, broker_from, is_filter
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


@pytest.mark.parametrize(
    ("topic", "is_one"),
    [
        ("a", True), ("a/b", True), ("#", True), ("+", True), ("a/+/b/#", True), ("/", True), ("$SYS/#", True),
        ("", False), ("a/#/b", False), ("a#", False), ("#a", False), ("a+b", False), ("a/+b/c", False),
        ("a\0b", False), ("x" * 70_000, False),
    ],
)  # fmt: skip
def test_filter_is_what_a_broker_takes(topic: str, *, is_one: bool) -> None:
    assert is_filter(topic) is is_one
