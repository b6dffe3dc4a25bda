"""Text of any size in constant memory: what encoding it is in, and how many lines."""

import codecs
from collections.abc import Iterable, Iterator
from typing import Any

from .notes import Notes

FALLBACK = "windows-1252"
_WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32")


class EncodingCheck:
    """Passes chunks on as they are, and finds out whether a text that began as UTF-8 stays so.

    UTF-16 and UTF-32 become UTF-8, so that whoever counts bytes after this sees ASCII as ASCII.
    """

    def __init__(self, encoding: str, notes: Notes) -> None:
        self.encoding = encoding
        self._notes = notes
        self._has_nul = False
        self._is_ascii = True
        self._damage = ""

    @property
    def found(self) -> str:
        """The encoding of everything that passed."""
        return "ascii" if self.encoding == "utf-8" and self._is_ascii else self.encoding

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        chunks = self._narrow(chunks) if self.encoding in _WIDE else self._check(chunks)
        is_first = True
        for chunk in chunks:
            self._has_nul = self._has_nul or b"\0" in chunk
            if is_first and self.encoding == "utf-8-sig":
                chunk = chunk.removeprefix(codecs.BOM_UTF8)
            is_first = False
            yield chunk
        # At the end, and not as they come: else their order would tell how the input was cut into chunks.
        if self._damage:
            self._notes.warn(self._damage)
        if self._has_nul:
            self._notes.warn("has NUL characters")

    def _narrow(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(self.encoding)("replace")
        self._is_ascii = False
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()

    def _check(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder("utf-8")("strict")
        is_checking, begun, position = self.encoding in ("utf-8", "utf-8-sig"), False, 0
        for chunk in chunks:
            if is_checking and (begun or not chunk.isascii()):
                self._is_ascii = False
                waiting = len(decoder.getstate()[0])
                try:
                    decoder.decode(chunk)
                    begun = bool(decoder.getstate()[0])
                except UnicodeDecodeError as error:
                    is_checking = False
                    where = position - waiting + error.start
                    self._damage = f"begins as UTF-8, but byte {where} is none: taken for {FALLBACK}"
                    self.encoding = FALLBACK
            position += len(chunk)
            yield chunk
        if begun and is_checking and self._notes.complete:
            self._damage = "ends inside a UTF-8 character"


def decode_beginning(head: bytes, encoding: str, chars: int) -> str:
    """The first `chars` characters, with U+FFFD for what cannot be read."""
    text = head.decode(encoding, "replace")
    return text[:chars].removeprefix("\ufeff")


def count_lines(chunks: Iterable[bytes]) -> int:
    """Lines ended by LF, CRLF or CR, and a last one without an end."""
    lines, last = 0, b""
    for chunk in chunks:
        lines += chunk.count(b"\n")
        if b"\r" in chunk or last == b"\r":
            # A CR counts unless an LF follows it; one at the chunk's end waits for the next chunk.
            if last == b"\r" and not chunk.startswith(b"\n"):
                lines += 1
            body = chunk[:-1] if chunk.endswith(b"\r") else chunk
            lines += body.count(b"\r") - chunk.count(b"\r\n")
        last = chunk[-1:] or last
    return lines + (last not in (b"", b"\n"))


def describe_text(chunks: Iterable[bytes], head: bytes, encoding: str, chars: int, notes: Notes) -> dict[str, Any]:
    """The document's `text` field: `{encoding, lines, beginning}`."""
    check = EncodingCheck(encoding, notes)
    lines = count_lines(check.watch(chunks))
    return {"encoding": check.found, "lines": lines, "beginning": decode_beginning(head, check.found, chars)}
