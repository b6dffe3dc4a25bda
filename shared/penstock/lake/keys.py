"""Every documented key of the subsystems of MinIO that a lake may use, and what each may hold.

Four of them send notifications, and one is Object Lambda.

Source: MinIO's `internal/config/notify/{help,parse}.go`, `internal/event/target/*.go` and `internal/config/lambda`
(February 2026). MinIO itself checks little of this: a misspelt SASL mechanism means plain text there, and an unknown
key becomes a part of the value before it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

from penstock.settings.durations import parse_go_duration

TargetKind = Literal["webhook", "kafka", "mqtt", "elasticsearch", "lambda"]
KINDS: Final[tuple[TargetKind, ...]] = get_args(TargetKind)


def subsystem(kind: TargetKind) -> str:
    """How MinIO's configuration names a kind."""
    return "lambda_webhook" if kind == "lambda" else f"notify_{kind}"


@dataclass(frozen=True, slots=True)
class Key:
    """One key: `read` returns the value as MinIO wants it and raises `ValueError` saying what is expected.

    `default` is what is sent when the key is not declared; a secret never stands in the file.
    """

    name: str
    read: Callable[[str], str]
    default: str = ""
    required: bool = False
    secret: bool = False


def _text(value: str) -> str:
    return value


def _switch(value: str) -> str:
    words = {"on": "on", "true": "on", "yes": "on", "off": "off", "false": "off", "no": "off"}
    if value.lower() not in words:
        raise ValueError("expected on or off")
    return words[value.lower()]


def _number(minimum: int = 0, maximum: int | None = None) -> Callable[[str], str]:
    def read(value: str) -> str:
        if (
            not re.fullmatch(r"-?[0-9]{1,30}", value)
            or int(value) < minimum
            or (maximum is not None and int(value) > maximum)
        ):
            upto = f" to {maximum}" if maximum is not None else " or more"
            raise ValueError(f"expected a whole number, {minimum}{upto}")
        return value

    return read


def _duration(value: str) -> str:
    if value != "0":
        parse_go_duration(value)
    return value if value != "0" else "0s"


def _path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("expected an absolute path on the MinIO server")
    return value


def _one_of(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.lower() not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return value.lower()

    return read


def _url(schemes: tuple[str, ...], credentials: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        try:
            url = urlsplit(value)
            _ = url.port
        except ValueError as exc:
            raise ValueError(f"expected a URL: {exc}") from exc
        if url.scheme not in schemes or not url.hostname:
            raise ValueError(f"expected {'://, '.join(schemes)}:// and a host")
        if url.username or url.password:
            raise ValueError(f"holds credentials; give them as {credentials}, from a file or the environment")
        return value

    return read


def _brokers(value: str) -> str:
    brokers = [each.strip() for each in value.split(",")]
    for broker in brokers:
        if not re.fullmatch(r"([\w.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}", broker):
            raise ValueError(f"expected HOST:PORT, several separated by commas, got {broker!r}")
    return ",".join(brokers)


def _kafka_topic(value: str) -> str:
    # org.apache.kafka.common.internals.Topic
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", value) or value in (".", ".."):
        raise ValueError("expected 1 to 249 letters, digits, '.', '_' and '-'")
    return value


def _mqtt_topic(value: str) -> str:
    if not value or set(value) & set("+#\0"):
        raise ValueError("expected a topic to publish to, so without + and #")
    return value


def _index(value: str) -> str:
    if not re.fullmatch(r'[^-_+A-Z\\/*?"<>|\s,#:.][^A-Z\\/*?"<>|\s,#:]*', value) or len(value.encode()) > 255:
        raise ValueError('expected an index name: lower case, no spaces or any of \\ / * ? " < > | , # :')
    return value


def _kafka_version(value: str) -> str:
    if not re.fullmatch(r"0\.\d+\.\d+\.\d+|[1-9]\d*\.\d+\.\d+", value, re.ASCII):
        raise ValueError("expected a version such as 3.9.0")
    return value


def _common(*keys: Key) -> tuple[Key, ...]:
    return (
        Key("enable", _switch, "on"),
        *keys,
        # Without a folder one failed attempt loses the event, and one slow target stalls all others.
        Key("queue_dir", _path, required=True),
        Key("queue_limit", _number(), "0"),
        Key("comment", _text),
    )


KEYS: Final[Mapping[TargetKind, tuple[Key, ...]]] = {
    "webhook": _common(
        Key("endpoint", _url(("http", "https"), "auth_token"), required=True),
        Key("auth_token", _text, secret=True),
        Key("client_cert", _path),
        Key("client_key", _path),
    ),
    "kafka": _common(
        Key("brokers", _brokers, required=True),
        # Optional in MinIO's help, but there is no default: without it every event fails.
        Key("topic", _kafka_topic, required=True),
        Key("sasl", _switch, "off"),
        Key("sasl_username", _text),
        Key("sasl_password", _text, secret=True),
        Key("sasl_mechanism", _one_of("plain", "sha256", "sha512"), "plain"),
        Key("tls", _switch, "off"),
        Key("tls_skip_verify", _switch, "off"),
        Key("tls_client_auth", _number(0, 4), "0"),
        Key("client_tls_cert", _path),
        Key("client_tls_key", _path),
        Key("version", _kafka_version),
        Key("batch_size", _number(), "0"),
        Key("batch_commit_timeout", _duration, "0s"),
        Key("compression_codec", _one_of("none", "snappy", "gzip", "lz4", "zstd")),
        Key("compression_level", _number(-1000, 22)),
    ),
    "mqtt": _common(
        Key("broker", _url(("tcp", "ssl", "tls", "tcps", "ws", "wss"), "username and password"), required=True),
        Key("topic", _mqtt_topic, required=True),
        Key("username", _text),
        Key("password", _text, secret=True),
        # MinIO's own default is 0, which it refuses together with queue_dir.
        Key("qos", _number(1, 2), "1"),
        Key("keep_alive_interval", _duration, "0s"),
        Key("reconnect_interval", _duration, "0s"),
    ),
    "elasticsearch": _common(
        Key("url", _url(("http", "https"), "username and password"), required=True),
        Key("index", _index, required=True),
        Key("format", _one_of("namespace", "access"), "namespace"),
        Key("username", _text),
        Key("password", _text, secret=True),
    ),
    # Object Lambda: it answers reads and gets no events, so there is nothing to keep in a folder.
    "lambda": (
        Key("enable", _switch, "on"),
        Key("endpoint", _url(("http", "https"), "auth_token"), required=True),
        Key("auth_token", _text, secret=True),
        Key("client_cert", _path),
        Key("client_key", _path),
        Key("comment", _text),
    ),
}


def check(kind: TargetKind, values: Mapping[str, str], secrets: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Problems of a target's declared keys, each with its key."""
    keys = {key.name: key for key in KEYS[kind]}
    for name, key in keys.items():
        if key.required and not values.get(name):
            yield name, _MISSING.get(name, "missing")
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
    for name in secrets:
        if name not in keys or not keys[name].secret:
            yield name, f"{subsystem(kind)} has no such secret"
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
    if kind == "elasticsearch":
        yield from pair("username", "password")
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
