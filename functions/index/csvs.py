"""CSV of any size in constant memory: columns, first rows, and how many rows there are."""

from collections.abc import Iterable
from typing import Any

from .charsets import Encoding
from .dialects import Dialect
from .escapes import doubled_chunks
from .notes import Notes, blocks
from .rows import RowCounter
from .texts import EncodingCheck

BLOCK_BYTES = 256 * 1024
MAX_COLUMNS = 1000
MAX_CELL_CHARS = 200


def describe_csv(
    chunks: Iterable[bytes], encoding: Encoding, dialect: Dialect, sample_rows: int, notes: Notes
) -> dict[str, Any]:
    """The document's `csv` field: `{encoding, delimiter, header, columns, rows, first_rows}`.

    `rows` does not count the header, nor empty lines, nor what stands before the header. `encoding_confidence` is there
    for a guess, `skipped_lines` when some lines stand before the table.
    """
    first, *others = dialect.rows
    names = (
        [name.strip() for name in first] if dialect.has_header else [f"column {n}" for n in range(1, len(first) + 1)]
    )
    samples = others if dialect.has_header else dialect.rows
    for sentence in dialect.assumed:
        notes.assume(sentence)
    check = EncodingCheck(encoding, notes)
    counter = RowCounter(dialect.delimiter, len(first))
    skipped = dialect.skipped_lines
    read = check.watch(chunks)
    for block in blocks(doubled_chunks(read) if dialect.escapes else read, BLOCK_BYTES):
        # They were seen in the beginning that was sniffed, which is shorter than a block.
        counter.feed(b"".join(block.splitlines(keepends=True)[skipped:]) if skipped else block)
        skipped = 0
    counts = counter.finish()
    if counts.unclosed:
        notes.warn(
            f"{counts.unclosed} quotes are never closed, the first in row {counts.first_unclosed}: "
            "taken for ordinary characters"
        )
    if counts.ragged:
        notes.warn(f"{counts.ragged} rows have not {len(first)} fields, the first is row {counts.first_ragged}")
    if len(names) > MAX_COLUMNS:
        notes.warn(f"{len(names)} columns: the first {MAX_COLUMNS} are named here")
    table = {
        **check.describe(),
        "delimiter": dialect.delimiter,
        "header": dialect.has_header,
        "columns": _cells(names),
        "rows": max(counts.rows - dialect.has_header, 0),
        "first_rows": [_cells(row) for row in samples[:sample_rows]],
    }
    return {**table, "skipped_lines": dialect.skipped_lines} if dialect.skipped_lines else table


def _cells(row: list[str]) -> list[str]:
    return [cell[:MAX_CELL_CHARS] for cell in row[:MAX_COLUMNS]]
