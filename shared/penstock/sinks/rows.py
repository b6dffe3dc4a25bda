"""Rows of an index in a relational database as entries and as documents."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson

from penstock.sinks import document
from penstock.types import Entry, Mark, ObjectRef, Refusal

ReadPage = Callable[[str, str, bool], Sequence[Any]]
"""Reads one page of rows in the order of their ids: those whose id is `>` or `>=` a text.

The body comes last in each row, or NULL where it is not asked for.
"""

# The columns of a document's mark and refusal.
MARK = "state, function, options, source, refusal"
# What the ids of refusals beside foreign documents begin with.
RECORDS = f"{document.RECORDS_BUCKET}/{document.RECORDS_PREFIX}"


def id_of(ref: ObjectRef) -> str:
    """The id of the document of an object."""
    return f"{ref.bucket}/{ref.key}"


def entry_of(
    address: str,
    version: str,
    size: int | None,
    state: str | None,
    function: str | None,
    options: str | None,
    source: str | None,
    refusal: str | None,
) -> Entry:
    """The entry in a row. A row without a whole mark is a foreign document."""
    if state is None or function is None or options is None or source is None:
        return Entry(address, None, None, size, version)
    refused = Refusal(**orjson.loads(refusal)) if refusal else None
    return Entry(address, Mark(state, function, options, source), refused, size, version)


def document_of(body: str | None, *mark: str | None) -> dict[str, Any]:
    """A document from its JSON and the columns of its mark."""
    return {**members_of(body), "penstock": _mark_field(*mark)}


def members_of(body: str | None) -> dict[str, Any]:
    """The members of a document; none of one that another program wrote without a JSON object in it."""
    try:
        found = orjson.loads(body or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def recorded_entries(
    read_page: ReadPage, page_rows: int, bucket: str, prefix: str, start_after: str
) -> Iterator[tuple[ObjectRef, Entry]]:
    """What is recorded for a bucket's objects, in key order; then the refusals beside foreign documents."""
    after = f"{bucket}/{start_after}" if start_after else ""
    for row in _rows_from(read_page, page_rows, f"{bucket}/{prefix}", after):
        yield ObjectRef(bucket, row[0][len(bucket) + 1 :]), entry_of(*row[:-1])
    for row in _rows_from(read_page, page_rows, RECORDS, with_body=True):
        source = document.source_of_record(members_of(row[-1]))
        if source is not None and document.is_wanted(source, bucket, prefix, start_after):
            yield source, replace(entry_of(*row[:-1]), record=row[0])


def _rows_from(
    read_page: ReadPage, page_rows: int, wanted: str, start_after: str = "", *, with_body: bool = False
) -> Iterator[Any]:
    """Rows whose id begins with `wanted`, in order, from behind `start_after` on."""
    after, comparison = (start_after, ">") if start_after >= wanted else (wanted, ">=")
    while True:
        page = read_page(comparison, after, with_body)
        for row in page:
            if not row[0].startswith(wanted):
                return
            yield row
        if len(page) < page_rows:
            return
        after, comparison = page[-1][0], ">"


def _mark_field(state: str | None, *rest: str | None) -> dict[str, Any] | None:
    """The document's `penstock` field from its columns."""
    if state is None:
        return None
    function, options, source, refusal = rest
    refused = orjson.loads(refusal) if refusal else None
    return {"state": state, "function": function, "options": options, "source": source, "refusal": refused}
