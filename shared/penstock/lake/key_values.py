"""What a key of a notification target may hold: each reader gives the value as MinIO wants it.

A reader raises `ValueError`, which says what is expected. The text of a secret never stands in that error. Most readers
are one line here: a pattern that the whole value must match, and the words for a value that does not.
"""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from penstock.settings.durations import parse_go_duration

Reader = Callable[[str], str]

_HOST_PORT: Final = r"([\w.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}"
_SQL_NAME: Final = "[a-zA-Z_][a-zA-Z0-9_]{0,62}"


def matching(pattern: str, expected: str) -> Reader:
    """Takes values that match as a whole."""

    def read(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"expected {expected}")
        return value

    return read


def one_of(*words: str) -> Reader:
    """Takes these words, in upper or lower case."""

    def read(value: str) -> str:
        if value.lower() not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return value.lower()

    return read


def number(minimum: int = 0, maximum: int | None = None) -> Reader:
    """Takes whole numbers from `minimum` to `maximum`."""
    upto = f" to {maximum}" if maximum is not None else " or more"

    def read(value: str) -> str:
        is_number = re.fullmatch(r"-?[0-9]{1,30}", value)
        if not is_number or int(value) < minimum or (maximum is not None and int(value) > maximum):
            raise ValueError(f"expected a whole number, {minimum}{upto}")
        return value

    return read


def url(schemes: tuple[str, ...], credentials: str) -> Reader:
    """Takes URLs with one of these schemes; `credentials` names the keys that hold them instead."""

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


def text(value: str) -> str:
    return value


def switch(value: str) -> str:
    words = {"on": "on", "true": "on", "yes": "on", "off": "off", "false": "off", "no": "off"}
    if value.lower() not in words:
        raise ValueError("expected on or off")
    return words[value.lower()]


def duration(value: str) -> str:
    if value == "0":
        return "0s"
    parse_go_duration(value)
    return value


def brokers(value: str) -> str:
    found = [each.strip() for each in value.split(",")]
    for broker in found:
        if not re.fullmatch(_HOST_PORT, broker):
            raise ValueError(f"expected HOST:PORT, several separated by commas, got {broker!r}")
    return ",".join(found)


def index(value: str) -> str:
    if not re.fullmatch(r'[^-_+A-Z\\/*?"<>|\s,#:.][^A-Z\\/*?"<>|\s,#:]*', value) or len(value.encode()) > 255:
        raise ValueError('expected an index name: lower case, no spaces or any of \\ / * ? " < > | , # :')
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


path: Final = matching(r"(?s)/.*", "an absolute path on the MinIO server")
address: Final = matching(_HOST_PORT, "HOST:PORT")
# org.apache.kafka.common.internals.Topic
kafka_topic: Final = matching(r"(?!\.{1,2}\Z)[a-zA-Z0-9._-]{1,249}", "1 to 249 letters, digits, '.', '_' and '-'")
kafka_version: Final = matching(r"0\.[0-9]+\.[0-9]+\.[0-9]+|[1-9][0-9]*\.[0-9]+\.[0-9]+", "a version such as 3.9.0")
mqtt_topic: Final = matching(r"[^+#\0]+", "a topic to publish to, so without + and #")
# nsqio/nsq: internal/protocol/names.go
nsq_topic: Final = matching(r"(?=.{1,64}\Z)[.a-zA-Z0-9_-]+(#ephemeral)?", "1 to 64 letters, digits, '.', '_' and '-'")
# NATS: names with dots between, no wildcards.
subject: Final = matching(
    r"[^\s.*>]+(\.[^\s.*>]+)*", "a subject to publish to: names with dots between, without spaces, * and >"
)
# MinIO puts it into its statements as it stands.
sql_table: Final = matching(rf"{_SQL_NAME}(\.{_SQL_NAME})?", "a table name: letters, digits and _")
# go-sql-driver/mysql: [user[:password]@][net[(addr)]]/dbname[?param1=value1&...]
mysql_dsn: Final = matching(r"(.*@)?[a-z]+\([^()\s]+\)/[^/?\s]+(\?\S*)?", "USER:PASSWORD@tcp(HOST:3306)/DATABASE")
# lib/pq: a URL, or `key=value` words, a value with spaces in single quotes
postgres_connection: Final = matching(
    r"(?s)postgres(ql)?://.*|(\w+\s*=\s*('([^'\\]|\\.)*'|[^\s']+)\s*)+",
    "host=HOST port=5432 dbname=NAME user=USER password=PASSWORD, or postgres://",
)
