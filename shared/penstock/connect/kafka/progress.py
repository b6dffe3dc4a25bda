"""How far each partition is finished: the offset to commit, and what is finished beyond it.

Only the finished prefix of a partition can be committed. What lies finished beyond it is written into the
commit's metadata, as Confluent's parallel consumer does it, so that the next owner need not deliver it again.
"""

import re
import threading
from collections import deque
from collections.abc import Iterable
from itertools import chain, islice

from penstock.connect.kafka.records import Record

# Brokers take 4096 bytes (offset.metadata.max.bytes); what does not fit is delivered again, no more.
METADATA_BYTES = 4000
_METADATA = re.compile(r"finished:([0-9,-]*)")
_RANGE = re.compile(r"([0-9]{1,19})(?:-([0-9]{1,19}))?")
_MOST_AHEAD = 1_000_000  # so many records are never read ahead


class PendingRecord:
    """One record between being read and being finished, and the receipt of every message that is made of it.

    `waits` counts the deliveries it still waits for, one for each message. `record` is let go once it is finished.
    """

    __slots__ = ("partition", "record", "waits")

    def __init__(self, partition: "Partition", record: Record) -> None:
        self.partition = partition
        self.record: Record | None = record
        self.waits = 0

    def finish(self) -> None:
        """One of its messages was delivered, or its dead letter is stored; may be called by any thread."""
        self.partition.finish(self)


class Partition:
    """The records of one partition between being read and being finished, oldest first.

    `begin` is called by the thread that reads, `finish` by any. `start` and `metadata` are what was committed
    before, -1 if nothing was; `committed` is what was committed last.
    """

    def __init__(self, topic: str, number: int, start: int = -1, metadata: str = "") -> None:
        self.topic = topic
        self.number = number
        self.committed: tuple[int, str] | None = None
        self.start = start
        self._known = set(_read(metadata))
        self._next: int | None = None
        self._open: deque[tuple[int, PendingRecord]] = deque()
        self._lock = threading.Lock()

    @property
    def outstanding(self) -> int:
        """Records read and not committable: not finished, or behind one that is not."""
        return len(self._open)

    def was_finished(self, offset: int) -> bool:
        """Whether a former owner had finished this record already."""
        if offset < self.start:  # the topic was made anew, or the group was set back: the note is about other records
            self._known.clear()
        return offset in self._known

    def begin(self, offset: int, record: PendingRecord, waits: int) -> None:
        """Note a record that waits for so many deliveries; one that waits for none is finished at once."""
        record.waits = waits
        with self._lock:
            self._open.append((offset, record))
            self._next = offset + 1
            self._advance()

    def finish(self, record: PendingRecord) -> None:
        """One of the deliveries that a record waited for is finally answered, or its dead letter is stored."""
        with self._lock:
            record.waits -= 1
            if not record.waits:
                record.record = None
                self._advance()

    def progress(self) -> tuple[int, str] | None:
        """The first offset that is not finished, and what is finished beyond it; None before the first record."""
        with self._lock:
            if self._next is None:
                return None
            if not self._open:
                return self._next, ""
            return self._open[0][0], _write(offset for offset, record in self._open if not record.waits)

    def _advance(self) -> None:
        while self._open and not self._open[0][1].waits:
            self._open.popleft()


def _write(offsets: Iterable[int]) -> str:
    """Rising offsets as ranges: `finished:5-9,12`, as many as fit; "" for none."""
    ranges: list[list[int]] = []
    for offset in offsets:
        if ranges and ranges[-1][1] == offset - 1:
            ranges[-1][1] = offset
        else:
            ranges.append([offset, offset])
    text = ""
    for first, last in ranges:
        more = f"{first}-{last}" if last > first else str(first)
        if len(text) + len(more) > METADATA_BYTES:
            break
        text += f",{more}" if text else f"finished:{more}"
    return text


def _read(metadata: str) -> Iterable[int]:
    """The offsets of such a text, as many as may have been read ahead: others write into this metadata too."""
    found = _METADATA.fullmatch(metadata or "")
    ranges = (_RANGE.fullmatch(part) for part in (found.group(1).split(",") if found else ()))
    offsets = chain.from_iterable(range(int(each[1]), int(each[2] or each[1]) + 1) for each in ranges if each)
    return islice(offsets, _MOST_AHEAD)
