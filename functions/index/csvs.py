"""CSV of any size in constant memory: columns, first rows, and how many rows there are."""

import csv
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from .charsets import Encoding
from .dialects import MAX_TITLE_ROWS, Dialect
from .escapes import doubled_chunks
from .lines import SNIFFED_ROWS
from .notes import Notes, blocks
from .rows import Counts, RowCounter
from .texts import EncodingCheck

BLOCK_BYTES = 256 * 1024
MAX_COLUMNS = 1000
MAX_CELL_CHARS = 200


def describe_csv(
    chunks: Iterable[bytes],
    encoding: Encoding,
    dialect: Dialect,
    sample_rows: int,
    notes: Notes,
    *,
    is_all: bool = False,
) -> dict[str, Any]:
    """The document's `csv` field: `{encoding, delimiter, header, columns, rows, first_rows}`.

    `rows` does not count the header, nor empty lines, nor what stands before the header. `encoding_confidence` is there
    for a guess, `skipped_lines` when some lines stand before the table. `is_all` says that `dialect.rows` are all rows.
    """
    first, *others = dialect.rows
    names = (
        [name.strip() for name in first] if dialect.has_header else [f"column {n}" for n in range(1, len(first) + 1)]
    )
    samples = others if dialect.has_header else dialect.rows
    for sentence in dialect.assumed:
        notes.assume(sentence)
    check = EncodingCheck(encoding, notes)
    read = check.watch(chunks)
    counts = _seen(read, dialect) if is_all else _counted(read, dialect)
    if counts.unclosed:
        notes.warn(_unclosed(counts))
    if counts.first_torn:
        notes.warn(f"row {counts.first_torn} has letters behind a closing quote: a stray quote may hide rows in a cell")
    if counts.first_ragged == 1:
        notes.warn("the first row is longer than what is looked at: not all of its columns are seen")
    elif counts.ragged:
        notes.warn(_ragged(counts, len(first)))
        if counts.ragged > counts.rows // 2 and counts.first_ragged > MAX_TITLE_ROWS:
            notes.assume(
                f"Most rows are not as wide as the first ones: the table may begin at row {counts.first_ragged}."
            )
    if len(names) > MAX_COLUMNS:
        notes.warn(f"{len(names)} columns: the first {MAX_COLUMNS} are named here")
    rows = max(counts.rows - dialect.has_header, 0)
    if len(samples) < min(sample_rows, rows):
        notes.warn(f"first_rows has {_plural(len(samples), 'row')}: the next one is longer than what is looked at")
    table = {
        **check.describe(),
        "delimiter": dialect.delimiter,
        "header": dialect.has_header,
        "columns": _cells(names),
        "rows": rows,
        "first_rows": [_cells(row) for row in samples[:sample_rows]],
    }
    return {**table, "skipped_lines": dialect.skipped_lines} if dialect.skipped_lines else table


def _unclosed(counts: Counts) -> str:
    if counts.unclosed == 1:
        return f"a quote in row {counts.first_unclosed} is never closed: it is taken for an ordinary character"
    return (
        f"{counts.unclosed} quotes are never closed, the first in row {counts.first_unclosed}: "
        "they are taken for ordinary characters"
    )


def _ragged(counts: Counts, width: int) -> str:
    if counts.ragged == 1:
        return f"row {counts.first_ragged} has more or fewer than {_plural(width, 'field')}"
    return (
        f"{counts.ragged} rows have more or fewer than {_plural(width, 'field')}, "
        f"the first is row {counts.first_ragged}"
    )


def _plural(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def are_all_rows(head: bytes, dialect: Dialect) -> bool:
    """Whether the rows that were sniffed are those of the whole table, where `head` is the whole file.

    `RowCounter` is asked where quotes are not as RFC 4180 has them: it judges those that are never closed.
    """
    if len(dialect.rows) + dialect.skipped_lines >= SNIFFED_ROWS:
        return False
    if b'"' not in head:
        return True
    if dialect.escapes or len(head) > csv.field_size_limit():  # a longer cell may have ended the sniffing
        return False
    return _well_quoted(dialect.delimiter.encode()).fullmatch(head) is not None


@cache
def _well_quoted(delimiter: bytes) -> re.Pattern[bytes]:
    """Rows in which each quote opens a cell, closes one, or is one of a pair inside a quoted cell (RFC 4180)."""
    end = b"[%s\r\n]" % re.escape(delimiter)
    # No group is possessive: before Python 3.11.5 such a group may match what it should not
    # (https://github.com/python/cpython/issues/106052). There is one way to match, so nothing is tried for long.
    return re.compile(rb'(?:(?:[^"]*+(?<=%s)|\A)"[^"]*+(?:""[^"]*+)*"(?=%s|\Z))*[^"]*+' % (end, end))


def _seen(chunks: Iterable[bytes], dialect: Dialect) -> Counts:
    for _ in chunks:  # for their encoding
        pass
    width = len(dialect.rows[0])
    widths = list(map(len, dialect.rows))
    if widths.count(width) == len(widths):  # as most are
        return Counts(len(widths))
    ragged = [number for number, wide in enumerate(widths, 1) if wide != width]
    return Counts(len(dialect.rows), len(ragged), ragged[0] if ragged else 0)


def _counted(chunks: Iterable[bytes], dialect: Dialect) -> Counts:
    counter = RowCounter(dialect.delimiter, len(dialect.rows[0]))
    skipped = dialect.skipped_lines
    for block in blocks(doubled_chunks(chunks) if dialect.escapes else chunks, BLOCK_BYTES):
        # They were seen in the beginning that was sniffed, which is shorter than a block.
        counter.feed(b"".join(block.splitlines(keepends=True)[skipped:]) if skipped else block)
        skipped = 0
    return counter.finish()


def _cells(row: list[str]) -> list[str]:
    return [cell[:MAX_CELL_CHARS] for cell in row[:MAX_COLUMNS]]
