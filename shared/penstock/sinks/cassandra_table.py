"""One table of Apache Cassandra: the session, the table's layout, and what the server's errors mean.

`cassandra` reads and writes the documents. cassandra-driver speaks the protocol, finds the nodes and connects again.

The table's comment has the version of the layout below. A table with another comment, or with none, is left alone.
"""

import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from cassandra import (
    AuthenticationFailed,
    ConsistencyLevel,
    CoordinationFailure,
    DriverException,
    InvalidRequest,
    ProtocolVersion,
    Timeout,
    Unauthorized,
    Unavailable,
)
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.connection import ConnectionException
from cassandra.policies import DCAwareRoundRobinPolicy, ExponentialReconnectionPolicy, TokenAwarePolicy
from cassandra.protocol import ErrorMessage
from cassandra.query import PreparedStatement, dict_factory

from penstock.errors import ConfigError, PenstockError, TemporaryError
from penstock.sinks.cassandra_address import CassandraAddress

LAYOUT_VERSION: Final = 1
_COMMENT: Final = f"Penstock index, layout {LAYOUT_VERSION}"
# id: bucket/key. A partition holds one document, so that no partition grows and no two documents wait for each other.
# version: new with every write. body: the document, but for its `penstock` field, which is in the columns below.
# state: null in a row of another program. refusal: null in a document that describes its object.
_LAYOUT: Final = f"""CREATE TABLE IF NOT EXISTS {{table}} (
    id text PRIMARY KEY, version text, body text, state text, function text, options text, source text, refusal text
) WITH comment = '{_COMMENT}'"""
_COMMENT_OF: Final = "SELECT comment FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s"
_CONNECT_SECONDS: Final = 5
_RECONNECT_SECONDS: Final = (1, 10)  # at first, and at most
_AT_ONCE: Final = 64  # statements under way; one node has 32 threads for writes
PAGE_ROWS: Final = 1000
_DRIVER_ERRORS: Final = (DriverException, NoHostAvailable, ErrorMessage, ConnectionException, OSError)

Columns = dict[str, Any]
RowsOrError = list[Columns] | PenstockError
"""The rows that one statement returned, or why there are none."""


class OutcomeUnknown(TemporaryError):
    """No answer came: the statement may have been done, may be done later, or never."""


