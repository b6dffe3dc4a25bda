"""What a function's processes printed: the last lines in memory, everything in a file."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KEPT_LINES: Final = 2000
MAX_FILE_BYTES: Final = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogLine:
    """`time` is in seconds since the epoch; `instance` names the process."""

    number: int
    time: float
    instance: str
    text: str


class LogBuffer:
    """Lines of one function, for any thread. A file over `MAX_FILE_BYTES` is renamed to `.1` and a new one begun.

    `heard` is called with each line, on the thread that adds it.
    """

    def __init__(self, path: Path, heard: Callable[[str], None] | None = None) -> None:
        self.path = path
        self._heard = heard
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lines: deque[LogLine] = deque(maxlen=KEPT_LINES)
        self._count = 0
        self._file = path.open("a", encoding="utf-8")
        self._changed = threading.Condition()
        self._closed = False

    def add(self, text: str, instance: str) -> None:
        with self._changed:
            if self._closed:
                return
            self._count += 1
            self._lines.append(LogLine(self._count, time.time(), instance, text))
            self._file.write(text + "\n")
            self._file.flush()
            if self._file.tell() > MAX_FILE_BYTES:
                self._file.close()
                self.path.replace(self.path.with_name(self.path.name + ".1"))
                self._file = self.path.open("a", encoding="utf-8")
            self._changed.notify_all()
        if self._heard is not None:
            self._heard(text)

    def tail(self, count: int = -1, *, since: float = 0.0) -> list[LogLine]:
        """The last `count` lines, all that are kept when negative, not older than `since`."""
        with self._changed:
            lines = [line for line in self._lines if line.time >= since]
        return lines if count < 0 else lines[len(lines) - min(count, len(lines)) :]

    def follow(self, after: int, *, heartbeat_seconds: float = 1.0) -> Iterator[LogLine | None]:
        """Every line with a number above `after`, as it comes, until closed; None when there was none for a while."""
        while True:
            with self._changed:
                if not self._closed and not (self._lines and self._lines[-1].number > after):
                    self._changed.wait(heartbeat_seconds)
                lines = [line for line in self._lines if line.number > after]
                closed = self._closed
            if lines:
                yield from lines
                after = lines[-1].number
            else:
                yield None
            if closed:
                return

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._file.close()
            self._changed.notify_all()
