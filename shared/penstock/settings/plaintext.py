"""A warning for passwords that leave this machine without encryption."""

import logging
from typing import Final
from urllib.parse import urlsplit

_PLAIN: Final = {"http": "https", "mqtt": "mqtts", "tcp": "mqtts", "nats": "tls", "redis": "rediss", "amqp": "amqps"}
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

_log = logging.getLogger("penstock.settings")


def warn_if_plain(url: str, password: str) -> None:
    """Log one line if the setting named `password` would be sent to `url` unencrypted, through a network."""
    parts = urlsplit(url)
    if parts.scheme in _PLAIN and parts.hostname not in _LOOPBACK:
        _log.warning(
            "%s is sent unencrypted to %s://%s: use %s://, or let only pods that may know it into this network",
            *(password, parts.scheme, parts.netloc.rpartition("@")[2], _PLAIN[parts.scheme]),
        )
