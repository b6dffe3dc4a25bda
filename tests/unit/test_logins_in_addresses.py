"""A password in an address is refused, and stands in no error: an error ends in a log."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from penstock.connect import rest
from penstock.connect.amqp.broker import broker_from as amqp_from
from penstock.connect.mqtt.broker import broker_from as mqtt_from
from penstock.connect.nats.server import servers_from
from penstock.connect.redis.server import server_from
from penstock.connect.sqs.account import account_from
from penstock.delivery.http import HttpTarget
from penstock.doctor.servers import examine_mqtt
from penstock.errors import ConfigError
from penstock.process.tracing import make_tracer
from penstock.settings.environment import load_store_settings
from penstock.settings.plaintext import has_login, without_login
from penstock.sinks.address import parse_sink

FLAGS: Any = SimpleNamespace(url="", group="", ca_file=None, exchange="", exchange_type="direct")
KEYS = {"MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}
LOGINS = ("lake:hunter2@", ":hunter2@", "hunter2@", "lake:hunter2@[")
READERS: dict[str, Callable[[str], object]] = {
    "nats://{}nats:4222": lambda text: servers_from(FLAGS, {"NATS_URL": text}),
    "tls://good:4222,tls://{}nats:4222": lambda text: servers_from(FLAGS, {"NATS_URL": text}),
    "redis://{}redis:6379": lambda text: server_from(FLAGS, {"REDIS_URL": text}),
    "amqps://{}rabbit": lambda text: amqp_from(FLAGS, {"AMQP_URL": text}),
    "http://{}elasticmq:9324": lambda text: account_from(FLAGS, {"SQS_URL": text}),
    "mqtt://{}mosquitto:1883": lambda text: mqtt_from(FLAGS, {"MQTT_URL": text}),
    "ftp://{}gateway": lambda text: rest.check_url(text, "gateway"),
    "http://{}gateway:8080": lambda text: rest.check_url(text, "gateway"),
    "http://{}function/event": lambda text: HttpTarget("compress", text),
    "ftp://{}function/event": lambda text: HttpTarget("compress", text),
    "cassandra://{}db/lake/documents": parse_sink,
    "postgresql://{}db/lake/documents": parse_sink,
    "opensearch+https://{}search:9200/index": parse_sink,
    "s3://{}processed/{{key}}": parse_sink,
    "sqlite://{}/index": parse_sink,
    "other://{}host": parse_sink,
    "{}host": parse_sink,
    "http://{}minio:9000": lambda text: load_store_settings(KEYS | {"MINIO_ENDPOINT": text}),
    "ftp://{}collector": lambda text: make_tracer("a", text),
}


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("form", READERS)
def test_an_address_with_a_login_is_refused_without_showing_it(form: str, login: str) -> None:
    with pytest.raises(ConfigError) as refused:
        READERS[form](form.format(login))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("login", LOGINS)
def test_doctor_shows_no_login(login: str) -> None:
    found = list(examine_mqtt(f"mqtt://{login}127.0.0.1:9"))
    assert found
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    "text", ["s3://processed/{key}@2x", "http://f/event?to=a@b", "sqlite:///a@b", "nats://n:4222#a@b"]
)
def test_an_at_sign_behind_the_host_is_no_login(text: str) -> None:
    assert not has_login(text)


def test_a_login_is_cut_off_up_to_the_last_at_sign() -> None:
    assert without_login("nats://lake:p@ss@nats:4222") == "nats://nats:4222"
    assert without_login("lake:secret@nats") == "nats"
