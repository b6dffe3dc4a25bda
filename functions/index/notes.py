"""What a reader found out about an input beside its result: was all of it read, what was odd, what was guessed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MAX_WARNINGS = 20


@dataclass
class Notes:
    """Warnings and assumptions, at most `MAX_WARNINGS` of each, and whether the description covers the whole input."""

    complete: bool = True
    warnings: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        if text not in self.warnings and len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(text)

    def assume(self, sentence: str) -> None:
        """Something was guessed, and could be wrong."""
        if sentence not in self.assumed and len(self.assumed) < MAX_WARNINGS:
            self.assumed.append(sentence)

    def stopped(self, text: str) -> None:
        """Something was left unread."""
        self.complete = False
        self.warn(text)


def blocks(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Cut a stream anew into pieces of exactly `size` bytes and a last one.

    A reader of the pieces then finds the same in the same bytes, however they arrived.
    """
    parts: list[bytes] = []
    have = 0
    for chunk in chunks:
        start = 0
        while have + len(chunk) - start >= size:
            end = start + size - have
            parts.append(chunk[start:end])
            yield parts[0] if len(parts) == 1 else b"".join(parts)
            parts, have, start = [], 0, end
        if start < len(chunk):
            parts.append(chunk[start:])
            have += len(chunk) - start
    if have:
        yield b"".join(parts)


def bounded(chunks: Iterable[bytes], limit: int, notes: Notes) -> Iterator[bytes]:
    """Yield the first `limit` bytes; what is left beyond them is noted, not read."""
    left = limit
    for chunk in chunks:
        if len(chunk) > left:
            notes.stopped(f"read to byte {limit} only: raise max_scan_bytes to see more")
            if left:
                yield chunk[:left]
            return
        left -= len(chunk)
        yield chunk
