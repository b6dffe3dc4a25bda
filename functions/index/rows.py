"""How many rows a CSV of any size has, in constant memory.

Counting is what costs, so it runs on whole chunks: everything but delimiters and line ends is deleted from
a chunk, and what is left is compared with what well-formed rows would leave. Only chunks that differ are
looked at line by line, and only those with quotes need the regular expression that finds quoted fields.

What a row is follows Python's csv module (RFC 4180, and a quote opens a field only at its start), with one
difference: a quote that is not closed within `MAX_FIELD_BYTES`, or at all, is an ordinary character. The
csv module would take all that follows for one field, and a stray quote in row 5 would hide a million rows.
"""

import re
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

MAX_FIELD_BYTES = 1024 * 1024


@dataclass
class Counts:
    """What a `RowCounter` found; rows are numbered from 1, the header included."""

    rows: int = 0
    ragged: int = 0
    first_ragged: int = 0
    unclosed: int = 0
    first_unclosed: int = 0
    first_torn: int = 0  # with a quoted cell that goes on behind its closing quote


class _Tools(NamedTuple):
    """What a `RowCounter` looks with: bytes to delete, and where quoted fields are."""

    delete: bytes
    delete_but_quotes: bytes
    space: re.Pattern[bytes]
    closed: re.Pattern[bytes]
    any: re.Pattern[bytes]
    open: re.Pattern[bytes]
    torn: re.Pattern[bytes]


@cache
def _tools(delimiter: bytes) -> _Tools:
    """Made once for each delimiter: for a small file that would be as much work as to count its rows."""
    delete = bytes(set(range(256)) - set(delimiter + b"\r\n"))
    # Patterns begin with a plain character and have no groups: both let the regular expression engine hurry
    # (measured: eight times as fast). Possessive quantifiers: nothing is tried twice.
    start = b"[%s\r\n]" % re.escape(delimiter)
    return _Tools(
        delete,
        delete.replace(b'"', b""),
        space=re.compile(rb' (?<=%s ) *+(?=")' % start),
        closed=re.compile(rb'"(?<=%s")(?:[^"]++|"")*+"' % start),
        any=re.compile(rb'"(?<=%s")(?:[^"]++|"")*+"?' % start),
        open=re.compile(rb'"(?<=%s")' % start),
        torn=re.compile(rb"\0x *+[^ %s\r\n]" % re.escape(delimiter)),
    )


class RowCounter:
    """Counts rows (lines that are not empty) of `width` fields, and those with more or fewer.

    Feed it blocks in which ASCII is ASCII. It keeps the block and at most one unfinished field. What it counts
    depends on where blocks end only for fields of nearly `max_field_bytes`.
    """

    def __init__(self, delimiter: str, width: int, max_field_bytes: int = MAX_FIELD_BYTES) -> None:
        self._width, self._max_field_bytes = width, max_field_bytes
        self.counts = Counts()
        self._delimiter = delimiter.encode()
        self._rows = [self._delimiter * (width - 1) + end for end in (b"\n", b"\r\n")]
        self._by = _tools(self._delimiter)
        self._carry = b""  # the unfinished row, or what needs to be remembered of it
        self._dropped = 0  # delimiters of the unfinished row that are not in `_carry` any more

    def feed(self, block: bytes) -> None:
        """Count the rows that end in this block."""
        data = self._carry + block
        while True:
            end = _last_line_end(data)
            if not end:
                self._carry = data if len(data) <= self._max_field_bytes else self._squeeze(data)
                return
            head, opened = self.reduce(data[:end])
            if not opened:
                self._count(head)
                self._carry = data[end:]
                return
            opened += data[end:]
            if len(opened) <= self._max_field_bytes:
                start = _last_line_end(head)
                self._count(head[:start])
                self._carry = head[start:] + opened
                return
            data = self._take_literally(head, opened)

    def finish(self) -> Counts:
        """Count the last row."""
        data, opened = self.reduce(self._carry)
        while opened:
            data, opened = self.reduce(self._take_literally(data, opened))
        self._count(data + b"\n")
        self._carry = b""
        return self.counts

    def reduce(self, data: bytes) -> tuple[bytes, bytes]:
        """Put a NUL and an x for each quoted field; apart from it, what begins with a quote that is not closed."""
        if b'"' not in data or self._has_pairs_only(data):
            return data, b""
        data = b"\n" + data
        if b' "' in data:  # space before a field is skipped; inside a quoted field it does not count either
            data = self._by.space.sub(b"", data)
        reduced = self._by.closed.sub(rb"\0x", data)
        found = self._by.open.search(reduced)
        end = len(reduced) if found is None else found.start()  # lines of an open cell may begin with quotes, too
        if not self.counts.first_torn and (torn := self._by.torn.search(reduced, 0, end)) is not None:
            self.counts.first_torn = self.counts.rows + sum(map(bool, reduced[: torn.end()].splitlines()))
        if found is None:
            return reduced[1:], b""
        [last] = deque(self._by.any.finditer(data), maxlen=1)
        return reduced[1 : found.start()], data[last.start() :]

    def _has_pairs_only(self, data: bytes) -> bool:
        """Whether each field has an even number of quotes, so that no delimiter and no line end is inside one.

        However such a field begins, it is closed again where it ends: most files that quote are like that.
        """
        return b'"' not in data.translate(None, self._by.delete_but_quotes).replace(b'""', b"")

    def _take_literally(self, before: bytes, opened: bytes) -> bytes:
        self.counts.unclosed += 1
        if self.counts.unclosed == 1:
            self.counts.first_unclosed = self.counts.rows + 1 + sum(map(bool, before.splitlines()[:-1]))
        return before + b"x" + opened[1:]

    def _squeeze(self, row: bytes) -> bytes:
        """Forget the fields of a long unfinished row, but not how many, nor what is about to begin."""
        kept = row.rstrip(b'"')  # a quote at the end may be half of an escaped one
        held = row[len(kept) :]
        reduced, opened = self.reduce(kept)
        while len(opened) + len(held) > self._max_field_bytes and opened:
            reduced, opened = self.reduce(self._take_literally(reduced, opened))
        self._dropped += reduced.count(self._delimiter)
        if reduced.rstrip(b" ").endswith(self._delimiter):
            self._dropped -= 1
            return b"x" + self._delimiter + opened + held
        return b"x" + opened + held

    def _count(self, block: bytes) -> None:
        """Count the rows of a block that ends with a line end and has none inside a field, nor a delimiter."""
        skeleton = block.translate(None, self._by.delete)
        # With one column an empty line leaves the same as a row.
        if not self._dropped and (self._width > 1 or not _has_empty_line(block)):
            for row in self._rows:
                count = len(skeleton) // len(row)
                # For CRLF, that the two stand together has to be seen where nothing was deleted between them.
                if skeleton == row * count and (row[-2:] != b"\r\n" or block.count(b"\r\n") == count):
                    self.counts.rows += count
                    return
        counts, wanted = self.counts, self._width - 1
        for line in block.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[:-1]:
            if not line:
                continue
            counts.rows += 1
            if line.count(self._delimiter) + self._dropped != wanted:
                counts.ragged += 1
                counts.first_ragged = counts.first_ragged or counts.rows
            self._dropped = 0


def _last_line_end(data: bytes) -> int:
    return max(data.rfind(b"\n"), data.rfind(b"\r")) + 1


def _has_empty_line(block: bytes) -> bool:
    return block.startswith((b"\n", b"\r")) or b"\n\n" in block or b"\n\r" in block or b"\r\r" in block