class CassandraTable:
    """The table that `address` names; safe for threads, which share one session."""

    def __init__(
        self,
        address: CassandraAddress,
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
        self._table = f"{address.keyspace}.{address.table}"
        self._setup = threading.Lock()
        self._cluster: Cluster | None = None
        self._session: Session | None = None
        self._prepared: dict[tuple[str, bool], PreparedStatement] = {}
        self._is_ready = False

    def __str__(self) -> str:
        return f"table {self._table} in {self._address.url}"

    def run(self, statement: str, *values: object, is_serial: bool = False) -> list[Columns]:
        """The rows of one statement, in which `{table}` is the table; raises `TemporaryError`."""
        [answer] = self.run_many([(statement, values)], is_serial=is_serial)
        if isinstance(answer, PenstockError):
            raise answer
        return answer

    def run_many(self, statements: Sequence[tuple[str, Sequence[object]]], *, is_serial: bool = False) -> list[RowsOrError]:
        """The answers to statements that are sent side by side, in the same order; errors are not raised.

        A serial read sees conditional writes that were under way, or ends them.
        """
        answers: list[RowsOrError] = []
        for start in range(0, len(statements), _AT_ONCE):
            answers += self._side_by_side(statements[start : start + _AT_ONCE], is_serial=is_serial)
            lost = next((answer for answer in answers if isinstance(answer, OutcomeUnknown)), None)
            if lost is not None:
                # The rest would wait as long, one portion after another. None of it was sent.
                rest = len(statements) - len(answers)
                return [*answers, *[TemporaryError(f"{self}: not sent: {lost}", retry_after=2)] * rest]
        return answers

    def scan(self, statement: str) -> Iterator[Columns]:
        """All rows of a statement, page by page, in no useful order; raises `TemporaryError`."""
        session = self._ensured()
        try:
            prepared = self._statement(session, statement, is_serial=False)
            prepared.fetch_size = PAGE_ROWS
            yield from session.execute(prepared)
        except _DRIVER_ERRORS as exc:
            raise self._meaning(exc) from exc

    def close(self) -> None:
        """Close the session; the next call opens a new one."""
        with self._setup:
            self._close()

    # The session and the layout

    def _ensured(self) -> Session:
        session = self._session
        if session is not None and self._is_ready:
            return session
        with self._setup:
            if self._session is None:
                self._connect()
            session = self._session
            if not self._is_ready:
                try:
                    self._make(session)
                except _DRIVER_ERRORS as exc:
                    raise self._meaning(exc) from exc
                self._is_ready = True
        return session

    def _connect(self) -> None:
        profile = ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy()),
            consistency_level=ConsistencyLevel.QUORUM,
            serial_consistency_level=ConsistencyLevel.SERIAL,
            request_timeout=self._timeout_seconds,
            row_factory=dict_factory,
        )
        login = PlainTextAuthProvider(self._username, self._password) if self._username else None
        context = self._tls() if self._address.has_tls else None
        try:
            self._cluster = Cluster(
                self._address.hosts,
                port=self._address.port,
                auth_provider=login,
                ssl_context=context,
                execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                # The driver's own waits longer and longer, up to ten minutes.
                reconnection_policy=ExponentialReconnectionPolicy(*_RECONNECT_SECONDS, max_attempts=None),
                protocol_version=ProtocolVersion.V4,  # of every server since 2.2; others would be tried one by one
                connect_timeout=_CONNECT_SECONDS,
                application_name=self._name,
            )
            self._session = self._cluster.connect()
        except _DRIVER_ERRORS as exc:
            self._close()
            raise self._meaning(exc) from exc

    def _close(self) -> None:
        if self._cluster is not None:
            self._cluster.shutdown()
        self._cluster = self._session = None
        self._prepared.clear()
        self._is_ready = False

    def _make(self, session: Session) -> None:
        """Make the table when there is none; raises `TemporaryError` for one of another layout."""
        names = (self._address.keyspace, self._address.table)
        if session.execute(_COMMENT_OF, names).one() is None:
            session.execute(_LAYOUT.format(table=self._table))
        found = session.execute(_COMMENT_OF, names).one()
        comment = found and found["comment"]
        if comment != _COMMENT:
            raise TemporaryError(
                f"{self}: its comment is {comment!r} and not {_COMMENT!r}, so another program or version made it: name "
                "another table in SINK, or drop this one and run `penstock reconcile`"
            )

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=str(self._ca_file) if self._ca_file else None)
        except OSError as exc:
            raise ConfigError(f"MINIO_CA_FILE={str(self._ca_file)!r}: cannot be read: {exc}") from exc

    # Statements

    def _side_by_side(self, statements: Sequence[tuple[str, Sequence[object]]], *, is_serial: bool) -> list[RowsOrError]:
        try:
            session = self._ensured()
            bound = [
                self._statement(session, statement, is_serial=is_serial).bind(values)
                for statement, values in statements
            ]
        except PenstockError as error:
            return [error] * len(statements)
        except _DRIVER_ERRORS as exc:
            return [self._meaning(exc)] * len(statements)
        answers: list[RowsOrError] = []
        for future in [session.execute_async(each) for each in bound]:
            try:
                answers.append(list(future.result()))
            except _DRIVER_ERRORS as exc:
                answers.append(self._meaning(exc))
        return answers

    def _statement(self, session: Session, statement: str, *, is_serial: bool) -> PreparedStatement:
        found = self._prepared.get((statement, is_serial))
        if found is None:
            found = session.prepare(statement.format(table=self._table))
            if is_serial:
                found.consistency_level = ConsistencyLevel.SERIAL
            self._prepared[statement, is_serial] = found
        return found

    def _meaning(self, exc: Exception) -> TemporaryError:
        """What an error of the server or of the driver means for the caller."""
        causes = [exc, *(exc.errors.values() if isinstance(exc, NoHostAvailable) and exc.errors else ())]
        said = f"{self}: {'; '.join(dict.fromkeys(str(cause) for cause in causes[1:] or causes))}"
        if any(isinstance(cause, AuthenticationFailed) for cause in causes):
            return TemporaryError(f"{said}: check SINK_USERNAME and SINK_PASSWORD", retry_after=2)
        if isinstance(exc, Unauthorized):
            return TemporaryError(
                f"{said}: this role needs SELECT and MODIFY on the table, and CREATE on its keyspace to make it"
            )
        if isinstance(exc, InvalidRequest):
            return self._refused(str(exc), said)
        if isinstance(exc, Unavailable) or (causes[1:] and all(isinstance(each, Unavailable) for each in causes[1:])):
            return TemporaryError(f"{said}: too few replicas are up for a quorum", retry_after=2)
        if any(isinstance(cause, Timeout | CoordinationFailure) for cause in causes):
            return OutcomeUnknown(f"{said}: too few replicas answered in time", retry_after=2)
        return OutcomeUnknown(
            f"{said or repr(exc)}: cannot be reached in time: check SINK (tls=off for a server without TLS), the "
            "network, and MINIO_CA_FILE",
            retry_after=2,
        )

    def _refused(self, text: str, said: str) -> TemporaryError:
        """The server refuses the statement. Each of ours is right for our layout, so the table is looked at again."""
        self._is_ready = False
        self._prepared.clear()
        if "keyspace" in text.lower() and "exist" in text:
            return TemporaryError(f"{said}: create the keyspace; its replication is for you to choose", retry_after=2)
        if "unconfigured table" in text or "does not exist" in text or "exists" in text:
            return TemporaryError(
                f"{said}: it was dropped; the next try makes it anew, `penstock reconcile` fills it", retry_after=1
            )
        return TemporaryError(said, retry_after=2)
