"""One budget of memory for all pictures of a process: what does not fit now waits, what never fits is refused.

The budget is what the container's limit leaves beside the interpreter and the inputs that wait, so that the function
ends with an answer and is not killed, also when a file of few bytes unpacks to a large size.
"""

import os
import threading
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from penstock import Body, InputTooLarge, TemporaryError

MIB: Final = 1 << 20
# Of an input that has no part of the budget yet: so many bytes may be read by each thread.
FREE_INPUT_BYTES: Final = 8 * MIB
_PROCESS_BYTES: Final = 40 * MIB  # README.md: a process with libvips loaded
_LEAST_BYTES: Final = 16 * MIB  # so that a small limit still lets icons through
_PATIENCE_SECONDS: Final = 60.0
# What the kernel says for "no limit" in version 1 is the largest number of whole pages.
_NO_LIMIT: Final = 1 << 60


class Budget:
    """Bytes that the threads of a process share. What they hold are estimates (estimate.py), tested by measuring."""

    def __init__(self, total: int, *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self.total = total
        self._patience = patience_seconds
        self._held: Counter[int] = Counter()  # bytes by thread
        # Re-entrant: a share may be collected, and so be given back, at any line of its own thread.
        self._changed = threading.Condition(threading.RLock())
        self._turn = threading.Lock()  # the first that waits is the next served, so that large pictures are served too

    @property
    def used(self) -> int:
        with self._changed:
            return self._held.total()

    @property
    def is_waited_for(self) -> bool:
        """Whether a thread waits for bytes just now."""
        return self._turn.locked()

    def check(self, name: str, size: int, what: str) -> None:
        """Raise `InputTooLarge` for what would not fit into the whole budget."""
        if size > self.total:
            raise InputTooLarge(
                f"{name}: {what} takes about {-(-size // MIB)} MiB of memory, and this function has "
                f"{self.total // MIB} MiB for pictures; raise its memory limit, or make the picture smaller first"
            )

    def take(self, name: str, size: int) -> None:
        """Wait until `size` more bytes are free, and take them for this thread.

        A thread does not wait while it holds all that is taken, because nothing else could give it back. Raises
        `TemporaryError` when the bytes did not become free in time.
        """
        mine = threading.get_ident()
        busy = TemporaryError(f"{name}: other pictures take the memory; raise the function's limit or lower THREADS")
        if not self._turn.acquire(timeout=self._patience):
            raise busy
        try:
            with self._changed:
                if not self._changed.wait_for(lambda: self._fits(size, mine), timeout=self._patience):
                    raise busy
                self._held[mine] += size
        finally:
            self._turn.release()

    def _fits(self, size: int, mine: int) -> bool:
        held = self._held.total()
        return held == self._held[mine] or held + size <= self.total

    def give_back(self, thread: int, size: int) -> None:
        with self._changed:
            self._held[thread] -= size
            if not self._held[thread]:
                del self._held[thread]
            self._changed.notify_all()


class Share:
    """What one input has of the budget. It ends with `release`, or with the last reference to it."""

    def __init__(self, name: str, budget: Budget) -> None:
        self._name, self._budget, self._thread = name, budget, threading.get_ident()
        self._size = 0

    def set(self, size: int) -> None:
        """Have this many bytes: wait for more, or give back what turned out not to be needed."""
        more = size - self._size
        if more > 0:
            self._budget.take(self._name, more)
        elif more < 0:
            self._budget.give_back(self._thread, -more)
        self._size = size

    def read(self, body: Body, known_size: int) -> bytes:
        """The whole input. One of more than 8 MiB is read alone: while its picture is not known, it has everything.

        Raises `InputTooLarge` when the bytes alone are more than the budget.
        """
        what = "the file alone"  # which is there twice while its chunks are joined
        self._budget.check(self._name, 2 * known_size, what)
        if len(body.peek(FREE_INPUT_BYTES + 1)) > FREE_INPUT_BYTES:
            self.set(self._budget.total)
        data = body.read()
        self._budget.check(self._name, 2 * len(data), what)
        return data

    def release(self) -> None:
        self.set(0)

    def __del__(self) -> None:
        self.release()


def budget_bytes(limit: int, *, threads: int, workers: int) -> int:
    """What a process may use for pictures, where its container has `limit` bytes.

    >>> budget_bytes(512 * MIB, threads=4, workers=1) // MIB
    440
    """
    return max(_LEAST_BYTES, limit // workers - _PROCESS_BYTES - threads * FREE_INPUT_BYTES)


@cache
def shared() -> Budget:
    """The budget of this process, made when it is first needed."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = container_limit() or physical // 2  # beside other programs
    threads, workers = (int(os.environ.get(name) or default) for name, default in (("THREADS", 4), ("WORKERS", 1)))
    return Budget(budget_bytes(min(limit, physical), threads=threads, workers=workers))


def container_limit(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """The least memory limit of the process's control groups in bytes, of version 2 or 1; None where there is none.

    In a container the group's own folder is usually the root; elsewhere /proc/self/cgroup names it (cgroups(7)).
    """
    lines = [line.split(":", 2) for line in _text(own).splitlines() if line.count(":") >= 2]
    limits = []
    for _, controllers, path in [("", "", "/"), ("", "memory", "/"), *lines]:
        if controllers == "memory":
            base, file = root / "memory", "memory.limit_in_bytes"
        elif not controllers:
            base, file = root, "memory.max"
        else:
            continue
        place = base / path.strip("/")
        for folder in (place, *place.parents):
            if not folder.is_relative_to(base):
                break
            with suppress(ValueError):  # "max", or no such file
                limits.append(int(_text(folder / file)))
    return min((limit for limit in limits if limit < _NO_LIMIT), default=None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
