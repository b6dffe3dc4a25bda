"""The time that one object may take, known to all code that works on it in the same thread.

A thread cannot be ended from outside. So the code that reads and writes asks between two steps whether the time is
over, and then raises an error. Native code that works on bytes in memory is not interrupted.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from penstock.errors import TemporaryError
from penstock.streams import close_quietly

_limit: ContextVar[tuple[float, float] | None] = ContextVar("deadline", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let the block take at most `seconds`; 0 sets no limit."""
    token = _limit.set((time.monotonic() + seconds, seconds) if seconds > 0 else None)
    try:
        yield
    finally:
        _limit.reset(token)


def check_deadline(subject: object) -> None:
    """Raise `TemporaryError` about `subject` when the time of the block around this is over."""
    limit = _limit.get()
    if limit is not None and time.monotonic() > limit[0]:
        raise TemporaryError(
            f"{subject}: not finished within {limit[1]:g} seconds (DEADLINE_SECONDS); see whether the store is slow, "
            "raise it, or hand large objects to a Job (OFFLOAD_ABOVE_BYTES)"
        )


class BoundedChunks:
    """Chunks that are given out until the deadline: then the next one raises `TemporaryError`."""

    def __init__(self, chunks: Iterable[bytes], subject: object) -> None:
        self._chunks = chunks
        self._iterator = iter(chunks)
        self._subject = subject

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        check_deadline(self._subject)
        chunk = next(self._iterator)
        check_deadline(self._subject)
        return chunk

    def close(self) -> None:
        close_quietly(self._chunks)
