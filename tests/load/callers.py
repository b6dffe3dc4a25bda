"""Callers of a function: some that go on all the time, and many at once."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

SOURCES, TARGETS = "load-sources", "load-targets"
# An answer that takes longer is taken for none.
ANSWER_SECONDS = 120.0
_BUSY = (429, 503)


@dataclass
class Answers:
    """What one function answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, status: int, seconds: float, problem: str) -> None:
        with self._lock:
            self.statuses[status] += 1
            self.seconds.append(seconds)
            if problem:
                self.problems.append(problem)

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the answers came."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request: an event about a source that has changed, or a direct call with a body."""

    path: str
    body: bytes
    content_type: str


def event(key: str) -> Call:
    return Call("/event", json.dumps({"bucket": SOURCES, "key": key}).encode(), "application/json")


def ask(address: str, call: Call, answers: Answers, *, may_refuse: bool) -> int:
    """Send one request on a connection of its own, and note the answer; its status, 0 for none."""
    began = time.monotonic()
    status, problem = 0, ""
    try:
        connection = http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)
        connection.request("POST", call.path, call.body, {"Content-Type": call.content_type})
        response = connection.getresponse()
        said = response.read()
        status = response.status
        connection.close()
        if status in _BUSY:
            if not may_refuse:
                problem = f"{call.path}: {status} without more load than it takes: {said[:300]!r}"
            elif not response.getheader("Retry-After"):
                problem = f"{call.path}: {status} without Retry-After: {said[:300]!r}"
        elif status != 200:
            problem = f"{call.path}: {status} {said[:300]!r}"
    except OSError as error:
        problem = f"{call.path}: no answer: {type(error).__name__}: {error}"
    answers.add(status, time.monotonic() - began, problem)
    return status


def steady(address: str, callers: int, seconds: float, make: Callable[[int, int], Call], answers: Answers) -> None:
    """So many callers, each with one request at a time; `make(caller, number)` gives the next one."""
    end = time.monotonic() + seconds

    def work(caller: int) -> None:
        number = 0
        while time.monotonic() < end:
            ask(address, make(caller, number), answers, may_refuse=False)
            number += 1

    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(work, range(callers)))


def burst(address: str, calls: Sequence[Call], answers: Answers) -> list[int]:
    """All at once; the status of each."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: ask(address, call, answers, may_refuse=True), calls))
