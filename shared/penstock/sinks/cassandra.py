"""An index in one table of Apache Cassandra 5: one row for each document, and no search.

Every write is one lightweight transaction that names the version which it replaces, or that there is none. So a write
that saw an older state changes nothing, from any number of threads and hosts. The rows of a batch are in many
partitions, so its statements are sent side by side: a logged batch of them would cost more, and compare nothing.

A time limit leaves the outcome open. The row is then read anew, serially, which also finishes a transaction that was
left half done: what the row says is the outcome.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import merge
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any
from zlib import crc32

from penstock.errors import PenstockError, PermanentError, TargetChanged, TemporaryError
from penstock.sinks import document
from penstock.sinks.cassandra_address import CassandraAddress
from penstock.sinks.cassandra_table import CassandraTable, Rows, Statement
from penstock.sinks.document import NotSearchable, Stored
from penstock.sinks.rows import document_of, entry_of, id_of, members_of
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Write

# 64 partitions of a bucket: two million documents of 3 KB stay below 100 MB in each. Part of the layout.
SHARDS = 64
# A node takes half a segment of its commit log in one write: 16 MiB unless it is told otherwise. A larger
# one ends in a time-out, which looks as if it might work later.
MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
PAGE_ROWS = 500

_MARK = "version, state, function, options, source, refusal"
_ROW = "bucket = ? AND shard = ? AND key = ?"
_READ = f"SELECT {_MARK} FROM {{table}} WHERE {_ROW}"  # noqa: S608
_DOCUMENT = f"SELECT body, state, function, options, source, refusal FROM {{table}} WHERE {_ROW}"  # noqa: S608
_INSERT = (
    "INSERT INTO {table} (version, body, state, function, options, source, refusal, bucket, shard, key)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS"
)
_UPDATE = (
    "UPDATE {table} SET version = ?, body = ?, state = ?, function = ?, options = ?, source = ?, refusal = ?"  # noqa: S608
    f" WHERE {_ROW} IF version = ?"
)
_REMOVE = f"DELETE FROM {{table}} WHERE {_ROW} IF version = ?"  # noqa: S608
_FORGET = f"DELETE FROM {{table}} WHERE {_ROW} IF EXISTS"  # noqa: S608


class CassandraSink:
    """The documents of one table; safe for threads and hosts."""

    removes_with_source = True
    refuses_beside = False
    batch_size = document.BATCH_DOCUMENTS

    def __init__(
        self,
        address: CassandraAddress,
        *,
        username: str = "",
        password: str = "",
        ca_file: str | Path | None = None,
        timeout_seconds: float = 10,
    ) -> None:
        self._table = CassandraTable(
            address, username=username, password=password, ca_file=ca_file, timeout_seconds=timeout_seconds
        )
        self._token, self._count = token_hex(8), count()

    # The protocol

    def address(self, source: ObjectRef, rendition: str | None) -> str:
        """`bucket/key`; raises `PermanentError` for a rendition."""
        document.check_whole(source, rendition)
        return id_of(source)

    def read_many(self, places: Sequence[tuple[str, Mark]]) -> list[Entry | None]:
        """Mark and refusal of each document, read side by side; None where there is no document."""
        entries = self._entries([address for address, _ in places])
        return document.with_refusals(entries, places, lambda refs: self._entries([id_of(ref) for ref in refs]))

    def beside(self, address: str, mark: Mark) -> Entry | None:
        """The refusal that is kept beside a foreign document, if there is one."""
        return document.as_beside(address, self._entry(id_of(document.refusal_ref(mark))))

    def write_many(self, writes: Sequence[Write]) -> list[Stored]:
        """Store documents side by side; the outcomes in the same order, errors not raised."""
        outcomes = document.write_each(writes, self._row, self._stored)
        return [self._without_refusal(stored, write.previous) for write, stored in zip(writes, outcomes, strict=True)]

    def refuse(self, address: str, refusal: Refusal, mark: Mark, source: ObjectState, previous: Entry | None) -> Entry:
        """Replace our document by one that says why this state has none; leave a foreign one, and say so beside it."""
        record = self.refusal_address(address, mark)
        return document.refuse(address, refusal, mark, source, previous, record=record, store=self._store)

    def remove(self, address: str, mark: Mark, previous: Entry) -> None:
        """Delete our document; one that is gone already is left so."""
        if not previous.is_foreign_to(mark):
            self._delete(previous.record or address, previous)

    def check(self) -> None:
        """Make the table when there is none, and raise `TemporaryError` unless it can be read."""
        self._table.check()

    def entries(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[tuple[ObjectRef, Entry]]:
        """What is recorded for a bucket's objects, in key order; then the refusals beside foreign documents."""
        for ref, entry, _ in self._listed(bucket, prefix, start_after, with_body=False):
            yield ref, entry
        for _, entry, body in self._listed(document.RECORDS_BUCKET, document.RECORDS_PREFIX, "", with_body=True):
            source = document.source_of_record(members_of(body))
            if source is not None and document.is_wanted(source, bucket, prefix, start_after):
                yield source, replace(entry, record=entry.address)

    def refusal_address(self, address: str, mark: Mark) -> str:
        """The id of the row of a refusal beside a foreign document."""
        del address
        return id_of(document.refusal_ref(mark))

    def forget(self, record: str) -> ObjectRef | None:
        """Delete the refusal beside a foreign document, and return its source."""
        rows = self._table.run(record, _DOCUMENT, *place_of(record))
        if not rows or not self._table.run(record, _FORGET, *place_of(record))[0][0]:
            return None
        return document.source_of_record(members_of(rows[0].body))

    # Beyond the protocol: see SearchableSink

    def search(self, text: str, *, limit: int = 20, offset: int = 0) -> list[dict[str, Any]]:
        """Raises `NotSearchable`: Cassandra has no full-text search."""
        del limit, offset
        raise NotSearchable(
            f"search {text[:80]!r}: an index in Cassandra cannot be searched by words: ask ?bucket=BUCKET&key=KEY, or "
            "name PostgreSQL, OpenSearch or SQLite in SINK"
        )

    def document(self, bucket: str, key: str) -> dict[str, Any] | None:
        """The document of one source object."""
        name = f"{bucket}/{key}"
        rows = self._table.run(name, _DOCUMENT, *place_of(name))
        return document_of(*rows[0]) if rows else None

    def close(self) -> None:
        """Close the session; the next call opens a new one."""
        self._table.close()

    # Reading

    def _entry(self, name: str) -> Entry | None:
        return _seen(name, self._table.run(name, _READ, *place_of(name)))

    def _entries(self, ids: Sequence[str]) -> list[Entry | None]:
        if not ids:
            return []
        found: list[Entry | None] = []
        for name, rows in zip(
            ids, self._table.run_many(ids[0], [(_READ, place_of(name)) for name in ids]), strict=True
        ):
            if isinstance(rows, PenstockError):
                raise rows
            found.append(_seen(name, rows))
        return found

    def _listed(
        self, bucket: str, prefix: str, start_after: str, *, with_body: bool
    ) -> Iterator[tuple[ObjectRef, Entry, str]]:
        """The rows of all partitions of a bucket, merged in key order; the body is "" where it is not asked for."""
        is_behind = start_after and start_after.encode() >= prefix.encode()
        after = (start_after, ">") if is_behind else (prefix, ">=")
        parts = [self._part(bucket, shard, prefix, after, with_body=with_body) for shard in range(SHARDS)]
        for row in merge(*parts, key=lambda row: row.key.encode()):
            name = f"{bucket}/{row.key}"
            yield ObjectRef(bucket, row.key), _entry_in(name, row), row.body if with_body else ""

    def _part(self, bucket: str, shard: int, prefix: str, after: tuple[str, str], *, with_body: bool) -> Iterator[Any]:
        key, comparison = after
        while True:
            text = (
                f"SELECT key, {_MARK}{', body' if with_body else ''} FROM {{table}}"  # noqa: S608
                f" WHERE bucket = ? AND shard = ? AND key {comparison} ? LIMIT {PAGE_ROWS}"
            )
            page = self._table.run("listing", text, bucket, shard, key, is_serial=False)
            for row in page:
                if not row.key.startswith(prefix):
                    return
                yield row
            if len(page) < PAGE_ROWS:
                return
            key, comparison = page[-1].key, ">"

    # Writing

    def _row(
        self, address: str, body: dict[str, Any], mark: Mark, refusal: Refusal | None, previous: Entry | None
    ) -> "_Change":
        """The statement that stores a document, and the entry that it is then.

        Raises `HandlerError`, and `PermanentError` for a document that is too large.
        """
        text = document.to_json(body)
        if len(text) > MAX_DOCUMENT_BYTES // 4 and len(text.encode()) > MAX_DOCUMENT_BYTES:
            raise PermanentError(f"{address}: its document has over {MAX_DOCUMENT_BYTES} bytes, too many for Cassandra")
        version = f"{self._token}-{next(self._count)}"
        values = (
            *(version, text, mark.state, mark.function, mark.options, mark.source),
            document.to_json(refusal.record) if refusal else None,
            *place_of(address),
        )
        entry = Entry(address, mark, refusal, etag=version)
        return ((_UPDATE, (*values, previous.etag or None)) if previous else (_INSERT, values)), entry

    def _stored(self, rows: "Sequence[_Change]") -> list[Stored]:
        if not rows:
            return []
        outcomes = self._table.run_many(rows[0][1].address, [statement for statement, _ in rows])
        return [self._outcome(entry, outcome) for (_, entry), outcome in zip(rows, outcomes, strict=True)]

    def _outcome(self, entry: Entry, outcome: Rows | PenstockError) -> Stored:
        """How one write ended. A temporary error leaves it open, and the row is looked at."""
        if isinstance(outcome, PermanentError):
            return outcome
        if isinstance(outcome, PenstockError):
            try:
                found = self._entry(entry.address)
            except TemporaryError as error:
                return error
            if found is not None and found.etag == entry.etag:
                return entry
            return TemporaryError(str(outcome), retry_after=1)
        # What is there instead comes with the answer. Our own version is there when the statement arrived twice.
        row = outcome[0]
        return entry if row[0] or getattr(row, "version", None) == entry.etag else self._changed(entry.address)

    def _store(
        self, address: str, body: dict[str, Any], mark: Mark, refusal: Refusal | None, previous: Entry | None
    ) -> Entry:
        [outcome] = self._stored([self._row(address, body, mark, refusal, previous)])
        if isinstance(outcome, Entry):
            return outcome
        raise outcome

    def _without_refusal(self, stored: Stored, previous: Entry | None) -> Stored:
        """The same outcome; a refusal that lay beside what was replaced is removed."""
        if isinstance(stored, Entry) and previous is not None and previous.beside is not None:
            try:
                self._delete(previous.beside.record, previous.beside)
            except (TargetChanged, TemporaryError) as error:
                return error
        return stored

    def _delete(self, place: str, previous: Entry) -> None:
        """Delete a row as `previous` shows it. After an error that leaves it open, the next try finds out."""
        [row] = self._table.run(place, _REMOVE, *place_of(place), previous.etag or None)
        if not row[0] and self._entry(place) is not None:
            raise self._changed(place)

    def _changed(self, address: str) -> TargetChanged:
        return TargetChanged(f"{address}: its document in {self._table} was written by another program meanwhile")


_Change = tuple[Statement, Entry]


def place_of(name: str) -> tuple[str, int, str]:
    """Bucket, shard and key of the row with this id."""
    bucket, _, key = name.partition("/")
    return bucket, crc32(key.encode()) % SHARDS, key


def _seen(name: str, rows: Rows) -> Entry | None:
    return _entry_in(name, rows[0]) if rows else None


def _entry_in(name: str, row: Any) -> Entry:
    return entry_of(name, row.version or "", None, row.state, row.function, row.options, row.source, row.refusal)
