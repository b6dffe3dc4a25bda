"""Stack traces out of what functions printed, for the terminal and the console.

A function logs an unexpected error as one JSON line with `trace` and `incident`, as `process/log.py` writes it. Its
caller is told the incident only.
"""

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import penstock
from penstock.json_text import read_json

_KEPT: Final = 200
_NAMED: Final = re.compile("the log has it under incident ([0-9a-f]+)")
_FRAME: Final = re.compile(r'  File "(?P<file>[^"]*)"')
_OWN: Final = str(Path(penstock.__file__).parent)


@dataclass(frozen=True, slots=True)
class Crash:
    """One unexpected error. `trace` leaves out Penstock's own frames; the file `log` has all of them."""

    function: str
    incident: str
    trace: str
    log: Path

    @property
    def error(self) -> str:
        """The error itself, the last line of its trace."""
        return self.trace.rstrip().rpartition("\n")[2]


class CrashLog:
    """The last crashes of all functions, for any thread."""

    def __init__(self) -> None:
        self._kept: deque[Crash] = deque(maxlen=_KEPT)
        self._listeners: list[Callable[[Crash], None]] = []
        self._lock = threading.Lock()

    def listen(self, listener: Callable[[Crash], None]) -> None:
        """Call `listener` for each crash from now on, on the thread that reads the function's log."""
        with self._lock:
            self._listeners.append(listener)

    def read(self, function: str, log: Path, line: str) -> None:
        """Take note of one line that the function printed, if it tells of a crash."""
        if '"trace"' not in line:
            return
        try:
            found: Any = read_json(line)
        except ValueError:
            return
        if not isinstance(found, dict) or not isinstance(found.get("trace"), str):
            return
        crash = Crash(function, str(found.get("incident", "")), without_own_frames(found["trace"]), log)
        with self._lock:
            self._kept.append(crash)
            listeners = list(self._listeners)
        for listener in listeners:
            listener(crash)

    def of(self, incident: str) -> Crash | None:
        """The crash that an answer names; None when it is not among the last ones."""
        with self._lock:
            return next((crash for crash in reversed(self._kept) if incident and crash.incident == incident), None)

    def explained(self, reason: str) -> str:
        """A reason in which an incident is replaced by its error. Callers of a function see the incident only."""

        def error_of(found: re.Match[str]) -> str:
            crash = self.of(found[1])
            return found[0] if crash is None else f"{crash.error} (incident {crash.incident})"

        return _NAMED.sub(error_of, reason)


def in_words(line: str) -> str:
    """One line that a function printed, for people: of a JSON line its message and its trace.

    >>> in_words('{"level": "error", "message": "handler.py: line 3: invalid syntax"}')
    'handler.py: line 3: invalid syntax'
    >>> in_words("printed by the handler")
    'printed by the handler'
    """
    try:
        found: Any = read_json(line)
    except ValueError:
        return line
    if not isinstance(found, dict) or "message" not in found:
        return line
    trace = found.get("trace")
    return f"{found['message']}\n{without_own_frames(trace)}" if isinstance(trace, str) else str(found["message"])


def without_own_frames(trace: str) -> str:
    """The trace from the handler's first frame on: those before it are Penstock's and its libraries'.

    The whole trace when there is no other frame.
    """
    kept: list[str] = []
    before_handler, frames = True, 0
    for line in trace.split("\n"):
        frame = _FRAME.match(line)
        if frame is not None and before_handler:
            before_handler = frame["file"].startswith(_OWN) or "site-packages" in frame["file"]
            frames += not before_handler
        elif frame is None and not line.startswith("    "):  # a heading, or the error itself
            before_handler = True
            kept.append(line)
            continue
        if not before_handler:
            kept.append(line)
    return "\n".join(kept) if frames else trace
