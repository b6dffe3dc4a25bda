"""What a key of a notification target may hold: each reader gives the value as MinIO wants it.

A reader raises `ValueError`, which says what is expected. The text of a secret never stands in that error.
"""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from penstock.settings.durations import parse_go_duration

_ADDRESS: Final = re.compile(r"([\w.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}")


def text(value: str) -> str:
    return value


def switch(value: str) -> str:
    words = {"on": "on", "true": "on", "yes": "on", "off": "off", "false": "off", "no": "off"}
    if value.lower() not in words:
        raise ValueError("expected on or off")
    return words[value.lower()]


def number(minimum: int = 0, maximum: int | None = None) -> Callable[[str], str]:
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


def duration(value: str) -> str:
    if value != "0":
        parse_go_duration(value)
    return value if value != "0" else "0s"


def path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("expected an absolute path on the MinIO server")
    return value


def one_of(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.lower() not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return value.lower()

    return read


def url(schemes: tuple[str, ...], credentials: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        try:
            found = urlsplit(value)
            _ = found.port
        except ValueError as exc:
            raise ValueError(f"expected a URL: {exc}") from exc
        if found.scheme not in schemes or not found.hostname:
            raise ValueError(f"expected {'://, '.join(schemes)}:// and a host")
        if found.username or found.password:
            raise ValueError(f"holds credentials; give them as {credentials}, from a file or the environment")
        return value

    return read


def brokers(value: str) -> str:
    found = [each.strip() for each in value.split(",")]
    for broker in found:
        if not _ADDRESS.fullmatch(broker):
            raise ValueError(f"expected HOST:PORT, several separated by commas, got {broker!r}")
    return ",".join(found)


def kafka_topic(value: str) -> str:
    # org.apache.kafka.common.internals.Topic
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", value) or value in (".", ".."):
        raise ValueError("expected 1 to 249 letters, digits, '.', '_' and '-'")
    return value


def mqtt_topic(value: str) -> str:
    if not value or set(value) & set("+#\0"):
        raise ValueError("expected a topic to publish to, so without + and #")
    return value


def index(value: str) -> str:
    if not re.fullmatch(r'[^-_+A-Z\\/*?"<>|\s,#:.][^A-Z\\/*?"<>|\s,#:]*', value) or len(value.encode()) > 255:
        raise ValueError('expected an index name: lower case, no spaces or any of \\ / * ? " < > | , # :')
    return value


def kafka_version(value: str) -> str:
    if not re.fullmatch(r"0\.\d+\.\d+\.\d+|[1-9]\d*\.\d+\.\d+", value, re.ASCII):
        raise ValueError("expected a version such as 3.9.0")
    return value


def address(value: str) -> str:
    """One HOST:PORT."""
    if not _ADDRESS.fullmatch(value):
        raise ValueError("expected HOST:PORT")
    return value


def subject(value: str) -> str:
    """A NATS subject to publish to: names with dots between, no wildcards."""
    if not re.fullmatch(r"[^\s.*>]+(\.[^\s.*>]+)*", value):
        raise ValueError("expected a subject to publish to: names with dots between, without spaces, * and >")
    return value


def nsq_topic(value: str) -> str:
    # nsqio/nsq: internal/protocol/names.go
    if not re.fullmatch(r"[.a-zA-Z0-9_-]{1,64}(#ephemeral)?", value) or len(value) > 64:
        raise ValueError("expected 1 to 64 letters, digits, '.', '_' and '-'")
    return value


def sql_table(value: str) -> str:
    """A table's name, which MinIO puts into its statements as it stands."""
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]{0,62}(\.[a-zA-Z_][a-zA-Z0-9_]{0,62})?", value):
        raise ValueError("expected a table name: letters, digits and _")
    return value


def simple_table(value: str) -> str:
    """As `sql_table`; MinIO takes no schema before a table of PostgreSQL (`validatePsqlTableName`)."""
    if "." in value:
        raise ValueError("expected a table name without a schema; set search_path in connection_string")
    return sql_table(value)


def amqp_url(value: str) -> str:
    try:
        found = urlsplit(value)
        named = found.scheme in ("amqp", "amqps") and bool(found.hostname) and found.port != 0
    except ValueError:  # its text may hold a part of the password
        named = False
    if not named:
        raise ValueError("expected amqp://USER:PASSWORD@HOST:5672/VHOST or amqps://")
    return value


def mysql_dsn(value: str) -> str:
    # go-sql-driver/mysql: [user[:password]@][net[(addr)]]/dbname[?param1=value1&...]
    if not re.fullmatch(r"(.*@)?[a-z]+\([^()\s]+\)/[^/?\s]+(\?\S*)?", value):
        raise ValueError("expected USER:PASSWORD@tcp(HOST:3306)/DATABASE")
    return value


def postgres_connection(value: str) -> str:
    # lib/pq: a URL, or `key=value` words, a value with spaces in single quotes
    words = r"(\w+\s*=\s*('([^'\\]|\\.)*'|[^\s']+)\s*)+"
    if not value.startswith(("postgres://", "postgresql://")) and not re.fullmatch(words, value):
        raise ValueError("expected host=HOST port=5432 dbname=NAME user=USER password=PASSWORD, or postgres://")
    return value
