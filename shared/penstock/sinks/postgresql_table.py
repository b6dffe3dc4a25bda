"""One table of a PostgreSQL server: connections, the table's layout, and what the server's errors mean.

`postgresql` reads and writes the documents. pg8000 speaks the protocol. Every statement is a transaction of its own and
is prepared without a name, so that PgBouncer may stand between, in any of its modes.

The table's comment has the version of the layout below. A table with another comment, or with none, is left alone.
"""

import socket
import ssl
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection, identifier

from penstock.errors import ConfigError, PenstockError, PermanentError, TemporaryError
from penstock.sinks.postgresql_address import PostgresqlAddress

LAYOUT_VERSION: Final = 1
_COMMENT: Final = f"Penstock index, layout {LAYOUT_VERSION}"
_LAYOUT: Final = (
    # id: bucket/key; no bucket's name has a slash, so the first one divides. In the order of UTF-8 bytes, as S3 lists.
    # version: new with every write. body: the document, but for its `penstock` field, which is in the columns below.
    # state: NULL in a row of another program. refusal: NULL in a document that describes its object.
    """CREATE TABLE {table} (
        id text COLLATE "C" PRIMARY KEY,
        version text NOT NULL DEFAULT gen_random_uuid()::text,
        body jsonb NOT NULL,
        state text,
        function text,
        options text,
        source text,
        refusal jsonb,
        words tsvector NOT NULL DEFAULT ''
    )""",
    "CREATE INDEX {words} ON {table} USING gin (words)",
    f"COMMENT ON TABLE {{table}} IS '{_COMMENT}'",
)
# After this time an idle connection may have been cut by a proxy that says nothing about it.
_MAX_IDLE_SECONDS: Final = 120
_CONNECT_SECONDS: Final = 5
_ATTEMPTS: Final = 3
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_CONFLICTS: Final = ("40001", "40P01")
_NO_TABLE: Final = "42P01"
_REMEDIES: Final = {
    "28": "check SINK_USERNAME and SINK_PASSWORD",
    "3D": "create the database, with ENCODING 'UTF8'",
    "3F": "create the schema",
    "25": "it takes no writes: name the primary server in SINK",
    "42": "this role needs SELECT, INSERT, UPDATE and DELETE on the table, and CREATE in its schema to make it",
    "53": "the server has no room: for data, memory or connections",
    "57": "the server is starting or stopping",
}
_OF_THE_DOCUMENT: Final = ("22", "54")  # data exceptions, and limits such as the depth of JSON


