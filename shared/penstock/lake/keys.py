"""Every documented key of the subsystems of MinIO that a lake may use, and what each may hold.

Ten of them send notifications, and one is Object Lambda.

Source: MinIO's `internal/config/notify/{help,parse}.go`, `internal/event/target/*.go` and `internal/config/lambda`
(February 2026). MinIO itself checks little of this: a misspelt SASL mechanism means plain text there, and an unknown
key becomes a part of the value before it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from penstock.lake import key_values as read
from penstock.lake.key_values import Reader

TargetKind = Literal[
    "webhook", "kafka", "mqtt", "elasticsearch", "amqp", "mysql", "nats", "nsq", "postgresql", "redis", "lambda", "arn"
]
# An "arn" is no subsystem of MinIO: it names a target that exists already, of any store.
KINDS: Final[tuple[TargetKind, ...]] = tuple(kind for kind in get_args(TargetKind) if kind != "arn")


def subsystem(kind: TargetKind) -> str:
    """How MinIO's configuration names a kind; its ARNs name it as we do."""
    other = {"lambda": "lambda_webhook", "postgresql": "notify_postgres"}
    return other.get(kind, f"notify_{kind}")


@dataclass(frozen=True, slots=True)
class Key:
    """One key: `read` returns the value as MinIO wants it and raises `ValueError` saying what is expected.

    `default` is what is sent when the key is not declared; a secret never stands in the file. A server leaves a key
    with `shown_with` out of its list while it is empty; it knows the key if it knows the one that `shown_with` names.
    """

    name: str
    read: Reader
    default: str = ""
    required: bool = False
    secret: bool = False
    shown_with: str = ""


_FORMAT: Final = read.one_of("namespace", "access")


def _common(*keys: Key) -> tuple[Key, ...]:
    return (
        Key("enable", read.switch, "on"),
        *keys,
        # Without a folder one failed attempt loses the event, and one slow target stalls all others.
        Key("queue_dir", read.path, required=True),
        Key("queue_limit", read.number(), "0"),
        Key("comment", read.text),
    )


