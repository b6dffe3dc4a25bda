"""A broker's address as people write it: one scheme for plain connections and one for TLS, each with its port."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from penstock.errors import ConfigError
from penstock.settings.plaintext import without_login


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """Host, port, whether TLS is spoken, and the decoded path without its first slash; None when there is none."""

    host: str
    port: int
    tls: bool
    path: str | None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def read_broker_url(name: str, text: str, ports: Mapping[str, int]) -> BrokerUrl:
    """Read the setting `name`. `ports` maps schemes to default ports: first the plain scheme, then the one with TLS.

    Raises `ConfigError` for another scheme, for a URL without a host, and for one that carries a user or a password.

    >>> read_broker_url("AMQP_URL", "amqps://rabbit/lake", {"amqp": 5672, "amqps": 5671})
    BrokerUrl(host='rabbit', port=5671, tls=True, path='lake')
    """
    plain, tls = ports
    expected = ConfigError(
        f"{name}={without_login(text)!r}: expected {plain}://HOST:{ports[plain]} or {tls}://HOST:{ports[tls]}, "
        "user and password in settings of their own"
    )
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise expected from None
    if url.scheme not in ports or not url.hostname or "@" in url.netloc or url.query or url.fragment:
        raise expected
    path = unquote(url.path[1:]) if url.path.startswith("/") else None
    return BrokerUrl(url.hostname, port or ports[url.scheme], url.scheme == tls, path)
