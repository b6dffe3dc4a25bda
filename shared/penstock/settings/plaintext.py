"""Passwords in the open: in an address that is shown, or on their way through a network."""

import logging
import re
from typing import Final
from urllib.parse import urlsplit

_PLAIN: Final = {"http": "https", "mqtt": "mqtts", "tcp": "mqtts", "nats": "tls", "redis": "rediss", "amqp": "amqps"}
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

_log = logging.getLogger("penstock.settings")


def without_login(text: str) -> str:
    """An address without what stands before an @: it may be a password.

    >>> without_login("nats://lake:secret@nats:4222")
    'nats://nats:4222'
    """
    scheme, slashes, rest = text.partition("://")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}" if slashes else text.rpartition("@")[2]


def has_login(text: str) -> bool:
    """Whether a user or a password stands in an address."""
    rest = text.partition("://")[2]
    return "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]


def warn_if_plain(url: str, password: str) -> None:
    """Log one line if the setting named `password` would be sent to `url` unencrypted, through a network."""
    parts = urlsplit(url)
    if parts.scheme in _PLAIN and parts.hostname not in _LOOPBACK:
        _log.warning(
            "%s is sent unencrypted to %s://%s: use %s://, or let only pods that may know it into this network",
            *(password, parts.scheme, parts.netloc.rpartition("@")[2], _PLAIN[parts.scheme]),
        )
