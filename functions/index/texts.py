"""Text of any size in constant memory: whether it stays in its encoding, and how many lines."""

import codecs
from collections.abc import Iterable, Iterator
from typing import Any

from .charsets import Encoding, guess, is_mostly_utf8
from .notes import Notes

SAMPLE_BYTES = 8 * 1024  # of what is no UTF-8, to guess what else it is


class EncodingCheck:
    """Passes chunks on, and finds out whether a text stays in the encoding that it began in.

    Encodings in which a byte below 128 may be a part of a letter become UTF-8, so that everything behind this sees
    ASCII as ASCII.
    """

    def __init__(self, encoding: Encoding, notes: Notes) -> None:
        self.encoding = encoding
        self._notes = notes
        self._has_nul = False
        self._is_ascii = True
        self._damage = ""

    @property
    def found(self) -> str:
        """The name of the encoding of everything that passed."""
        return "ascii" if self.encoding.name == "utf-8" and self._is_ascii else self.encoding.name

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        chunks = self._narrow(chunks) if self.encoding.has_several_bytes else self._check(chunks)
        is_first = True
        for chunk in chunks:
            self._has_nul = self._has_nul or b"\0" in chunk
            if is_first and self.encoding.name == "utf-8-sig":
                chunk = chunk.removeprefix(codecs.BOM_UTF8)
            is_first = False
            yield chunk
        # At the end, and not as they come: else their order would tell how the input was cut into chunks.
        name, confidence = self.encoding
        if confidence is not None:
            self._notes.assume(f"The encoding is not declared: {name} was guessed, with confidence {confidence:.2f}.")
            self._damage = self._damage or f"the encoding {name} is a guess: letters outside ASCII may be wrong"
        if self._damage:
            self._notes.warn(self._damage)
        if self._has_nul:
            self._notes.warn("has NUL characters")

    def describe(self) -> dict[str, Any]:
        """The fields `encoding` and, for a guess, `encoding_confidence`."""
        sure = self.encoding.confidence
        return {"encoding": self.found} if sure is None else {"encoding": self.found, "encoding_confidence": sure}

    def _narrow(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(self.encoding.codec)("replace")
        self._is_ascii = False
        replaced, is_first = 0, True
        for chunk in chunks:
            text = decoder.decode(chunk)
            replaced += text.count("\ufffd")
            yield (text.removeprefix("\ufeff") if is_first else text).encode()
            is_first = is_first and not text
        text = decoder.decode(b"", final=True)
        yield text.encode()
        if replaced or (text and self._notes.complete):  # what was cut by a limit ends anywhere
            self._damage = f"has characters that cannot be read as {self.encoding.name}"

    def _check(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        decoder: codecs.IncrementalDecoder | None = None
        is_checking, begun, position = self.encoding.name in ("utf-8", "utf-8-sig"), False, 0
        damaged_at, sample, beyond_ascii = -1, b"", 0  # bytes that letters take beside their first one
        for chunk in chunks:
            if is_checking and (begun or not chunk.isascii()):
                self._is_ascii = False
                if decoder is None:  # most tables are ASCII and need none
                    decoder = codecs.getincrementaldecoder("utf-8")("strict")
                waiting, _ = decoder.getstate()
                try:
                    letters = len(decoder.decode(chunk))
                    left = len(decoder.getstate()[0])
                    begun = left > 0
                    beyond_ascii += len(waiting) + len(chunk) - left - letters
                except UnicodeDecodeError as error:
                    is_checking = False
                    damaged_at = position - len(waiting) + error.start
                    beyond_ascii += error.start - len((waiting + chunk)[: error.start].decode())
                    sample = (waiting + chunk)[error.start :][:SAMPLE_BYTES]
            elif damaged_at >= 0 and len(sample) < SAMPLE_BYTES:
                sample += chunk[: SAMPLE_BYTES - len(sample)]
            position += len(chunk)
            yield chunk
        if damaged_at >= 0:
            self._judge_damage(damaged_at, sample, beyond_ascii // 2)
        if begun and is_checking and self._notes.complete:
            self._damage = "ends inside a UTF-8 character"

    def _judge_damage(self, where: int, sample: bytes, letters_before: int) -> None:
        if self.encoding.name == "utf-8-sig" or is_mostly_utf8(sample, before=letters_before):
            self._damage = f"byte {where} is not UTF-8: such bytes are shown as U+FFFD"
            return
        self.encoding = guess(sample)
        self._damage = f"begins as UTF-8, but byte {where} is not: read as {self.encoding.name}"


def decode_beginning(head: bytes, encoding: Encoding, chars: int) -> str:
    """The first `chars` characters, with U+FFFD for what cannot be read."""
    if encoding.name == "utf-8" and head.isascii():
        return head[:chars].decode("ascii")
    text = codecs.getincrementaldecoder(encoding.codec)("replace").decode(head)
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


def describe_text(chunks: Iterable[bytes], head: bytes, encoding: Encoding, chars: int, notes: Notes) -> dict[str, Any]:
    """The document's `text` field: `{encoding, lines, beginning}`, and `encoding_confidence` of a guess."""
    check = EncodingCheck(encoding, notes)
    lines = count_lines(check.watch(chunks))
    return {**check.describe(), "lines": lines, "beginning": decode_beginning(head, check.encoding, chars)}
