"""Every documented key of MinIO's ten subsystems is taken, and what MinIO would swallow in silence is refused."""

from __future__ import annotations

import pytest
from penstock.lake.keys import KEYS, KINDS, TargetKind, check, complete, secret_names

VALID: dict[TargetKind, dict[str, str]] = {
    "webhook": {
        "enable": "on",
        "endpoint": "https://bridge:8443/events",
        "client_cert": "/certs/client.crt",
        "client_key": "/certs/client.key",
        "queue_dir": "/events",
        "queue_limit": "1000",
        "comment": "two words",
    },
    "kafka": {
        "enable": "off",
        "brokers": "kafka-0:9092,[::1]:9092",
        "topic": "my-topic",
        "sasl": "on",
        "sasl_username": "lake",
        "sasl_mechanism": "sha512",
        "tls": "on",
        "tls_skip_verify": "off",
        "tls_client_auth": "4",
        "client_tls_cert": "/certs/client.crt",
        "client_tls_key": "/certs/client.key",
        "version": "3.9.0",
        "batch_size": "2",
        "batch_commit_timeout": "5s",
        "compression_codec": "zstd",
        "compression_level": "3",
        "queue_dir": "/events",
        "queue_limit": "0",
        "comment": "x",
    },
    "mqtt": {
        "enable": "on",
        "broker": "ssl://mqtt:8883",
        "topic": "lake/processed",
        "username": "lake",
        "qos": "2",
        "keep_alive_interval": "30s",
        "reconnect_interval": "1m",
        "queue_dir": "/events",
        "queue_limit": "0",
        "comment": "x",
    },
    "elasticsearch": {
        "enable": "on",
        "url": "https://search:9200",
        "index": "processed",
        "format": "access",
        "username": "lake",
        "queue_dir": "/events",
        "queue_limit": "0",
        "comment": "x",
    },
    "lambda": {
        "enable": "on",
        "endpoint": "https://resize:8080/lambda",
        "client_cert": "/certs/minio.crt",
        "client_key": "/certs/minio.key",
        "comment": "x",
    },
    "amqp": {
        "enable": "on",
        "exchange": "lake",
        "exchange_type": "fanout",
        "routing_key": "lake",
        "mandatory": "off",
        "durable": "on",
        "delivery_mode": "1",
        "publisher_confirms": "off",
        "no_wait": "off",
        "internal": "off",
        "auto_deleted": "off",
        "queue_dir": "/events",
        "queue_limit": "0",
        "comment": "x",
    },
    "mysql": {
        "enable": "on",
        "table": "lake.events",
        "format": "access",
        "max_open_connections": "4",
        "queue_dir": "/events",
        "queue_limit": "0",
        "comment": "x",
    },
    "nats": {
        "enable": "on",
        "address": "nats:4222",
        "subject": "lake.processed",
        "username": "lake",
        "tls": "on",
        "tls_skip_verify": "off",
        "cert_authority": "/certs/ca.crt",
        "client_cert": "/certs/client.crt",
        "client_key": "/certs/client.key",
        "ping_interval": "0",
        "jetstream": "off",
        "streaming": "on",
        "streaming_async": "on",
        "streaming_max_pub_acks_in_flight": "10",
        "streaming_cluster_id": "lake",
        "queue_dir": "/events",
        "queue_limit": "0",
        "comment": "x",
    },
    "nsq": {
        "enable": "on",
        "nsqd_address": "nsqd:4150",
        "topic": "lake.processed",
        "tls": "on",
        "tls_skip_verify": "on",
        "queue_dir": "/events",
        "queue_limit": "0",
        "comment": "x",
    },
    "postgresql": {
        "enable": "on",
        "table": "events",
        "format": "access",
        "max_open_connections": "4",
        "queue_dir": "/events",
        "queue_limit": "0",
        "comment": "x",
    },
    "redis": {
        "enable": "on",
        "address": "redis:6379",
        "key": "lake events",
        "format": "access",
        "user": "lake",
        "queue_dir": "/events",
        "queue_limit": "0",
        "comment": "x",
    },
}
# What a secret holds where its form is checked.
SECRETS = {
    "url": "amqps://lake:word@rabbit:5671/lake",
    "dsn_string": "lake:word@tcp(mariadb:3306)/events?tls=true",
    "connection_string": r"host=postgres dbname=events user=lake password='it\'s'",
}
# What `mc admin config get` prints for each subsystem of a server of February 2026, and `comment`.
DOCUMENTED = {
    "webhook": "enable endpoint auth_token queue_limit queue_dir client_cert client_key comment",
    "kafka": "enable topic brokers sasl_username sasl_password sasl_mechanism client_tls_cert client_tls_key "
    "tls_client_auth sasl tls tls_skip_verify queue_limit queue_dir version batch_size batch_commit_timeout "
    "compression_codec compression_level comment",
    "mqtt": "enable broker topic password username qos keep_alive_interval reconnect_interval queue_dir queue_limit "
    "comment",
    "elasticsearch": "enable url format index queue_dir queue_limit username password comment",
    "lambda": "enable endpoint auth_token client_cert client_key comment",
    "amqp": "enable url exchange exchange_type routing_key mandatory durable no_wait internal auto_deleted "
    "delivery_mode publisher_confirms queue_limit queue_dir comment",
    "mysql": "enable format dsn_string table queue_dir queue_limit max_open_connections comment",
    "nats": "enable address subject username password token tls tls_skip_verify cert_authority client_cert client_key "
    "ping_interval jetstream streaming streaming_async streaming_max_pub_acks_in_flight streaming_cluster_id "
    "queue_dir queue_limit comment",
    "nsq": "enable nsqd_address topic tls tls_skip_verify queue_dir queue_limit comment",
    "postgresql": "enable format connection_string table queue_dir queue_limit max_open_connections comment",
    "redis": "enable format address key password user queue_dir queue_limit comment",
}


