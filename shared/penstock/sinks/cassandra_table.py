"""One table of a Cassandra cluster: the session, the table's layout, and what the cluster's errors mean.

`cassandra` reads and writes the documents. The table's comment has the version of the layout below. A table with
another comment, or with none, is left alone. The keyspace is made by the operator, who knows how often to replicate.
"""

import ssl
import threading
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from cassandra import ConsistencyLevel, DriverException, InvalidRequest, Unauthorized
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.connection import ConnectionException
from cassandra.policies import (
    DCAwareRoundRobinPolicy,
    ExponentialReconnectionPolicy,
    FallthroughRetryPolicy,
    TokenAwarePolicy,
)
from cassandra.protocol import ErrorMessage

from penstock.errors import ConfigError, PenstockError, PermanentError, TemporaryError
from penstock.sinks.cassandra_address import CassandraAddress

LAYOUT_VERSION: Final = 1
_COMMENT: Final = f"Penstock index, layout {LAYOUT_VERSION}"
# A partition is what is compared and set at a time, and should stay below 100 MB. So a bucket's documents are spread
# over `shard`. Within a partition keys are in the order of their UTF-8 bytes, as S3 lists.
# version: new with every write. body: the document as JSON, but for its `penstock` field, which is in the columns
# state to refusal. state: NULL in a row of another program. refusal: NULL in a document that describes its object.
_LAYOUT: Final = f"""CREATE TABLE IF NOT EXISTS {{table}} (
    bucket text, shard smallint, key text, version text, body text,
    state text, function text, options text, source text, refusal text,
    PRIMARY KEY ((bucket, shard), key)
) WITH comment = '{_COMMENT}'"""
_CONNECT_SECONDS: Final = 5
_PARALLEL: Final = 32  # statements under way for one batch
_RECONNECT_SECONDS: Final = (1, 10)  # at first, and at most
_TOO_LARGE: Final = ("too large", "too long", "longer than", "maximum size", "larger than", "allowed maximum")
# A node that cannot read the role, since those that have it are down, refuses as if the role were wrong.
_AUTH_DOWN: Final = "unable to perform auth"
_GONE: Final = ("unconfigured table", "does not exist")
# All that the driver raises, which has no base of its own: a lost connection, and what a node answers when it is
# overloaded or starting, are not among its DriverExceptions.
DRIVER_ERRORS: Final = (DriverException, NoHostAvailable, ConnectionException, ErrorMessage, OSError)

Statement = tuple[str, Sequence[object]]
Rows = list[Any]