KEYS: Final[Mapping[TargetKind, tuple[Key, ...]]] = {
    "webhook": _common(
        Key("endpoint", read.url(("http", "https"), "auth_token"), required=True),
        Key("auth_token", read.text, secret=True),
        Key("client_cert", read.path),
        Key("client_key", read.path),
    ),
    "kafka": _common(
        Key("brokers", read.brokers, required=True),
        # Optional in MinIO's help, but there is no default: without it every event fails.
        Key("topic", read.kafka_topic, required=True),
        Key("sasl", read.switch, "off"),
        Key("sasl_username", read.text),
        Key("sasl_password", read.text, secret=True),
        Key("sasl_mechanism", read.one_of("plain", "sha256", "sha512"), "plain"),
        Key("tls", read.switch, "off"),
        Key("tls_skip_verify", read.switch, "off"),
        Key("tls_client_auth", read.number(0, 4), "0"),
        Key("client_tls_cert", read.path),
        Key("client_tls_key", read.path),
        Key("version", read.kafka_version),
        Key("batch_size", read.number(), "0"),
        Key("batch_commit_timeout", read.duration, "0s"),
        Key("compression_codec", read.one_of("none", "snappy", "gzip", "lz4", "zstd")),
        Key("compression_level", read.number(-1000, 22)),
    ),
    "mqtt": _common(
        Key("broker", read.url(("tcp", "ssl", "tls", "tcps", "ws", "wss"), "username and password"), required=True),
        Key("topic", read.mqtt_topic, required=True),
        Key("username", read.text),
        Key("password", read.text, secret=True),
        # MinIO's own default is 0, which it refuses together with queue_dir.
        Key("qos", read.number(1, 2), "1"),
        Key("keep_alive_interval", read.duration, "0s"),
        Key("reconnect_interval", read.duration, "0s"),
    ),
    "elasticsearch": _common(
        Key("url", read.url(("http", "https"), "username and password"), required=True),
        Key("index", read.index, required=True),
        Key("format", _FORMAT, "namespace"),
        Key("username", read.text),
        Key("password", read.text, secret=True),
    ),
    "amqp": _common(
        Key("url", read.amqp_url, required=True, secret=True),
        # Optional in MinIO's help, but it declares the exchange before each event, and no broker takes "" for either.
        Key("exchange", read.text, required=True),
        Key("exchange_type", read.text, required=True),
        Key("routing_key", read.text),
        Key("mandatory", read.switch, "off"),
        # MinIO's own defaults (off, 0, off) lose events when the broker restarts, and do not notice.
        Key("durable", read.switch, "on"),
        Key("delivery_mode", read.number(1, 2), "2"),
        Key("publisher_confirms", read.switch, "on"),
        Key("no_wait", read.switch, "off"),
        Key("internal", read.switch, "off"),
        Key("auto_deleted", read.switch, "off"),
    ),
    "mysql": _common(
        Key("dsn_string", read.mysql_dsn, required=True, secret=True),
        Key("table", read.sql_table, required=True),
        Key("format", _FORMAT, "namespace"),
        Key("max_open_connections", read.number(), "2"),
    ),
    "nats": _common(
        Key("address", read.address, required=True),
        Key("subject", read.subject, required=True),
        Key("username", read.text),
        Key("password", read.text, secret=True),
        Key("token", read.text, secret=True),
        Key("tls", read.switch, "off"),
        Key("tls_skip_verify", read.switch, "off"),
        Key("cert_authority", read.path),
        Key("client_cert", read.path),
        Key("client_key", read.path),
        # A number for MinIO, whose help calls it a duration; it does nothing with it.
        Key("ping_interval", read.number(), "0"),
        # Off in MinIO; then an event that no subscriber waits for is gone, and MinIO counts it as delivered.
        Key("jetstream", read.switch, "on"),
        # NATS Streaming ended in 2023; MinIO still takes its keys.
        Key("streaming", read.switch, "off"),
        Key("streaming_async", read.switch, "off"),
        Key("streaming_max_pub_acks_in_flight", read.number(), "0"),
        Key("streaming_cluster_id", read.text, shown_with="streaming"),
    ),
    "nsq": _common(
        Key("nsqd_address", read.address, required=True),
        Key("topic", read.nsq_topic, required=True),
        Key("tls", read.switch, "off"),
        Key("tls_skip_verify", read.switch, "off"),
    ),
    "postgresql": _common(
        Key("connection_string", read.postgres_connection, required=True, secret=True),
        Key("table", read.simple_table, required=True),
        Key("format", _FORMAT, "namespace"),
        Key("max_open_connections", read.number(), "2"),
    ),
    "redis": _common(
        Key("address", read.address, required=True),
        Key("key", read.text, required=True),
        Key("format", _FORMAT, "namespace"),
        Key("user", read.text),
        Key("password", read.text, secret=True),
    ),
    # Object Lambda: it answers reads and gets no events, so there is nothing to keep in a folder.
    "lambda": (
        Key("enable", read.switch, "on"),
        Key("endpoint", read.url(("http", "https"), "auth_token"), required=True),
        Key("auth_token", read.text, secret=True),
        Key("client_cert", read.path),
        Key("client_key", read.path),
        Key("comment", read.text),
    ),
}


