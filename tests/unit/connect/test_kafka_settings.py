"""librdkafka's settings: where they may come from, and which are not for the taking."""

from pathlib import Path

import pytest
from penstock.connect.kafka.connector import Connector
from penstock.connect.kafka.dead_letter_log import DeadLetterLog
from penstock.connect.kafka.records import openfaas
from penstock.connect.kafka.settings import consumer_settings, load_settings, producer_settings, refused_settings
from penstock.connect.subscriptions import Finder, Subscriptions
from penstock.errors import ConfigError

SERVERS = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}


def test_later_sources_override_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("# a comment\n\nbootstrap.servers=from-file:9092\ngroup.id=from-file\nsasl.mechanism = PLAIN\n")
    env = {"KAFKA_BOOTSTRAP_SERVERS": "from-env:9092", "KAFKA_GROUP_ID": "from-env"}
    assert load_settings(file, env, ["group.id=from-flag"]) == {
        "bootstrap.servers": "from-env:9092",
        "group.id": "from-flag",
        "sasl.mechanism": "PLAIN",
    }


def test_secret_is_read_from_the_file_a_variable_names(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    env = {**SERVERS, "KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "password")}
    assert load_settings(None, env, [])["sasl.password"] == "secret"


def test_key_in_pem_format_keeps_its_lines(tmp_path: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"
    (tmp_path / "key").write_text(f"{key}\n")
    assert load_settings(None, {**SERVERS, "KAFKA_SSL_KEY_PEM_FILE": str(tmp_path / "key")}, [])["ssl.key.pem"] == key


def test_service_links_of_kubernetes_are_no_settings() -> None:
    env = {
        **SERVERS,
        "KAFKA_PORT": "tcp://10.0.0.1:9092",
        "KAFKA_SERVICE_HOST": "10.0.0.1",
        "KAFKA_SERVICE_PORT_CLIENT": "9092",
        "KAFKA_PORT_9092_TCP_ADDR": "10.0.0.1",
        "KAFKA_UI_SERVICE_PORT": "80",
        "KAFKA_UI_PORT_80_TCP": "tcp://10.0.0.2:80",
    }
    assert load_settings(None, env, []) == {"bootstrap.servers": "kafka:9092"}


@pytest.mark.parametrize("pair", ["enable.auto.commit=true", "partition.assignment.strategy=range"])
def test_setting_that_would_lose_events_is_refused(pair: str) -> None:
    with pytest.raises(ConfigError, match="events would be lost"):
        load_settings(None, SERVERS, [pair])


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("group.id\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {"KAFKA_SASL_PASSWORD_FILE": "/nowhere"}, ["x"])
    text = str(caught.value)
    for name in ("kafka.properties:1", "KAFKA_SASL_PASSWORD_FILE", "--set x", "KAFKA_BOOTSTRAP_SERVERS"):
        assert name in text


def test_consumer_never_commits_by_itself_whatever_is_given() -> None:
    made = consumer_settings({"bootstrap.servers": "kafka:9092", "fetch.queue.backoff.ms": "50"})
    assert (made["enable.auto.commit"], made["enable.auto.offset.store"]) == ("false", "false")
    assert (made["fetch.queue.backoff.ms"], made["auto.offset.reset"]) == ("50", "earliest")


def test_dead_letters_are_acknowledged_by_all_replicas_and_share_the_credentials() -> None:
    made = producer_settings({"bootstrap.servers": "k:1", "acks": "1", "group.id": "g", "sasl.password": "p"})
    assert (made["acks"], made["sasl.password"], made["message.timeout.ms"]) == ("all", "p", "0")
    assert "group.id" not in made


def test_brokers_under_the_name_of_the_lake_file_are_taken_when_nothing_else_names_them() -> None:
    assert load_settings(None, {"KAFKA_BROKERS": "lake:9092"}, []) == {"bootstrap.servers": "lake:9092"}
    assert load_settings(None, {"KAFKA_BROKERS": "lake:9092", **SERVERS}, []) == {"bootstrap.servers": "kafka:9092"}


@pytest.mark.parametrize("name", ["no.such.setting", "ssl.ca.location"])
def test_setting_that_librdkafka_does_not_take_is_a_configuration_error(name: str) -> None:
    given = load_settings(None, SERVERS, [f"{name}=/nonexistent/ca.pem", "security.protocol=ssl", "log_level=0"])
    for make in (
        lambda: DeadLetterLog("dead-letters", given),
        lambda: Connector(given, openfaas("text/plain"), Finder(lambda: Subscriptions({}, {})), "dead-letters"),
    ):
        with pytest.raises(ConfigError, match=f"{name}.*settings come from"):
            make()


def test_control_c_while_a_client_is_made_is_not_taken_for_a_wrong_setting() -> None:
    """confluent-kafka replaces the interrupt by this error, when it comes while it reads a setting."""
    with pytest.raises(KeyboardInterrupt), refused_settings():
        raise TypeError("expected configuration property value as type unicode string")
    with pytest.raises(TypeError, match="another"), refused_settings():
        raise TypeError("another")