class CassandraTable:
    """The table that `address` names; safe for threads, which share one session."""

    def __init__(
        self,
        address: CassandraAddress,
        *,
        username: str,
        password: str,
        ca_file: str | Path | None,
        timeout_seconds: float,
    ) -> None:
        self._address = address
        self._username, self._password = username, password
        self._ca_file, self._timeout_seconds = ca_file, timeout_seconds
        self._table = f'"{address.keyspace}"."{address.table}"'
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._is_ready = False
        self._prepared: dict[tuple[str, int], Any] = {}

    def __str__(self) -> str:
        return f"table {self._address.keyspace}.{self._address.table} in {self._address.url}"

    def run(self, subject: str, text: str, *values: object, is_serial: bool = True, rows: int | None = None) -> Rows:
        """The rows of one statement, in which `{table}` is the table; `subject` is named in errors.

        A serial read sees every write that was answered, and finishes one that was left half done. `rows` is the
        largest number of rows that is returned.
        """
        try:
            statement = self._bound(text, values, is_serial=is_serial)
            found = self._opened().execute(statement)
            return list(found if rows is None else islice(found, rows))
        except DRIVER_ERRORS as exc:
            raise self.meaning(exc, subject) from exc

    def run_many(self, subject: str, statements: Sequence[Statement]) -> list[Rows | PenstockError]:
        """The rows of each statement, or its error, in the same order; some are under way at a time.

        After a temporary error the rest is not asked for: a cluster that is silent would cost a time limit for each.
        """
        outcomes: list[Rows | PenstockError] = []
        for start in range(0, len(statements), _PARALLEL):
            if lost := next((one for one in outcomes[-_PARALLEL:] if isinstance(one, TemporaryError)), None):
                return outcomes + [lost] * (len(statements) - start)
            outcomes += self._together(subject, statements[start : start + _PARALLEL])
        return outcomes

    def check(self) -> None:
        """Make the table when there is none, and raise `TemporaryError` unless it can be read."""
        self.run("check", "SELECT version FROM {table} WHERE bucket = '' AND shard = 0 LIMIT 1")

    def close(self) -> None:
        """Close the session; the next call opens a new one."""
        with self._lock:
            session, self._session, self._is_ready = self._session, None, False
            self._prepared.clear()
        if session is not None:
            session.cluster.shutdown()

    def meaning(self, exc: Exception, subject: str) -> PenstockError:
        """What an error of the driver or of the cluster means for the caller."""
        said = f"{self}: {subject}: {exc}"
        if isinstance(exc, InvalidRequest):
            text = str(exc).lower()
            if any(words in text for words in _TOO_LARGE):
                return PermanentError(f"{said}: the cluster refuses this document")
            if any(words in text for words in _GONE):
                self._forget_layout()
                return TemporaryError(
                    f"{said}: it was dropped; the next try makes it anew, `penstock reconcile` fills it", retry_after=1
                )
            return TemporaryError(f"{said}: its columns are not those of this version: name another table in SINK")
        nodes_said = repr(exc.errors) if isinstance(exc, NoHostAvailable) else str(exc)
        if _AUTH_DOWN in nodes_said.lower():
            return TemporaryError(
                f"{said}: too few nodes that have the role answer; system_auth should have a replica on several nodes",
                retry_after=2,
            )
        if isinstance(exc, Unauthorized):
            return TemporaryError(f"{said}: the role needs SELECT and MODIFY on the table, and CREATE to make it")
        if isinstance(exc, NoHostAvailable) and "AuthenticationFailed" in nodes_said:
            return TemporaryError(f"{self}: log-in failed: check SINK_USERNAME and SINK_PASSWORD", retry_after=2)
        return TemporaryError(
            f"{said}: no answer in time, or too few replicas: check SINK, the network, and MINIO_CA_FILE", retry_after=2
        )

    # Statements

    def _together(self, subject: str, statements: Sequence[Statement]) -> list[Rows | PenstockError]:
        asked: list[Any] = []
        for text, values in statements:
            try:
                asked.append(self._opened().execute_async(self._bound(text, values, is_serial=True)))
            except DRIVER_ERRORS as exc:
                asked.append(self.meaning(exc, subject))
            except PenstockError as error:
                asked.append(error)
        outcomes: list[Rows | PenstockError] = []
        for one in asked:
            if isinstance(one, PenstockError):
                outcomes.append(one)
                continue
            try:
                outcomes.append(list(one.result()))
            except DRIVER_ERRORS as exc:
                outcomes.append(self.meaning(exc, subject))
        return outcomes

    def _bound(self, text: str, values: Sequence[object], *, is_serial: bool) -> Any:
        self._ensure()
        is_read = text.startswith("SELECT")
        level = ConsistencyLevel.SERIAL if is_read and is_serial else ConsistencyLevel.QUORUM
        prepared = self._prepared.get((text, level))
        if prepared is None:
            prepared = self._opened().prepare(text.replace("{table}", self._table))
            prepared.consistency_level = level
            if not is_read:
                prepared.serial_consistency_level = ConsistencyLevel.SERIAL
            self._prepared[(text, level)] = prepared
        return prepared.bind(values)

    # The layout

    def _ensure(self) -> None:
        if self._is_ready:
            return
        session = self._opened()
        with self._lock:
            if not self._is_ready:
                self._make(session)
                self._is_ready = True

    def _make(self, session: Session) -> None:
        """Make the table when there is none; raises `TemporaryError` for one of another layout."""
        comment = self._comment(session)
        if comment is None:
            session.execute(_LAYOUT.format(table=self._table))
            comment = self._comment(session)
        if comment != _COMMENT:
            raise TemporaryError(
                f"{self}: its comment is {comment!r} and not {_COMMENT!r}, so another program or version made it: name "
                "another table in SINK, or drop this one and run `penstock reconcile`"
            )

    def _comment(self, session: Session) -> str | None:
        """The table's comment, None where there is no table; raises `ConfigError` where there is no keyspace."""
        named = (self._address.keyspace, self._address.table)
        where = "FROM system_schema.{} WHERE keyspace_name = %s"
        if not list(session.execute(f"SELECT keyspace_name {where.format('keyspaces')}", named[:1])):
            raise ConfigError(
                f"{self}: there is no keyspace {named[0]}: make it, for example CREATE KEYSPACE {named[0]} WITH "
                "replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': 3}"
            )
        rows = list(session.execute(f"SELECT comment {where.format('tables')} AND table_name = %s", named))
        return str(rows[0][0]) if rows else None

    def _forget_layout(self) -> None:
        self._is_ready = False
        self._prepared.clear()

    # The session

    def _opened(self) -> Session:
        session = self._session
        if session is not None:
            return session
        with self._lock:
            if self._session is None:
                self._session = self._connect()
            return self._session

    def _connect(self) -> Session:
        address = self._address
        cluster = Cluster(
            list(address.hosts),
            port=address.port,
            auth_provider=PlainTextAuthProvider(self._username, self._password) if self._username else None,
            ssl_context=self._tls() if address.has_tls else None,
            execution_profiles={
                EXEC_PROFILE_DEFAULT: ExecutionProfile(
                    load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy()),
                    # A write whose outcome is not known is looked at again by `cassandra`, not sent again here.
                    retry_policy=FallthroughRetryPolicy(),
                    request_timeout=self._timeout_seconds,
                )
            },
            # A node that is down is logged at each try. The driver's own waits grow up to ten minutes.
            reconnection_policy=ExponentialReconnectionPolicy(*_RECONNECT_SECONDS, max_attempts=None),
            connect_timeout=_CONNECT_SECONDS,
            control_connection_timeout=_CONNECT_SECONDS,
            schema_metadata_enabled=False,
        )
        try:
            return cluster.connect()
        except Exception:
            cluster.shutdown()
            raise

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=str(self._ca_file) if self._ca_file else None)
        except OSError as exc:
            raise ConfigError(f"MINIO_CA_FILE={str(self._ca_file)!r}: cannot be read: {exc}") from exc
