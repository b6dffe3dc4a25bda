"""How much went through each function over time: counts, durations and bytes, in slots of ten seconds for an hour."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from penstock.local.console.records import ConsoleRecord

SLOT_SECONDS: Final = 10
SLOTS: Final = 360


@dataclass(slots=True)
class Slot:
    """What ended in ten seconds. `bytes_in` and `bytes_out` count only objects that were made of objects."""

    start: int
    count: int = 0
    failed: int = 0
    milliseconds: float = 0.0
    slowest: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0

    def add(self, record: ConsoleRecord) -> None:
        self.count += 1
        self.failed += record["outcome"] == "failed"
        self.milliseconds += record["ms"]
        self.slowest = max(self.slowest, record["ms"])
        if record["saves"]:
            self.bytes_in += record["in"]
            self.bytes_out += record["stored"]


class Meter:
    """Sums since the start and slots of the last hour, by function. Methods may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._totals: dict[str, Slot] = {}
        self._slots: dict[str, deque[Slot]] = {}
        self._outcomes: dict[str, dict[str, int]] = {}

    def add(self, record: ConsoleRecord) -> None:
        now, name = self._clock(), record["function"]
        start = int(now // SLOT_SECONDS) * SLOT_SECONDS
        with self._lock:
            slots = self._slots.setdefault(name, deque(maxlen=SLOTS))
            if not slots or slots[-1].start != start:
                slots.append(Slot(start))
            slots[-1].add(record)
            self._totals.setdefault(name, Slot(int(now))).add(record)
            outcomes = self._outcomes.setdefault(name, {})
            outcomes[record["outcome"]] = outcomes.get(record["outcome"], 0) + 1

    def read(self) -> dict[str, Any]:
        """Ready for JSON. Slots without anything are left out: `start` is in epoch seconds."""
        oldest = self._clock() - SLOTS * SLOT_SECONDS
        with self._lock:
            functions = {
                name: {
                    "total": asdict(self._totals[name]),
                    "outcomes": dict(self._outcomes[name]),
                    "slots": [asdict(slot) for slot in slots if slot.start >= oldest],
                }
                for name, slots in self._slots.items()
            }
        return {"now": self._clock(), "slot_seconds": SLOT_SECONDS, "functions": functions}
