"""A stream that image readers ask for pieces by position, bounded in memory, in bytes and in steps."""

import re
import tempfile
from collections.abc import Iterable
from types import TracebackType
from typing import Self

MAX_PIECE_BYTES = 1024 * 1024  # no header needs more in one piece
KEPT_BYTES = 32 * 1024 * 1024  # of formats whose header may stand behind their pixels
MAX_STEPS = 100_000  # parts that a file is followed through; PNG writes 8 KiB in one, so that is 800 MB
_IN_MEMORY_BYTES = 1024 * 1024


class UnreadableError(Exception):
    """The header cannot be read; the text says why."""


class TooManyPartsError(UnreadableError):
    """The file has more parts than are followed."""


class Source:
    """Gives pieces of a stream by their position, going forward.

    With `keeps` the first `KEPT_BYTES` can be asked for again, from a temporary file. What a read raised passes
    through: a broken connection is not a damaged image.
    """

    def __init__(self, chunks: Iterable[bytes], *, keeps: bool = False) -> None:
        self._chunks = iter(chunks)
        self._kept_bytes = KEPT_BYTES if keeps else 0
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by __exit__
        self._tail = b""  # what was read last
        self._start = 0  # where it begins
        self._is_at_end = False
        self.steps = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def held_bytes(self) -> int:
        """How much is in memory: what was read last."""
        return len(self._tail)

    def step(self) -> None:
        """Count one part of the file."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TooManyPartsError(f"it has more than {MAX_STEPS} parts: the rest was not read")

    def at(self, position: int, size: int) -> bytes:
        """`size` bytes from `position` on, fewer where the stream ends."""
        size = min(size, MAX_PIECE_BYTES)
        if position < self._start:
            return self._again(position, size)
        self._fetch(position, position + size)
        offset = position - self._start
        return self._tail[offset : offset + size]

    def need(self, position: int, size: int) -> bytes:
        """The same, and `UnreadableError` where the stream ends before."""
        piece = self.at(position, size)
        if len(piece) < size:
            raise UnreadableError("it ends early")
        return piece

    def reaches(self, position: int) -> bool:
        """Whether the stream is that long."""
        self._fetch(position, position)
        return self._start + len(self._tail) >= position

    def find(self, pattern: re.Pattern[bytes], position: int, length: int) -> int:
        """Where a pattern of `length` bytes comes next, or -1; nothing between is kept."""
        while True:
            self._fetch(position, position + length)
            found = pattern.search(self._tail, position - self._start)
            if found is not None:
                return self._start + found.start()
            end = self._start + len(self._tail)
            if self._is_at_end:
                return -1
            position = max(end - length + 1, position)

    def _again(self, position: int, size: int) -> bytes:
        if position + size > self._kept_bytes:
            raise UnreadableError(f"a part of it lies before byte {self._start}, which is not kept")
        self._fetch(self._start, position + size)
        self._file.seek(position)
        return self._file.read(size)

    def _fetch(self, start: int, end: int) -> None:
        """Read on until the stream is `end` bytes long, and forget what lies before `start`."""
        have = self._start + len(self._tail)
        if have >= end:
            return
        parts = [self._tail[start - self._start :]] if start < have else []
        while have < end and not self._is_at_end:
            chunk = next(self._chunks, b"")
            self._is_at_end = not chunk
            self._keep(chunk, have)
            if have + len(chunk) > start:
                parts.append(chunk[max(start - have, 0) :])
            have += len(chunk)
        self._tail = b"".join(parts)
        self._start = have - len(self._tail)

    def _keep(self, chunk: bytes, position: int) -> None:
        if position < self._kept_bytes:
            self._file.seek(position)
            self._file.write(chunk[: self._kept_bytes - position])