def check(kind: TargetKind, values: Mapping[str, str], secrets: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Problems of a target's declared keys, each with its key."""
    keys = {key.name: key for key in KEYS[kind]}
    for name, key in keys.items():
        if key.required and not values.get(name) and not secrets.get(name):
            how = f"missing; write {name}: {{file: PATH}} or {{env: NAME}}" if key.secret else "missing"
            yield name, _MISSING.get(name, how)
    for name, value in values.items():
        if name not in keys:
            yield name, f"unknown key of {subsystem(kind)}; known: {', '.join(keys)}"
        elif keys[name].secret:
            yield name, f"a secret must not stand in the file; write {name}: {{file: PATH}} or {{env: NAME}}"
        elif value:
            try:
                keys[name].read(value)
            except ValueError as exc:
                yield name, f"{exc}, got {value!r}"
    for name, value in secrets.items():
        if name not in keys or not keys[name].secret:
            yield name, f"{subsystem(kind)} has no such secret"
        elif value:
            try:
                keys[name].read(value)
            except ValueError as exc:  # its text does not hold the value
                yield name, str(exc)
    yield from unspeakable({**values, **secrets}, keys)
    yield from _together(kind, values, secrets)


_MISSING: Final = {
    "queue_dir": (
        "missing; name a folder on the MinIO server's own disk, for all targets at the top or for this one: "
        "without it MinIO loses every event that cannot be delivered at once"
    )
}


def unspeakable(values: Mapping[str, str], names: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Values that MinIO's reader of `key=value` lines would cut: it looks for `key=` everywhere, quoted or not."""
    for name, value in values.items():
        if re.search(r"[\r\n\0]", value):
            yield name, "holds a line break, which MinIO's configuration cannot"
        for other in names:
            if other != name and f"{other}=" in value:
                yield name, f"holds {other + '='!r}, where MinIO's configuration reader would cut it off"


def _together(kind: TargetKind, values: Mapping[str, str], secrets: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Keys that MinIO needs together, and keys that it would ignore without an error."""

    def is_on(name: str) -> bool:
        return values.get(name, "off").lower() in ("on", "true", "yes")

    def pair(one: str, other: str) -> Iterator[tuple[str, str]]:
        given = {name for name in (one, other) if values.get(name) or secrets.get(name)}
        if len(given) == 1:
            yield given.pop(), f"{one} and {other} go together"

    if kind in ("webhook", "lambda"):
        yield from pair("client_cert", "client_key")
    if kind in ("elasticsearch", "nats"):
        yield from pair("username", "password")
    if kind == "nats":
        yield from pair("client_cert", "client_key")
        if is_on("streaming") and not values.get("streaming_cluster_id"):
            yield "streaming_cluster_id", "missing; streaming needs it"
        if is_on("streaming") and values.get("jetstream", "on").lower() in ("", "on", "true", "yes"):
            yield "streaming", "MinIO would use it and not JetStream; write jetstream: off, or better leave streaming"
        if values.get("cert_authority") and not is_on("tls"):
            yield "cert_authority", "needs tls: on"
    if kind == "redis" and values.get("user") and not secrets.get("password"):
        yield "user", "needs a password; without one MinIO does not log in"
    if kind in ("nats", "nsq") and is_on("tls_skip_verify") and not is_on("tls"):
        yield "tls_skip_verify", "needs tls: on"
    if kind == "mqtt" and secrets.get("password") and not values.get("username"):
        yield "password", "needs a username"
    if kind == "kafka":
        yield from pair("client_tls_cert", "client_tls_key")
        yield from pair("sasl_username", "sasl_password")
        if (values.get("sasl_username") or secrets.get("sasl_password")) and not is_on("sasl"):
            yield "sasl", "off, so user name and password would not be used; write sasl: on"
        if is_on("sasl") and not values.get("sasl_username"):
            yield "sasl", "on without sasl_username and sasl_password"
        for name in ("tls_skip_verify", "client_tls_cert"):
            if (is_on(name) or values.get(name, "").startswith("/")) and not is_on("tls"):
                yield name, "needs tls: on"
        waits = values.get("batch_commit_timeout", "0s") not in ("", "0", "0s")
        if waits and values.get("batch_size", "0") in ("", "0", "1"):
            yield "batch_commit_timeout", "needs a batch_size above 1"


def complete(kind: TargetKind, values: Mapping[str, str]) -> dict[str, str]:
    """All keys but the secrets, as MinIO is to hold them; a key that is not declared gets its default."""
    return {
        key.name: key.read(values[key.name]) if values.get(key.name) else key.default
        for key in KEYS[kind]
        if not key.secret
    }


def secret_names(kind: TargetKind) -> tuple[str, ...]:
    return tuple(key.name for key in KEYS[kind] if key.secret)
