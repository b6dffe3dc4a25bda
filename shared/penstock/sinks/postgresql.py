"""An index in one table of PostgreSQL 13 or newer: JSONB documents, and full-text search by a `tsvector`.

A batch is one statement. Each write in it names the version that it replaces, or that there is none; PostgreSQL looks
at that under the row's lock. So a write that saw an older state changes nothing, from any number of threads and hosts.

JSONB has no character U+0000. In a document that has one, it becomes U+FFFD.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

import orjson

from penstock.errors import EventError, PermanentError, TargetChanged, TemporaryError
from penstock.sinks import document, postgresql_words
from penstock.sinks.document import Stored
from penstock.sinks.postgresql_address import PostgresqlAddress
from penstock.sinks.postgresql_table import PostgresqlTable
from penstock.sinks.rows import MARK, RECORDS, document_of, entry_of, id_of, members_of, recorded_entries
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Write

PAGE_ROWS = 1000
STATEMENT_CHARS = 8 * 1024 * 1024  # of the documents in one statement


_ENTRY = "id, version, NULL, state, function, options, source, refusal::text"
_DOCUMENT = "body::text, state, function, options, source, refusal::text"
_READ = f"SELECT {_ENTRY} FROM {{table}} WHERE id = ANY(:ids)"  # noqa: S608
_WRITE = f"""
WITH given AS (
    SELECT * FROM json_to_recordset(:rows) AS given (
        id text, version text, body jsonb, state text, function text, options text, source text, refusal jsonb,
        words text, seen text, beside text)
), made AS (
    INSERT INTO {{table}} (id, version, body, {MARK}, words)
    SELECT id, version, body, {MARK}, words::tsvector FROM given WHERE seen IS NULL ORDER BY id
    ON CONFLICT (id) DO NOTHING RETURNING version
), changed AS (
    UPDATE {{table}} AS held
    SET (version, body, {MARK}, words) = (given.version, given.body, given.state, given.function, given.options,
        given.source, given.refusal, given.words::tsvector)
    FROM given WHERE held.id = given.id AND held.version = given.seen RETURNING held.version
), stored AS (
    SELECT version FROM made UNION ALL SELECT version FROM changed
), gone AS (
    DELETE FROM {{table}} AS held USING given JOIN stored USING (version) WHERE held.id = given.beside
)
SELECT version FROM stored"""  # noqa: S608
_REMOVE = "DELETE FROM {table} WHERE id = :id AND version = :seen RETURNING id"
_FORGET = "DELETE FROM {table} WHERE id = :id RETURNING body::text"
_SEARCH = f"""
SELECT {_DOCUMENT} FROM {{table}} WHERE words @@ :wanted::tsquery
ORDER BY ts_rank(words, :wanted::tsquery) DESC, id LIMIT :limit OFFSET :offset"""  # noqa: S608
_ESCAPE = re.compile(r"\\(u0000|.)")


class PostgresqlSink:
    """The documents of one table; safe for threads, processes and hosts."""

    removes_with_source = True
    refuses_beside = False
    batch_size = document.BATCH_DOCUMENTS

    def __init__(
        self,
        address: PostgresqlAddress,
        *,
        username: str,
        password: str = "",
        ca_file: str | Path | None = None,
        name: str = "penstock",
        timeout_seconds: float = 30,
    ) -> None:
        self._table = PostgresqlTable(
            address, username=username, password=password, ca_file=ca_file, name=name, timeout_seconds=timeout_seconds
        )
        self._token, self._count = token_hex(8), count()

    # The protocol

    def address(self, source: ObjectRef, rendition: str | None) -> str:
        """`bucket/key`; raises `PermanentError` for a rendition."""
        document.check_whole(source, rendition)
        return id_of(source)

    def read_many(self, places: Sequence[tuple[str, Mark]]) -> list[Entry | None]:
        """Mark and refusal of each document, in one statement; None where there is no document."""
        entries = self._entries([address for address, _ in places])
        return document.with_refusals(entries, places, lambda refs: self._entries([id_of(ref) for ref in refs]))

    def beside(self, address: str, mark: Mark) -> Entry | None:
        """The refusal that is kept beside a foreign document, if there is one."""
        [record] = self._entries([id_of(document.refusal_ref(mark))])
        return document.as_beside(address, record)

    def write_many(self, writes: Sequence[Write]) -> list[Stored]:
        """Store a batch in one statement; the outcomes in the same order, errors not raised."""
        return document.write_each(writes, self._row, self._stored)

    def refuse(self, address: str, refusal: Refusal, mark: Mark, source: ObjectState, previous: Entry | None) -> Entry:
        """Replace our document by one that says why this state has none; leave a foreign one, and say so beside it."""
        record = self.refusal_address(address, mark)
        return document.refuse(address, refusal, mark, source, previous, record=record, store=self._store)

    def remove(self, address: str, mark: Mark, previous: Entry) -> None:
        """Delete our document; one that is gone already is left so."""
        if previous.is_foreign_to(mark):
            return
        place = previous.record or address
        removed = self._table.run(place, _REMOVE, id=place, seen=previous.etag)
        if not removed and self._entries([place]) != [None]:
            raise self._changed(place)

    def check(self) -> None:
        """Make the table when there is none, and raise `TemporaryError` unless it can be read and written."""
        self._table.check()

    def entries(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[tuple[ObjectRef, Entry]]:
        """What is recorded for a bucket's objects, in key order; then the refusals beside foreign documents."""
        return recorded_entries(self._page, PAGE_ROWS, bucket, prefix, start_after)

    def refusal_address(self, address: str, mark: Mark) -> str:
        """The id of the row of a refusal beside a foreign document."""
        del address
        return id_of(document.refusal_ref(mark))

    def forget(self, record: str) -> ObjectRef | None:
        """Delete the refusal beside a foreign document, and return its source."""
        rows = self._table.run(record, _FORGET, id=record)
        return document.source_of_record(members_of(rows[0][0])) if rows else None

    # Beyond the protocol: see SearchableSink

    def search(self, text: str, *, limit: int = 20, offset: int = 0) -> list[dict[str, Any]]:
        """Documents that contain every word, best first; raises `EventError` for a text without words."""
        words = document.query_words(postgresql_words.fold(text), limit, offset)
        wanted = postgresql_words.query(words)
        try:
            rows = self._table.run("search", _SEARCH, wanted=wanted, limit=limit, offset=offset)
        except PermanentError as exc:
            raise EventError(f"search {text[:80]!r}: {exc}") from exc
        return [document_of(*row) for row in rows]

    def document(self, bucket: str, key: str) -> dict[str, Any] | None:
        """The document of one source object."""
        name = f"{bucket}/{key}"
        rows = self._table.run(name, f"SELECT {_DOCUMENT} FROM {{table}} WHERE id = :id", id=name)  # noqa: S608
        return document_of(*rows[0]) if rows else None

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._table.close()

    # Statements

    def _entries(self, ids: Sequence[str]) -> list[Entry | None]:
        if not ids:
            return []
        rows = self._table.run(ids[0], _READ, ids=list(ids))
        found = {row[0]: entry_of(*row) for row in rows}
        return [found.get(name) for name in ids]

    def _page(self, comparison: str, after: str, with_body: bool) -> Sequence[Any]:
        column = "body::text" if with_body else "NULL"
        return self._table.run(
            "listing",
            f"SELECT {_ENTRY}, {column} FROM {{table}}"  # noqa: S608
            f" WHERE id {comparison} :after ORDER BY id LIMIT {PAGE_ROWS}",
            after=after,
        )

    def _row(
        self, address: str, body: dict[str, Any], mark: Mark, refusal: Refusal | None, previous: Entry | None
    ) -> "_Row":
        """The row of a document, and the entry that it is when it is stored; raises `HandlerError`."""
        version = f"{self._token}-{next(self._count)}"
        row = {
            "id": address,
            "version": version,
            "body": _json(body),
            "state": mark.state,
            "function": mark.function,
            "options": mark.options,
            "source": mark.source,
            "refusal": _json(refusal.record) if refusal else None,
            # No search finds a refusal beside a foreign document.
            "words": "" if address.startswith(RECORDS) else postgresql_words.vector(document.searchable(body)),
            "seen": previous.etag if previous else None,
            "beside": previous.beside.record if previous and previous.beside else None,
        }
        return orjson.dumps(row).decode(), Entry(address, mark, refusal, etag=version)

    def _stored(self, rows: "Sequence[_Row]") -> list[Stored]:
        """Store rows, as many in a statement as are small enough; the outcomes in the same order."""
        outcomes: list[Stored] = []
        for page in _pages(rows):
            outcomes += self._page_stored(page)
        return outcomes

    def _page_stored(self, rows: "Sequence[_Row]") -> list[Stored]:
        text = f"[{','.join(text for text, _ in rows)}]"
        try:
            found = {row[0] for row in self._table.run(rows[0][1].address, _WRITE, rows=text)}
        except TemporaryError as error:
            return [error] * len(rows)
        except PermanentError as error:
            # The server refuses the statement for one of its documents: which one?
            return [error] if len(rows) == 1 else [one for row in rows for one in self._page_stored([row])]
        return [entry if entry.etag in found else self._changed(entry.address) for _, entry in rows]

    def _store(
        self, address: str, body: dict[str, Any], mark: Mark, refusal: Refusal | None, previous: Entry | None
    ) -> Entry:
        [outcome] = self._stored([self._row(address, body, mark, refusal, previous)])
        if isinstance(outcome, Entry):
            return outcome
        raise outcome

    def _changed(self, address: str) -> TargetChanged:
        return TargetChanged(f"{address}: its document in {self._table} was written by another program meanwhile")


_Row = tuple[str, Entry]


def _pages(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    """The rows in portions for one statement each."""
    page: list[_Row] = []
    size = 0
    for row in rows:
        page.append(row)
        size += len(row[0])
        if size > STATEMENT_CHARS:
            yield page
            page, size = [], 0
    if page:
        yield page


def _json(value: dict[str, Any]) -> orjson.Fragment:
    """JSON that JSONB takes; raises `HandlerError` for what JSON cannot hold."""
    text = document.to_json(value)
    if "\\u0000" in text:
        text = _ESCAPE.sub(lambda found: "\\ufffd" if found[1] == "u0000" else found[0], text)
    return orjson.Fragment(text)
