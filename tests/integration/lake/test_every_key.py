"""Every key that `lake` documents, of every kind of target, written to a real MinIO and told by it as declared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from penstock.lake import keys
from penstock.lake.minio_admin import Admin
from penstock.lake.model import TargetRef
from penstock.settings.config import StoreSettings

from tests.components import MinioServer
from tests.integration.lake.conftest import Penstock

# Other values than the defaults, so that a key which does not arrive is seen. Secrets stand in files.
VALUES: Mapping[str, Mapping[str, str]] = {
    "webhook": {
        "endpoint": "https://hook.example:8443/events?a=b&c=d",
        "auth_token": 'Bearer it\'s "a" token',
        "client_cert": "/certs/public.crt",
        "client_key": "/certs/private key.pem",
    },
    "kafka": {
        "brokers": "kafka-1.example:9093,kafka-2.example:9093",
        "topic": "lake.events",
        "sasl": "on",
        "sasl_username": "lake user",
        "sasl_password": "p=a b",
        "sasl_mechanism": "sha512",
        "tls": "on",
        "tls_skip_verify": "on",
        "tls_client_auth": "4",
        "client_tls_cert": "/certs/kafka.crt",
        "client_tls_key": "/certs/kafka.key",
        "version": "3.6.0",
        "batch_size": "100",
        "batch_commit_timeout": "2s",
        "compression_codec": "zstd",
        "compression_level": "9",
    },
    "mqtt": {
        "broker": "wss://mqtt.example:8884",
        "topic": "lake/events",
        "username": "lake",
        "password": "mqtt password",
        "qos": "2",
        "keep_alive_interval": "30s",
        "reconnect_interval": "5s",
    },
    "elasticsearch": {
        "url": "https://search.example:9200",
        "index": "lake-events",
        "format": "access",
        "username": "elastic",
        "password": "elastic password",
    },
    "amqp": {
        "url": "amqps://lake:pass@rabbit.example:5671/vhost",
        "exchange": "lake exchange",
        "exchange_type": "topic",
        "routing_key": "lake.events",
        "mandatory": "on",
        "durable": "off",
        "delivery_mode": "1",
        "publisher_confirms": "off",
        "no_wait": "on",
        "internal": "on",
        "auto_deleted": "on",
    },
    "mysql": {
        "dsn_string": "lake:pass@tcp(mysql.example:3306)/events",
        "table": "lake_events",
        "format": "access",
        "max_open_connections": "7",
    },
    "nats": {
        "address": "nats.example:4222",
        "subject": "lake.events",
        "username": "lake",
        "password": "nats password",
        "token": "nats token",
        "tls": "on",
        "tls_skip_verify": "on",
        "cert_authority": "/certs/ca.crt",
        "client_cert": "/certs/nats.crt",
        "client_key": "/certs/nats.key",
        "ping_interval": "10",
        "jetstream": "off",
        "streaming": "on",
        "streaming_async": "on",
        "streaming_max_pub_acks_in_flight": "10",
        "streaming_cluster_id": "lake",
    },
    "nsq": {"nsqd_address": "nsqd.example:4150", "topic": "lake", "tls": "on", "tls_skip_verify": "on"},
    "postgresql": {
        "connection_string": "host=db.example port=5432 dbname=lake user=lake password='it\\'s' sslmode=require",
        "table": "lake_events",
        "format": "access",
        "max_open_connections": "7",
    },
    "redis": {
        "address": "redis.example:6379",
        "key": "lake:events",
        "format": "access",
        "user": "lake",
        "password": "redis password",
    },
    "lambda": {
        "endpoint": "https://resize.example/lambda",
        "auth_token": "lambda token",
        "client_cert": "/certs/lambda.crt",
        "client_key": "/certs/lambda.key",
    },
}
# `enable: off`, since no server is behind these addresses; MinIO tries an enabled target before it takes it.
COMMON = {"enable": "off", "comment": "of the lake"}
QUEUE = {"queue_dir": "/queues/of the lake", "queue_limit": "5000"}


def every_value(kind: str) -> dict[str, str]:
    return {**COMMON, **({} if kind == "lambda" else QUEUE), **VALUES[kind]}


def test_the_values_name_every_key() -> None:
    assert {kind: every_value(kind).keys() for kind in VALUES} == {
        kind: {key.name for key in found} for kind, found in keys.KEYS.items()
    }
    for kind, found in keys.KEYS.items():
        same = [key.name for key in found if key.name != "qos" and every_value(kind)[key.name] == key.default]
        assert same == []


def test_every_key_arrives_as_it_is_declared(
    server: MinioServer, penstock: Penstock, unique_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets: dict[str, dict[str, object]] = {}
    for kind in VALUES:
        secrets = keys.secret_names(kind)  # type: ignore[arg-type]
        written: dict[str, object] = {"type": kind, "id": f"{unique_name}-{kind}"}
        for name, value in every_value(kind).items():
            written[name] = {"file": f"{kind}.{name}"} if name in secrets else value
            if name in secrets:
                (tmp_path / f"{kind}.{name}").write_text(value + "\n", encoding="utf-8")
        targets[kind] = written
    path = tmp_path / "lake.yml"
    path.write_text(yaml.safe_dump({"name": unique_name, "targets": targets}), encoding="utf-8")
    try:
        assert penstock("apply", "--file", str(path)) == 0, capsys.readouterr()
        told = server.endpoint
        admin = Admin(StoreSettings(told.url, told.access_key, told.secret_key))
        for kind in keys.KINDS:
            present, known = admin.targets(kind)
            assert known == {key.name for key in keys.KEYS[kind]}, kind
            told_values = dict(present[TargetRef(kind, f"{unique_name}-{kind}")].values)
            # The comment also says whose target it is.
            assert told_values.pop("comment").startswith(f"{COMMON['comment']} penstock:{unique_name}")
            hidden = {*keys.secret_names(kind), "comment"}
            assert told_values == {name: value for name, value in every_value(kind).items() if name not in hidden}
        assert penstock("plan", "--file", str(path)) == 0, "nothing is left to change"
        printed = capsys.readouterr()
        for kind in keys.KINDS:
            for name in keys.secret_names(kind):
                assert every_value(kind)[name] not in printed.out + printed.err
    finally:
        penstock("remove", "--file", str(path))
