"""What the console's pages hear at once: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

    event: state      how things are now, sent when it differs from what this page heard last
    event: records    what happened, in order; its id names the last record
    event: reset      records were missed that are not kept any more, or this is another run: read all anew

A page that comes back names the last id it heard and gets what it missed. A comment is sent when nothing happened for a
while, so a page that went away is noticed. Each open page holds one thread of the server, so their number is bounded.
"""

import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from penstock.errors import TemporaryError
from penstock.local.console.records import ConsoleRecord

KEPT: Final = 5000
MAX_PAGES: Final = 24
_MOST_DIGITS: Final = 16
_HEARTBEAT_SECONDS: Final = 5.0
_REFRESH_SECONDS: Final = 0.5
# Records that come in a burst share one message: a page draws once for them.
_BURST_SECONDS: Final = 0.1


class Feed:
    """The last records, and a stream of them for each page. Methods may be called from any thread.

    `state` gives the present state as JSON text; it is asked at most once in `refresh_seconds` for all pages together.
    """

    def __init__(
        self,
        state: Callable[[], str],
        *,
        kept: int = KEPT,
        max_pages: int = MAX_PAGES,
        heartbeat_seconds: float = _HEARTBEAT_SECONDS,
        refresh_seconds: float = _REFRESH_SECONDS,
    ) -> None:
        self._read_state = state
        self._run = secrets.token_hex(4)
        self._records: deque[ConsoleRecord] = deque(maxlen=kept)
        self._number = 0
        self._changed = threading.Condition()
        self._max_pages = max_pages
        self._heartbeat_seconds = heartbeat_seconds
        self._refresh_seconds = refresh_seconds
        self._state_lock = threading.Lock()
        self._state, self._state_read = "", float("-inf")
        self.pages = 0

    def add(self, record: ConsoleRecord) -> None:
        """Keep one record under the next number, and tell every page."""
        with self._changed:
            self._number += 1
            self._records.append(record | {"n": self._number})
            self._changed.notify_all()

    def recent(
        self, limit: int, *, before: int = 0, wanted: Callable[[ConsoleRecord], bool] = lambda _: True
    ) -> list[ConsoleRecord]:
        """The last `limit` records that are wanted, newest first, of those with a number below `before` (0: of all)."""
        with self._changed:
            records = list(self._records)
        found = []
        for record in reversed(records):
            if (not before or record["n"] < before) and wanted(record):
                found.append(record)
                if len(found) == limit:
                    break
        return found

    @property
    def last_id(self) -> str:
        """The id of the last record: a page that read all of them goes on behind it."""
        with self._changed:
            return f"{self._run}-{self._number}"

    def enter(self) -> None:
        """Take a place for one page; raises `TemporaryError` when all are taken. `leave` gives it back."""
        with self._changed:
            if self.pages >= self._max_pages:
                raise TemporaryError(f"{self.pages} console pages are open already; close one of them")
            self.pages += 1

    def leave(self) -> None:
        with self._changed:
            self.pages -= 1

    def stream(self, last_id: str = "") -> Iterator[str]:
        """What one page hears, for ever. Without `last_id` it begins with what happens next."""
        after, missed = self._resume(last_id)
        yield "retry: 2000\n\n"
        if missed:
            yield f"id: {self._run}-{after}\nevent: reset\ndata: {{}}\n\n"
        state, written = "", time.monotonic()
        while True:
            message = ""
            if (now := self._present_state()) != state:
                state = now
                message = f"event: state\ndata: {state}\n\n"
            records, after = self._after(after)
            if records:
                data = json.dumps(records)
                message += f"id: {self._run}-{after}\nevent: records\ndata: {data}\n\n"
            if not message and time.monotonic() - written >= self._heartbeat_seconds:
                message = ": nothing happened\n\n"
            if message:
                written = time.monotonic()
                yield message
            self._wait(after)

    def _resume(self, last_id: str) -> tuple[int, bool]:
        """The number to go on behind, and whether something between it and the page's last was missed."""
        run, _, number = last_id.partition("-")
        with self._changed:
            if not last_id:
                return self._number, False
            first = self._records[0]["n"] if self._records else self._number + 1
            # A number of thousands of digits is none for `int`.
            seen = int(number) if len(number) < _MOST_DIGITS and number.isdecimal() else -1
            known = run == self._run and first - 1 <= seen <= self._number
            return (seen, False) if known else (self._number, True)

    def _after(self, after: int) -> tuple[list[ConsoleRecord], int]:
        with self._changed:
            if self._number == after:
                return [], after
            return [record for record in self._records if record["n"] > after], self._number

    def _wait(self, after: int) -> None:
        with self._changed:
            came = self._changed.wait_for(lambda: self._number > after, self._refresh_seconds)
        if came:
            time.sleep(min(_BURST_SECONDS, self._refresh_seconds))

    def _present_state(self) -> str:
        with self._state_lock:
            if time.monotonic() - self._state_read >= self._refresh_seconds:
                self._state = self._read_state()
                self._state_read = time.monotonic()
            return self._state