class PostgresqlTable:
    """The table that `address` names; safe for threads, each of which has a connection while it works."""

    def __init__(
        self,
        address: PostgresqlAddress,
        *,
        username: str,
        password: str,
        ca_file: str | Path | None,
        name: str,
        timeout_seconds: float,
    ) -> None:
        self._address = address
        self._username, self._password, self._name = username, password, name
        self._ca_file, self._timeout_seconds = ca_file, timeout_seconds
        names = [part for part in (address.schema, address.table) if part]
        self._table = ".".join(f'"{part}"' for part in names)
        self._words = identifier(f"{address.table}_words")
        self._idle: deque[tuple[float, Connection]] = deque()
        self._setup = threading.Lock()
        self._is_ready = False

    def __str__(self) -> str:
        return f"table {self._table} in {self._address.url}/{self._address.database}"

    def run(self, subject: str, statement: str, **values: object) -> list[list[Any]]:
        """The rows of one statement, in which `{table}` is the table; `subject` is named in errors.

        A statement that lost against another one is repeated; each of ours says what it expects. Raises
        `TemporaryError`, and `PermanentError` where the server refuses the values.
        """
        self._ensure()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._once(subject, statement, values)
            except _Conflict as exc:
                if attempt == _ATTEMPTS:
                    raise TemporaryError(f"{self}: {subject}: {exc}", retry_after=1) from exc
        raise AssertionError("unreachable")

    def check(self) -> None:
        """Make the table when there is none, and raise `TemporaryError` unless it can be written."""
        self.run("check", "DELETE FROM {table} WHERE id = ''")

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        while self._idle:
            with suppress(IndexError):
                _close(self._idle.pop()[1])

    # The layout

    def _ensure(self) -> None:
        if self._is_ready:
            return
        with self._setup:
            if not self._is_ready:
                self._make()
                self._is_ready = True

    def _make(self) -> None:
        """Make the table when there is none; raises `TemporaryError` for one of another layout."""
        if self._is_made():
            return
        connection = self._connect()
        try:
            self._sent(connection, "new table", "START TRANSACTION", {})
            # Of several programs that start at once, one makes the table.
            self._sent(connection, "new table", "SELECT pg_advisory_xact_lock(hashtext(:name))", {"name": self._table})
            if not self._is_made():
                for statement in _LAYOUT:
                    self._sent(connection, "new table", statement, {})
            self._sent(connection, "new table", "COMMIT", {})
        except _Conflict as exc:
            raise TemporaryError(f"{self}: new table: {exc}", retry_after=1) from exc
        finally:
            _close(connection)

    def _is_made(self) -> bool:
        """Whether the table is there, with our layout."""
        statement = (
            "SELECT current_setting('server_encoding'), to_regclass(:name) IS NOT NULL,"
            " obj_description(to_regclass(:name), 'pg_class')"
        )
        [(encoding, is_there, comment)] = self._once("layout", statement, {"name": self._table})
        if encoding != "UTF8":
            raise ConfigError(f"{self}: its encoding is {encoding}: create a database with ENCODING 'UTF8'")
        if is_there and comment != _COMMENT:
            raise TemporaryError(
                f"{self}: its comment is {comment!r} and not {_COMMENT!r}, so another program or version made it: name "
                "another table in SINK, or drop this one and run `penstock reconcile`"
            )
        return bool(is_there)

    # Statements

    def _once(self, subject: str, statement: str, values: dict[str, object]) -> list[list[Any]]:
        connection = self._idle_connection() or self._connect()
        try:
            rows = self._sent(connection, subject, statement, values)
        except PenstockError:
            _close(connection)
            raise
        self._idle.append((time.monotonic(), connection))
        return rows

    def _sent(self, connection: Connection, subject: str, statement: str, values: dict[str, object]) -> list[list[Any]]:
        statement = statement.replace("{table}", self._table).replace("{words}", self._words)
        try:
            rows: list[list[Any]] | None = connection.run(statement, **values)
        except DatabaseError as exc:
            raise self._meaning(exc, subject) from exc
        except (InterfaceError, OSError) as exc:
            self._forget()
            raise self._unreachable(exc) from exc
        return rows or []

    def _meaning(self, exc: DatabaseError, subject: str) -> Exception:
        """What an error of the server means for the caller."""
        told = exc.args[0] if exc.args and isinstance(exc.args[0], dict) else {}
        code, text = str(told.get("C", "")), str(told.get("M", exc))
        said = f"{self}: {subject}: {code} {text}"
        if code in _CONFLICTS:
            return _Conflict(text)
        if code == _NO_TABLE:
            self._is_ready = False
            return TemporaryError(
                f"{said}: it was dropped; the next try makes it anew, `penstock reconcile` fills it", retry_after=1
            )
        if code[:2] in _OF_THE_DOCUMENT:
            return PermanentError(f"{said}: the server refuses this document")
        remedy = _REMEDIES.get(code[:2])
        return TemporaryError(f"{said}: {remedy}" if remedy else said, retry_after=2)

    # Connections

    def _idle_connection(self) -> Connection | None:
        """The connection that was used last; older ones are closed."""
        while self._idle:
            try:
                since, connection = self._idle.pop()
            except IndexError:  # another thread took it
                return None
            if time.monotonic() - since < _MAX_IDLE_SECONDS:
                return connection
            _close(connection)
        return None

    def _connect(self) -> Connection:
        address = self._address
        try:
            link = self._link()
        except OSError as exc:
            raise self._unreachable(exc) from exc
        try:
            return Connection(
                self._username,
                host=address.host,  # the name that the certificate must have
                sock=link,
                database=address.database,
                password=self._password,
                # None would be TLS without a check of the certificate, if the server has it.
                ssl_context=self._tls() if address.has_tls else False,
                application_name=self._name,
            )
        except DatabaseError as exc:
            link.close()
            raise self._meaning(exc, "log-in") from exc
        except (InterfaceError, OSError) as exc:
            link.close()
            raise self._unreachable(exc) from exc

    def _link(self) -> socket.socket:
        link = socket.create_connection(
            (self._address.host, self._address.port), min(self._timeout_seconds, _CONNECT_SECONDS)
        )
        link.settimeout(self._timeout_seconds)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # A statement is two small messages, and the second would wait 40 ms for the answer to the first.
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return link

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=str(self._ca_file) if self._ca_file else None)
        except OSError as exc:
            raise ConfigError(f"MINIO_CA_FILE={str(self._ca_file)!r}: cannot be read: {exc}") from exc

    def _forget(self) -> None:
        """Close the idle connections too: the server that one lost has most likely closed all of them."""
        self.close()

    def _unreachable(self, exc: Exception) -> TemporaryError:
        cause = exc.__cause__ or exc
        if "refuses SSL" in str(exc):
            return TemporaryError(f"{self}: the server has no TLS: switch it on, or add ?sslmode=disable to SINK")
        return TemporaryError(
            f"{self}: cannot be reached: {cause}: check SINK, the network, and MINIO_CA_FILE", retry_after=2
        )


class _Conflict(PenstockError):
    """The statement lost against another one, and changed nothing."""


def _close(connection: Connection) -> None:
    with suppress(InterfaceError, DatabaseError, OSError):
        connection.close()
