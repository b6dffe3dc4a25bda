"""Where a Redis or Valkey server is and how to log in, from flags and environment."""

import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.connect import settings
from penstock.connect.broker_url import read_broker_url
from penstock.connect.settings import Flags
from penstock.errors import ConfigError
from penstock.settings.connector_table import REDIS_LEASE_SECONDS
from penstock.settings.plaintext import warn_if_plain
from penstock.settings.secrets import read_secret

if TYPE_CHECKING:
    from redis import Redis

PORTS = {"redis": 6379, "rediss": 6379}
# A server that is frozen keeps its connections open: a command without an answer for so long ends one.
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RedisServer:
    """How to reach one server. `member` names this connector among those of a list, for as long as it runs.

    What a member took comes to the others when it has given no sign of life for `lease_seconds`.
    """

    host: str
    port: int
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca_file: str | None = None
    lease_seconds: float = REDIS_LEASE_SECONDS.default
    member: str = field(default_factory=lambda: f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def server_from(flags: Flags, env: Mapping[str, str]) -> RedisServer:
    """The server of flags and environment; REDIS_USERNAME and REDIS_PASSWORD as secrets. Raises `ConfigError`."""
    text = flags.url or env.get("REDIS_URL", "")
    url = read_broker_url("REDIS_URL", text, PORTS)
    if url.path and not (url.path.isascii() and url.path.isdecimal()):
        raise ConfigError(f"REDIS_URL={text!r}: the path is the number of a database, such as /0")
    username, password = read_secret(env, "REDIS_USERNAME"), read_secret(env, "REDIS_PASSWORD")
    if username and not password:
        raise ConfigError("REDIS_USERNAME needs REDIS_PASSWORD; set both, or the password alone")
    if password:
        warn_if_plain(text, "REDIS_PASSWORD")
    return RedisServer(
        url.host,
        url.port,
        int(url.path or 0),
        username,
        password,
        url.tls,
        settings.ca_file_from(flags, env),
        settings.given(flags, env, REDIS_LEASE_SECONDS),
    )


def connect_to(server: RedisServer) -> "Redis":
    """A client that sends no command twice by itself; it connects with its first command."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis(
        server.host,
        server.port,
        server.database,
        username=server.username or None,
        password=server.password or None,
        ssl=server.tls,
        ssl_ca_certs=server.ca_file,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=1,
        client_name="penstock",
        protocol=2,
    )


def server_answers(server: RedisServer) -> bool:
    """Whether the server lets a client in that connects now; one that is frozen does not."""
    from redis.exceptions import RedisError

    client = connect_to(server)
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False
    finally:
        client.close()
