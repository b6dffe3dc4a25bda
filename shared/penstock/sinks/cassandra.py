"""An index in one table of Apache Cassandra 4.0 or newer: JSON documents, each in a partition of its own.

Each write is one lightweight transaction that names the version which it replaces, or that there is none. So a write
that saw an older state changes nothing, from any number of threads, hosts and data centres
(https://cassandra.apache.org/doc/latest/cassandra/developing/cql/dml.html). Documents of a batch are written side by
side and not in a BATCH: that would be all or nothing, and cannot have conditions in several partitions.

A transaction without an answer may have been done. Its row is looked at again, by a serial read, for the version that
it would have written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any, ClassVar, NamedTuple

import orjson

from penstock.errors import EventError, HandlerError, PenstockError, PermanentError, TargetChanged, TemporaryError
from penstock.sinks import document
from penstock.sinks.cassandra_address import CassandraAddress
from penstock.sinks.cassandra_table import CassandraTable, OutcomeUnknown, Columns
from penstock.sinks.document import Stored
from penstock.sinks.rows import MARK, RECORDS, document_of, entry_of, id_of
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Write

# Cassandra takes half a segment of its commit log in one write: 16 MiB unless it is told otherwise.
MAX_DOCUMENT_BYTES = 8 * 1024 * 1024

_READ = f"SELECT id, version, {MARK} FROM {{table}} WHERE id = ?"  # noqa: S608
_DOCUMENT = f"SELECT version, body, {MARK} FROM {{table}} WHERE id = ?"  # noqa: S608
_SCAN = f"SELECT id, version, {MARK} FROM {{table}}"  # noqa: S608
_MAKE = f"INSERT INTO {{table}} (version, body, {MARK}, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS"  # noqa: S608
_CHANGE = """UPDATE {table}
SET version = ?, body = ?, state = ?, function = ?, options = ?, source = ?, refusal = ? WHERE id = ? IF version = ?"""
_REMOVE = "DELETE FROM {table} WHERE id = ? IF version = ?"


class CassandraSink:
    """The documents of one table; safe for threads, processes and hosts."""

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
        name: str = "penstock",
        timeout_seconds: float = 10,
    ) -> None:
        self._table = CassandraTable(
            address, username=username, password=password, ca_file=ca_file, name=name, timeout_seconds=timeout_seconds
        )
        self._token, self._count = token_hex(8), count()

    # The protocol

    def address(self, source: ObjectRef, rendition: str | None) -> str:
        """`bucket/key`; raises `PermanentError` for a rendition."""
        if rendition is not None:
            raise PermanentError(f"{source}: an index holds one document per object; RENDITIONS need an s3:// sink")
        return id_of(source)

    def read_many(self, places: Sequence[tuple[str, Mark]]) -> list[Entry | None]:
        """Mark and refusal of each document; None where there is no document."""
        entries = self._entries([address for address, _ in places])
        return document.with_refusals(entries, places, lambda refs: self._entries([id_of(ref) for ref in refs]))

    def beside(self, address: str, mark: Mark) -> Entry | None:
        """The refusal that is kept beside a foreign document, if there is one."""
        [record] = self._entries([id_of(document.refusal_ref(mark))])
        return document.as_beside(address, record)

    def write_many(self, writes: Sequence[Write]) -> list[Stored]:
        """Store a batch side by side; the outcomes in the same order, errors not raised."""
        moment = document.now()
        outcomes: list[Stored | None] = [None] * len(writes)
        changes: list[_Change] = []
        asked: list[int] = []
        for number, write in enumerate(writes):
            try:
                inside = document.inside(write.result, write.address)
                body = {**inside, **document.delivered(write.source, moment)}
                change = self._change(write.address, body, write.mark, None, write.previous)
                if write.previous and write.previous.beside:
                    # First: a refusal that is gone is found again, and one beside its document would be wrong.
                    self._delete(write.previous.beside.record, write.previous.beside)
            except (HandlerError, PermanentError, TemporaryError) as error:
                outcomes[number] = error
                continue
            changes.append(change)
            asked.append(number)
        for number, stored in zip(asked, self._stored(changes), strict=True):
            outcomes[number] = stored
        return [outcome for outcome in outcomes if outcome is not None]

    def refuse(self, address: str, refusal: Refusal, mark: Mark, source: ObjectState, previous: Entry | None) -> Entry:
        """Replace our document by one that says why this state has none; leave a foreign one, and say so beside it."""
        if previous is None or not previous.is_foreign_to(mark):
            body = document.delivered(source, document.now())
            return self._one(self._change(address, body, mark, refusal, previous))
        record, body = id_of(document.refusal_ref(mark)), document.refusal_record(source, mark)
        stored = self._one(self._change(record, body, mark, refusal, previous.beside))
        return replace(stored, address=address, record=record)

    def remove(self, address: str, mark: Mark, previous: Entry) -> None:
        """Delete our document; one that is gone already is left so."""
        if not previous.is_foreign_to(mark):
            self._delete(previous.record or address, previous)

    def check(self) -> None:
        """Make the table when there is none, and raise `TemporaryError` unless it can be read and written."""
        self._table.run(_REMOVE, "penstock check", "")

    def entries(self, bucket: str, prefix: str = "") -> Iterator[tuple[ObjectRef, Entry]]:
        """What is recorded for a bucket's objects, in no order, and the refusals beside foreign documents.

        The whole table is read: partitions lie in the order of their hashes.
        """
        records: list[str] = []
        for row in self._table.scan(_SCAN):
            if row["id"].startswith(f"{bucket}/{prefix}"):
                yield ObjectRef(bucket, row["id"][len(bucket) + 1 :]), _entry(row["id"], row)
            elif row["id"].startswith(RECORDS):
                records.append(row["id"])
        for record in records:
            for row in self._table.run(_DOCUMENT, record):
                source = document.source_of_record(orjson.loads(row["body"]))
                if source is not None and document.is_wanted(source, bucket, prefix, ""):
                    yield source, replace(_entry(record, row), record=record)

    def refusal_address(self, address: str, mark: Mark) -> str:
        """The id of the row of a refusal beside a foreign document."""
        del address
        return id_of(document.refusal_ref(mark))

    def forget(self, record: str) -> ObjectRef | None:
        """Delete the refusal beside a foreign document, and return its source."""
        for row in self._table.run(_DOCUMENT, record):
            self._delete(record, _entry(record, row))
            return document.source_of_record(orjson.loads(row["body"]))
        return None

    # Beyond the protocol

    def search(self, text: str, *, limit: int = 20, offset: int = 0) -> list[dict[str, Any]]:
        """Raises an error with status 501: Cassandra has no full-text search."""
        del limit, offset
        raise _NoSearch(
            f"search {text[:80]!r}: Cassandra has no full-text search: ask for one document with "
            "?bucket=BUCKET&key=KEY, or name an index in SQLite, PostgreSQL or OpenSearch in SINK"
        )

    def document(self, bucket: str, key: str) -> dict[str, Any] | None:
        """The document of one source object."""
        for row in self._table.run(_DOCUMENT, f"{bucket}/{key}"):
            mark = (row[name] for name in ("state", "function", "options", "source", "refusal"))
            return document_of(row["body"] or "{}", *mark)
        return None

    def close(self) -> None:
        """Close the session; the next call opens a new one."""
        self._table.close()

    # Statements

    def _entries(self, ids: Sequence[str]) -> list[Entry | None]:
        found: list[Entry | None] = []
        for name, answer in zip(ids, self._table.run_many([(_READ, [name]) for name in ids]), strict=True):
            if isinstance(answer, PenstockError):
                raise answer
            found.append(_entry(name, answer[0]) if answer else None)
        return found

    def _change(
        self, address: str, body: dict[str, Any], mark: Mark, refusal: Refusal | None, previous: Entry | None
    ) -> "_Change":
        """The statement that stores a document, and the entry that it is then; raises `HandlerError`."""
        text = document.to_json(body)
        if len(text) > MAX_DOCUMENT_BYTES // 4 and len(text.encode()) > MAX_DOCUMENT_BYTES:
            raise PermanentError(f"{address}: its document has over {MAX_DOCUMENT_BYTES} bytes, too many for Cassandra")
        entry = Entry(address, mark, refusal, etag=f"{self._token}-{next(self._count)}")
        refused = document.to_json(refusal.record) if refusal else None
        values = [entry.etag, text, mark.state, mark.function, mark.options, mark.source, refused, address]
        if previous is None:
            return _Change(entry, _MAKE, values)
        return _Change(entry, _CHANGE, [*values, previous.etag or None])

    def _stored(self, changes: "Sequence[_Change]") -> list[Stored]:
        """Store documents; the outcomes in the same order, errors not raised."""
        answers = self._table.run_many([(change.statement, change.values) for change in changes])
        outcomes: list[Stored] = []
        unknown: list[int] = []
        for number, (change, answer) in enumerate(zip(changes, answers, strict=True)):
            if isinstance(answer, OutcomeUnknown):
                unknown.append(number)
            outcomes.append(self._outcome(change.entry, answer))
        if unknown:
            asked = [(_READ, [changes[number].entry.address]) for number in unknown]
            for number, answer in zip(unknown, self._table.run_many(asked, is_serial=True), strict=True):
                entry = changes[number].entry
                if not isinstance(answer, PenstockError) and answer and answer[0]["version"] == entry.etag:
                    outcomes[number] = entry
        return outcomes

    def _outcome(self, entry: Entry, answer: list[Columns] | PenstockError) -> Stored:
        if isinstance(answer, TemporaryError):
            return answer
        assert isinstance(answer, list)
        [row] = answer
        # The driver sends a statement again after a lost connection, and the second one finds what the first one wrote.
        if row["[applied]"] or row.get("version") == entry.etag:
            return entry
        return self._changed(entry.address)

    def _one(self, change: "_Change") -> Entry:
        [outcome] = self._stored([change])
        if isinstance(outcome, Entry):
            return outcome
        raise outcome

    def _delete(self, place: str, seen: Entry) -> None:
        """Delete a row of this version; one that is gone already is left so. Raises `TargetChanged`."""
        [row] = self._table.run(_REMOVE, place, seen.etag)
        if not row["[applied]"] and row.get("version") is not None:
            raise self._changed(place)

    def _changed(self, address: str) -> TargetChanged:
        return TargetChanged(f"{address}: its document in {self._table} was written by another program meanwhile")


class _Change(NamedTuple):
    """One write: what is there when it is done, and the statement for it."""

    entry: Entry
    statement: str
    values: Sequence[object]


class _NoSearch(EventError):
    """A question that this index cannot answer."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_IMPLEMENTED


def _entry(address: str, row: Columns) -> Entry:
    mark = (row[name] for name in ("state", "function", "options", "source", "refusal"))
    return entry_of(address, row["version"] or "", None, *mark)
