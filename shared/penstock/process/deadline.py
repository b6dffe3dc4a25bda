"""The time that one object may take, known to all code that works on it in the same thread.

A thread cannot be ended from outside. So the code that reads and writes asks between two steps whether the time is
over, and then raises an error. Native code that works on bytes in memory is not interrupted: `watch_with` names what
ends its process.

Between two steps it is also asked whether the caller still waits for the answer.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from penstock.errors import TemporaryError
from penstock.streams import close_quietly

_limit: ContextVar[tuple[float, float] | None] = ContextVar("deadline", default=None)


_has_left: ContextVar[Callable[[], bool] | None] = ContextVar("has_left", default=None)


class CallerWatch(Protocol):
    """Who ends a process that is stuck in native code; what it is told by the threads of the process."""

    def begin(self, until: float) -> None:
        """A block begins that may take until then, in seconds of the monotonic clock."""

    def work_on(self, subject: str, state: str) -> None:
        """The block is at this object, in this state; may raise `TemporaryError`."""

    def end(self) -> None:
        """The block is over."""


_watches: list[CallerWatch] = []


def watch_with(watch: CallerWatch) -> None:
    """Tell `watch` of each block with a limit, for as long as this process runs."""
    _watches[:] = [watch]


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let the block take at most `seconds`; 0 sets no limit."""
    token = _limit.set((time.monotonic() + seconds, seconds) if seconds > 0 else None)
    watch = _watches[0] if _watches and seconds > 0 else None
    try:
        if watch is not None:
            watch.begin(time.monotonic() + seconds)
        yield
    finally:
        if watch is not None:
            watch.end()
        _limit.reset(token)


def work_on(subject: object, state: str) -> None:
    """Say what the block of `within` around this works on now. May raise `TemporaryError`."""
    if _watches and _limit.get() is not None:
        _watches[0].work_on(str(subject), state)


@contextmanager
def called_by(has_left: Callable[[], bool]) -> Iterator[None]:
    """Work for a caller in the block; `has_left` says whether it has closed its connection."""
    token = _has_left.set(has_left)
    try:
        yield
    finally:
        _has_left.reset(token)


def check_caller(subject: object) -> None:
    """Raise `TemporaryError` about `subject` when the caller of the block around this waits no more."""
    has_left = _has_left.get()
    if has_left is not None and has_left():
        raise TemporaryError(f"{subject}: its caller closed the connection before the answer; nothing was written")


def check_deadline(subject: object) -> None:
    """Raise `TemporaryError` about `subject` when the time of the block around this is over."""
    limit = _limit.get()
    if limit is not None and time.monotonic() > limit[0]:
        raise TemporaryError(
            f"{subject}: not finished within {limit[1]:g} seconds (DEADLINE_SECONDS); see whether the store is slow, "
            "raise it, or hand large objects to a Job (OFFLOAD_ABOVE_BYTES)"
        )


class BoundedChunks:
    """Chunks that are given out until the deadline, and while the caller waits: then one raises `TemporaryError`."""

    def __init__(self, chunks: Iterable[bytes], subject: object) -> None:
        self._chunks = chunks
        self._iterator = iter(chunks)
        self._subject = subject

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        check_caller(self._subject)
        check_deadline(self._subject)
        chunk = next(self._iterator)
        check_deadline(self._subject)
        return chunk

    def close(self) -> None:
        close_quietly(self._chunks)