def secrets_of(kind: TargetKind) -> dict[str, str]:
    return {name: SECRETS.get(name, "secret") for name in secret_names(kind)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_documented_key_is_taken(kind: TargetKind) -> None:
    secrets = secrets_of(kind)

    assert {*VALID[kind], *secrets} == set(DOCUMENTED[kind].split()) == {key.name for key in KEYS[kind]}
    assert list(check(kind, VALID[kind], secrets)) == []
    assert complete(kind, VALID[kind]) == VALID[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_declared_is_set_to_its_default(kind: TargetKind) -> None:
    values = complete(kind, {"queue_dir": "/events"})

    assert set(values) == set(VALID[kind])
    assert (values["enable"], values.get("queue_limit", "0")) == ("on", "0")


def test_switches_are_written_as_minio_reads_them() -> None:
    assert complete("kafka", {"tls": "true", "sasl": "No", "batch_commit_timeout": "0"}).items() >= {
        ("tls", "on"),
        ("sasl", "off"),
        ("batch_commit_timeout", "0s"),
    }


@pytest.mark.parametrize(
    ("kind", "key", "value", "expected"),
    [
        ("webhook", "endpoint", "bridge:8080", "expected http://, https:// and a host"),
        ("webhook", "endpoint", "http://", "and a host"),
        ("webhook", "endpoint", "http://a:b/", "expected a URL: "),
        ("webhook", "endpoint", "http://user:word@bridge/", "holds credentials; give them as auth_token"),
        ("webhook", "endpoint", "http://bridge/?queue_dir=x", "holds 'queue_dir='"),
        ("webhook", "client_cert", "", "client_cert and client_key go together"),
        ("webhook", "queue_limit", "-1", "expected a whole number, 0 or more"),
        ("webhook", "comment", "one\ntwo", "holds a line break"),
        ("kafka", "brokers", "kafka", "expected HOST:PORT, several separated by commas, got 'kafka'"),
        ("kafka", "brokers", "", "missing"),
        ("kafka", "topic", "two words", "expected 1 to 249 letters"),
        ("kafka", "topic", "", "missing"),
        ("kafka", "sasl", "off", "off, so user name and password would not be used"),
        ("kafka", "sasl_mechanism", "scram", "expected one of plain, sha256, sha512"),
        ("kafka", "sasl_username", "", "sasl_username and sasl_password go together"),
        ("kafka", "tls", "off", "needs tls: on"),
        ("kafka", "tls_client_auth", "5", "expected a whole number, 0 to 4"),
        ("kafka", "version", "3.9", "expected a version such as 3.9.0"),
        ("kafka", "batch_size", "1", "needs a batch_size above 1"),
        ("kafka", "batch_commit_timeout", "5 seconds", "expected a duration"),
        ("kafka", "compression_codec", "brotli", "expected one of none, snappy"),
        ("mqtt", "broker", "mqtt://mqtt:1883", "expected tcp://, ssl://"),
        ("mqtt", "topic", "lake/#", "without + and #"),
        ("mqtt", "qos", "0", "expected a whole number, 1 to 2"),
        ("mqtt", "username", "", "needs a username"),
        ("elasticsearch", "url", "http://u:p@search:9200", "holds credentials; give them as username and password"),
        ("elasticsearch", "index", "Processed", "lower case"),
        ("elasticsearch", "format", "json", "expected one of namespace, access"),
        ("elasticsearch", "username", "", "username and password go together"),
        ("lambda", "endpoint", "", "missing"),
        ("lambda", "client_cert", "", "client_cert and client_key go together"),
        ("lambda", "queue_dir", "/events", "unknown key of lambda_webhook"),
        ("elasticsearch", "queue_dir", "", "without it MinIO loses every event"),
        ("amqp", "exchange", "", "missing"),
        ("amqp", "exchange_type", "", "missing"),
        ("amqp", "delivery_mode", "0", "expected a whole number, 1 to 2"),
        ("amqp", "url", "amqp://rabbit", "a secret must not stand in the file"),
        ("mysql", "table", "events; DROP TABLE x", "expected a table name"),
        ("nats", "address", "nats", "expected HOST:PORT"),
        ("nats", "subject", "lake.*", "expected a subject to publish to"),
        ("nats", "tls", "off", "needs tls: on"),
        ("nats", "client_key", "", "client_cert and client_key go together"),
        ("nats", "username", "", "username and password go together"),
        ("nats", "jetstream", "on", "write jetstream: off"),
        ("nats", "streaming_cluster_id", "", "streaming needs it"),
        ("nats", "ping_interval", "5s", "expected a whole number"),
        ("nsq", "topic", "two words", "expected 1 to 64 letters"),
        ("nsq", "tls", "off", "needs tls: on"),
        ("postgresql", "table", "lake.events", "set search_path in connection_string"),
        ("redis", "key", "", "missing"),
        ("redis", "address", "redis://redis:6379", "expected HOST:PORT"),
    ],
)
def test_what_cannot_work_is_refused(kind: TargetKind, key: str, value: str, expected: str) -> None:
    secrets = secrets_of(kind)

    found = [text for _, text in check(kind, {**VALID[kind], key: value}, secrets)]

    assert any(expected in text for text in found), found


def test_a_secret_that_is_needed_and_missing_is_said_with_how_to_give_it() -> None:
    assert ("url", "missing; write url: {file: PATH} or {env: NAME}") in list(check("amqp", VALID["amqp"], {}))


def test_a_redis_user_without_a_password_is_refused() -> None:
    assert [name for name, _ in check("redis", VALID["redis"], {})] == ["user"]
