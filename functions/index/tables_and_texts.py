"""Whether an input of letters is a table or a text, and the field that describes it."""

from typing import Any

from penstock import Body

from .charsets import Encoding, looks_encoded_twice, looks_like_utf7
from .csvs import are_all_rows, describe_csv
from .detect import PEEK_BYTES
from .dialects import TABLE_SUFFIXES, has_few_rows, sniff
from .notes import Notes
from .printed import is_printed_table
from .programs import is_program
from .rows import MAX_FIELD_BYTES
from .texts import decode_beginning, describe_text


def describe_table_or_text(
    body: Body, encoding: Encoding, name: str, notes: Notes, *, sample_rows: int, sample_chars: int
) -> tuple[str, dict[str, Any]]:
    """The kind, "csv" or "text", and the field of that name.

    `name` is the object's, without the suffix of its compression.
    """
    head = body.peek(PEEK_BYTES)
    if encoding.name == "utf-8" and looks_like_utf7(head):
        notes.warn("looks like UTF-7, which is not read: letters outside ASCII stand there as +APw-")
    text = decode_beginning(head, encoding, len(head))
    if not text.isascii():
        if looks_encoded_twice(text):
            notes.warn(
                "looks like UTF-8 that was encoded twice: letters outside ASCII stand there as two or more signs"
            )
        if "\ufffd" in text and b"\xef\xbf\xbd" in head:
            notes.warn("has U+FFFD in place of letters: another program could not read them before this was stored")
    is_whole = len(head) < PEEK_BYTES
    dialect = sniff(text, name, is_whole=is_whole)
    if not is_whole and has_few_rows(dialect, text, name):
        head = body.peek(PEEK_BYTES + MAX_FIELD_BYTES)
        is_whole = len(head) < PEEK_BYTES + MAX_FIELD_BYTES
        dialect = sniff(decode_beginning(head, encoding, len(head)), name, is_whole=is_whole)
    chunks = (head,) if is_whole else body  # what was read already needs no layers of streams
    if dialect is not None:
        is_all = is_whole and are_all_rows(head, dialect)
        return "csv", {"csv": describe_csv(chunks, encoding, dialect, sample_rows, notes, is_all=is_all)}
    if name.lower().endswith(TABLE_SUFFIXES):
        if is_printed_table(text):
            notes.assume("The content is a table as programs print it, with drawn lines: its rows are not read.")
        elif is_program(text):
            notes.assume("The content looks like source code: no rows are read from it.")
    return "text", {"text": describe_text(chunks, head, encoding, sample_chars, notes)}
