"""How far each partition is finished: what may be committed is the finished prefix, and no more."""

import threading
from collections import deque
from typing import Any


class Entry:
    """One record on its way. `waits` counts the deliveries it still waits for, one per message made of it."""

    __slots__ = ("partition", "record", "waits")

    def __init__(self, partition: "Partition", record: Any) -> None:
        self.partition = partition
        self.record = record
        self.waits = 0


class Partition:
    """The records of one partition between being read and being finished, oldest first.

    `begin` is called by the thread that reads, `finish` by any. `position` is the offset to commit, the first
    one that is not finished, or None while nothing was; `committed` is the one that was committed last.
    """

    def __init__(self, topic: str, number: int) -> None:
        self.topic = topic
        self.number = number
        self.position: int | None = None
        self.committed: int | None = None
        self._open: deque[tuple[int, Entry]] = deque()
        self._lock = threading.Lock()

    @property
    def outstanding(self) -> int:
        """Records read and not committable: not finished, or behind one that is not."""
        return len(self._open)

    def begin(self, offset: int, entry: Entry, waits: int) -> None:
        """Note a record that waits for so many deliveries; one that waits for none is finished at once."""
        entry.waits = waits
        with self._lock:
            self._open.append((offset, entry))
            if not waits:
                self._advance()

    def finish(self, entry: Entry) -> None:
        """One of the deliveries that a record waited for is finally answered, or its dead letter is stored."""
        with self._lock:
            entry.waits -= 1
            if not entry.waits:
                entry.record = None
                self._advance()

    def _advance(self) -> None:
        while self._open and not self._open[0][1].waits:
            offset, _ = self._open.popleft()
            self.position = offset + 1
