"""Where an MQTT broker is and how to log in, from flags and environment."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from penstock.connect import settings
from penstock.connect.settings import Flags
from penstock.errors import ConfigError
from penstock.settings.plaintext import has_login, warn_if_plain, without_login
from penstock.settings.secrets import read_secret

_MAX_FILTER_BYTES = 60_000  # 65535 with the name of the group before it


@dataclass(frozen=True, slots=True)
class Broker:
    """How to reach the broker. With `group`, replicas share its messages; `client_id` names the session."""

    host: str
    port: int
    client_id: str
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca_file: str | None = None
    group: str = ""
    session_seconds: int = 7 * 24 * 3600

    def filter(self, topic: str) -> str:
        """What to subscribe to for a topic."""
        return f"$share/{self.group}/{topic}" if self.group else topic


def is_filter(topic: str) -> bool:
    """Whether a client may subscribe to it: `#` ends it, and `#` and `+` are whole levels (MQTT 5, section 4.7.1).

    >>> is_filter("sensors/+/a/#"), is_filter("a/#/b"), is_filter("a+b")
    (True, False, False)
    """
    *before, last = topic.split("/")
    whole = all(level == "+" or not {"+", "#"} & set(level) for level in before) and (
        last in ("+", "#") or not {"+", "#"} & set(last)
    )
    return bool(topic) and whole and "\0" not in topic and len(topic.encode()) <= _MAX_FILTER_BYTES


def broker_from(flags: Flags, env: Mapping[str, str]) -> Broker:
    """The broker of flags and environment; MQTT_USERNAME and MQTT_PASSWORD as secrets. Raises `ConfigError`."""
    text = flags.url or env.get("MQTT_URL", "")
    expected = ConfigError(
        f"MQTT_URL={without_login(text)!r}: expected mqtt://HOST:1883 or mqtts://HOST:8883, user and password in "
        "settings of their own"
    )
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise expected from None
    if url.scheme not in ("mqtt", "mqtts", "tcp") or not url.hostname or has_login(text):
        raise expected
    tls = url.scheme == "mqtts"
    password = read_secret(env, "MQTT_PASSWORD")
    if password:
        warn_if_plain(text, "MQTT_PASSWORD")
    return Broker(
        url.hostname,
        port or (8883 if tls else 1883),
        getattr(flags, "client_id", None) or f"penstock-{socket.gethostname()}",
        read_secret(env, "MQTT_USERNAME"),
        password,
        tls,
        settings.ca_file_from(flags, env),
        getattr(flags, "group", ""),
    )
