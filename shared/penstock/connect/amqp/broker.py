"""Where an AMQP 0-9-1 broker such as RabbitMQ is and how to log in, from flags and environment."""

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.connect import settings
from penstock.connect.broker_url import read_broker_url
from penstock.connect.settings import Flags
from penstock.errors import ConfigError
from penstock.settings.plaintext import warn_if_plain
from penstock.settings.secrets import read_secret

if TYPE_CHECKING:
    from pika import BlockingConnection

PORTS = {"amqp": 5672, "amqps": 5671}
CONNECT_SECONDS = 5.0
# A broker that is frozen keeps its connections open: without a sign of life for so long, pika ends one.
HEARTBEAT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class AmqpBroker:
    """How to reach one broker. With `exchange`, each queue is bound to it, with the queue's name as routing key.

    An exchange that is not there is made, of `exchange_type`.
    """

    host: str
    port: int
    virtual_host: str = "/"
    username: str = "guest"
    password: str = field(default="guest", repr=False)
    tls: bool = False
    ca_file: str | None = None
    exchange: str = ""
    exchange_type: str = "direct"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def broker_from(flags: Flags, env: Mapping[str, str]) -> AmqpBroker:
    """The broker of flags and environment; AMQP_USERNAME and AMQP_PASSWORD as secrets. Raises `ConfigError`."""
    text = flags.url or env.get("AMQP_URL", "")
    url = read_broker_url("AMQP_URL", text, PORTS)
    username, password = read_secret(env, "AMQP_USERNAME"), read_secret(env, "AMQP_PASSWORD")
    if bool(username) != bool(password):
        raise ConfigError("AMQP_USERNAME and AMQP_PASSWORD go together; set both, or none to log in as guest")
    if password:
        warn_if_plain(text, "AMQP_PASSWORD")
    return AmqpBroker(
        url.host,
        url.port,
        url.path or "/",
        username or "guest",
        password or "guest",
        url.tls,
        settings.ca_file_from(flags, env),
        flags.exchange or "",
        flags.exchange_type,
    )


def connect_to(broker: AmqpBroker) -> "BlockingConnection":
    """One connection, which does not connect again by itself. Raises `OSError`, or an error of pika."""
    from pika import BlockingConnection, ConnectionParameters, PlainCredentials, SSLOptions
    from pika.adapters.utils.connection_workflow import AMQPConnectorException

    # pika logs each attempt with its stack; what goes wrong is raised as well, and the session says it once.
    logging.getLogger("pika").setLevel(logging.CRITICAL + 1)
    tls = SSLOptions(ssl.create_default_context(cafile=broker.ca_file), broker.host) if broker.tls else None
    parameters = ConnectionParameters(
        broker.host,
        broker.port,
        broker.virtual_host,
        PlainCredentials(broker.username, broker.password),
        ssl_options=tls,
        heartbeat=HEARTBEAT_SECONDS,
        connection_attempts=1,
        socket_timeout=CONNECT_SECONDS,
        stack_timeout=2 * CONNECT_SECONDS,
        client_properties={"connection_name": "penstock"},
    )
    try:
        return BlockingConnection(parameters)
    except AMQPConnectorException as exc:  # neither an `AMQPError` nor an `OSError`
        raise TimeoutError(f"does not answer within {2 * CONNECT_SECONDS:g} seconds") from exc


def broker_answers(broker: AmqpBroker) -> bool:
    """Whether the broker lets a client in that connects now; one that is frozen does not."""
    from pika.exceptions import AMQPError

    try:
        connect_to(broker).close()
    except (AMQPError, OSError):
        return False
    return True


def refusal_of(exc: Exception, broker: AmqpBroker) -> str:
    """What the broker refuses, with the remedy; "" when it only does not answer."""
    from pika.exceptions import AuthenticationError, ProbableAccessDeniedError, ProbableAuthenticationError

    if isinstance(exc, (AuthenticationError, ProbableAuthenticationError)):
        return f"{broker} refused the login; check AMQP_USERNAME and AMQP_PASSWORD"
    if isinstance(exc, ProbableAccessDeniedError):
        host = broker.virtual_host
        return f"{broker} refused the virtual host {host!r}; check the path of AMQP_URL, and what the user may"
    return ""
