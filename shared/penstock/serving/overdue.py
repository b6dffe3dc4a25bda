"""Ends a worker that is stuck on an object in native code, from outside of the worker (ADR 44).

A thread cannot be ended, and native code that holds the interpreter's lock stops every other thread of its process too.
So each thread writes into memory that it shares with gunicorn's first process what it works on and until when. The
first process looks once a second. When twice the time of an object (DEADLINE_SECONDS) is over, it ends the worker and
starts another one. Callers of that worker see their connections break, and deliver again.

An object that ended workers three times is answered 503 at once, with words, for an hour. So its attempts are used up
without harm to others, and its dead letter says why.
"""

import hashlib
import mmap
import signal
import struct
import threading
import time
from collections.abc import Callable
from itertools import count

from penstock.errors import TemporaryError

_GRACE_SECONDS = 1.0
_TRIES = 3
_FORGET_SECONDS = 3600.0
_SLOT = struct.Struct("=d16s232s")  # until when (0: nothing under way), what as a digest, and as text
_CULPRIT = struct.Struct("=d16sI")  # when it last ended a worker, what as a digest, how often
_CULPRITS = 64
_UNTIL = struct.Struct("=d")


class Overdue:
    """What the threads of all workers work on. Made before the fork; `places` workers, each of `threads`.

    A slot is written by its own thread alone, and the list of culprits by the first process alone: there is no lock,
    which a killed worker would hold for ever.
    """

    def __init__(self, places: int, threads: int, seconds: float) -> None:
        self._threads, self._seconds = threads, seconds
        self._slots = places * threads * _SLOT.size
        self._memory = mmap.mmap(-1, self._slots + _CULPRITS * _CULPRIT.size)
        self._ended: set[int] = set()

    def watch(self, place: int) -> "ThreadWatch":
        """The part of the memory that the threads of the worker at this place write."""
        return ThreadWatch(self._memory, place * self._threads * _SLOT.size, self._threads, self._refusal)

    def forget(self, place: int) -> None:
        """A new worker begins at this place."""
        for slot in self._slots_of(place):
            _UNTIL.pack_into(self._memory, slot, 0.0)

    def signal_for(self, place: int, pid: int, now: float) -> tuple[signal.Signals, str] | None:
        """How to end the worker at this place, and what it is stuck on; None for a worker that may go on."""
        late = self._seconds + _GRACE_SECONDS
        stuck = [found for slot in self._slots_of(place) if (found := _SLOT.unpack_from(self._memory, slot))[0] > 0]
        stuck = [found for found in stuck if found[0] + late < now]
        if not stuck:
            return None
        subject = stuck[0][2].rstrip(b"\0").decode("utf-8", "replace")
        if pid in self._ended:
            return signal.SIGKILL, subject
        self._ended.add(pid)
        for _, digest, _ in stuck:
            self._accuse(digest, now)
        # Python has no handler for it, so it also ends a process whose interpreter is held. gunicorn would say of
        # SIGKILL that memory may be short.
        return signal.SIGVTALRM, subject

    def _slots_of(self, place: int) -> range:
        start = place * self._threads * _SLOT.size
        return range(start, start + self._threads * _SLOT.size, _SLOT.size)

    def _accuse(self, digest: bytes, now: float) -> None:
        if digest == bytes(16):
            return  # a direct call: no other one is the same
        places = range(self._slots, self._slots + _CULPRITS * _CULPRIT.size, _CULPRIT.size)
        known = [(_CULPRIT.unpack_from(self._memory, place), place) for place in places]
        same = [(found, place) for found, place in known if found[1] == digest and now - found[0] < _FORGET_SECONDS]
        (_, _, times), place = same[0] if same else ((0.0, digest, 0), min(known)[1])
        _CULPRIT.pack_into(self._memory, place, now, digest, times + 1)

    def _refusal(self, digest: bytes) -> str:
        """Why this is not tried now, or ""."""
        now = time.monotonic()
        for last, found, times in _CULPRIT.iter_unpack(self._memory[self._slots :]):
            if found == digest and times >= _TRIES and now - last < _FORGET_SECONDS:
                return (
                    f"took longer than DEADLINE_SECONDS ({self._seconds:g}) and ended its worker {times} times; raise "
                    "DEADLINE_SECONDS, or hand such objects to a Job (OFFLOAD_ABOVE_BYTES)"
                )
        return ""


class ThreadWatch:
    """Writes what one worker's threads work on, and until when each may take."""

    def __init__(self, memory: mmap.mmap, start: int, threads: int, refusal: Callable[[bytes], str]) -> None:
        self._memory, self._start, self._threads, self._refusal = memory, start, threads, refusal
        self._numbers = count()
        self._own = threading.local()

    def begin(self, until: float) -> None:
        """A block begins that may take until then, in seconds of the monotonic clock."""
        slot = self._slot()
        if slot >= 0:
            _SLOT.pack_into(self._memory, slot, 0.0, b"", b"a direct call, or an event before its object")
            _UNTIL.pack_into(self._memory, slot, until)

    def work_on(self, subject: str, state: str) -> None:
        """The block is at this object, in this state; raises `TemporaryError` for one that ended workers before."""
        name = subject.encode("utf-8", "replace")
        digest = hashlib.blake2b(name + b"\n" + state.encode(), digest_size=16).digest()
        if problem := self._refusal(digest):
            raise TemporaryError(f"{subject}: {problem}")
        slot = self._slot()
        if slot >= 0:
            (until,) = _UNTIL.unpack_from(self._memory, slot)
            _SLOT.pack_into(self._memory, slot, until, digest, name)

    def end(self) -> None:
        """The block is over."""
        slot = self._slot()
        if slot >= 0:
            _UNTIL.pack_into(self._memory, slot, 0.0)

    def _slot(self) -> int:
        """This thread's slot; -1 for a thread beyond those that work on objects."""
        slot: int | None = getattr(self._own, "slot", None)
        if slot is None:
            number = next(self._numbers)
            slot = self._start + number * _SLOT.size if number < self._threads else -1
            self._own.slot = slot
        return slot
