"""A password that leaves the machine unencrypted is one line in the log."""

import argparse

import pytest
from penstock.connect.mqtt.broker import broker_from
from penstock.connect.openfaas import OpenFaasGateway
from penstock.settings.config import Config
from penstock.settings.environment import load_config
from penstock.settings.plaintext import warn_if_plain
from penstock.sinks.address import parse_sink


def mqtt(url: str, password: str = "secret") -> None:
    env = {"MQTT_URL": url, "MQTT_USERNAME": "lake", "MQTT_PASSWORD": password}
    broker_from(argparse.Namespace(url="", ca_file=None), env)


def gateway(url: str) -> None:
    OpenFaasGateway(url, login=("admin", "secret"))


def search(url: str) -> None:
    sink = f"opensearch+{url}/index"
    config: Config = load_config({"SOURCE": "s3://lake", "SINK": sink, "SINK_PASSWORD": "secret"}, function="index")
    parse_sink(sink).open(config, None)


@pytest.mark.parametrize(
    ("send", "url", "name"),
    [
        (mqtt, "mqtt://mosquitto.mqtt.svc:1883", "MQTT_PASSWORD"),
        (gateway, "http://gateway.openfaas.svc:8080", "BASIC_AUTH_PASSWORD"),
        (search, "http://opensearch.search.svc:9200", "SINK_PASSWORD"),
    ],
)
def test_a_password_in_plain_sight_is_one_warning(
    send: object, url: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert callable(send)
    send(url)
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert line.startswith(f"{name} is sent unencrypted to {url}: use ")
    assert "secret" not in line


@pytest.mark.parametrize(
    "url", ["https://gw", "mqtts://broker:8883", "http://127.0.0.1:8080", "mqtt://localhost", "http://[::1]:9200"]
)
def test_encryption_and_this_machine_are_no_warning(url: str, caplog: pytest.LogCaptureFixture) -> None:
    warn_if_plain(url, "PASSWORD")
    assert not caplog.records


def test_credentials_in_the_address_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    warn_if_plain("http://user:word@gw:8080", "PASSWORD")
    assert "word@" not in caplog.text


def test_no_password_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    mqtt("mqtt://broker:1883", "")
    assert not caplog.records
