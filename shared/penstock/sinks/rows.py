"""Rows of an index in a relational database as entries and as documents."""

from typing import Any

import orjson

from penstock.types import Entry, Mark, ObjectRef, Refusal

# The columns of a document's mark and refusal.
MARK = "state, function, options, source, refusal"


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


def document_of(body: str, *mark: str | None) -> dict[str, Any]:
    """A document from its JSON and the columns of its mark."""
    return {**orjson.loads(body), "penstock": _mark_field(*mark)}


def _mark_field(state: str | None, *rest: str | None) -> dict[str, Any] | None:
    """The document's `penstock` field from its columns."""
    if state is None:
        return None
    function, options, source, refusal = rest
    refused = orjson.loads(refusal) if refusal else None
    return {"state": state, "function": function, "options": options, "source": source, "refusal": refused}
