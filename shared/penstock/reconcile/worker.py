"""Makes what differs agree, through the runtime: the part of reconcile that changes something.

A lost event is made up for here: what it would have told shows as a difference.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from penstock.errors import Forbidden, PenstockError
from penstock.reconcile.compare import EXAMPLES, Difference, Report
from penstock.runtime.runtime import Runtime
from penstock.sinks import Sink


class DifferenceWorker:
    """Makes targets agree, several at once; at most `concurrency` objects wait."""

    def __init__(self, runtime: Runtime, sink: Sink, report: Report, *, concurrency: int, adopt: bool) -> None:
        self._runtime = runtime
        self._sink = sink
        self._report = report
        self._adopt = adopt
        self._pool = ThreadPoolExecutor(concurrency)
        self._places = concurrency * 2
        self._slots = threading.Semaphore(self._places)
        self._lock = threading.Lock()

    def take(self, difference: Difference) -> None:
        """Start on one object; waits while too many are under way."""
        self._slots.acquire()
        self._pool.submit(self._bring, difference).add_done_callback(lambda _done: self._slots.release())

    def drain(self) -> None:
        """Wait until everything taken so far is done."""
        for _ in range(self._places):
            self._slots.acquire()
        self._slots.release(self._places)

    def close(self) -> None:
        """End; what was taken and not begun is dropped, so drain first unless something went wrong."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _bring(self, difference: Difference) -> None:
        try:
            if difference.ref is None:
                self._forget(difference.record)
                outcome, problem = "forgotten", ""
            else:
                done = self._runtime.agree(difference.ref, adopt=self._adopt)
                outcome, problem = done.kind, done.reason if done.status >= 400 else ""
        except PenstockError as exc:
            outcome, problem = "failed", str(exc)
        except Exception as exc:  # noqa: BLE001 - a handler's own defect must not stop the others
            outcome, problem = "failed", f"{difference.ref}: {type(exc).__name__}: {exc}"
        with self._lock:
            self._report.done[outcome] += 1
            if problem and len(self._report.failures) < EXAMPLES:
                self._report.failures.append(problem)

    def _forget(self, record: str) -> None:
        """Remove a refusal's record, then look at its source: the record may have been about a newer state by now."""
        source = self._sink.forget(record)
        if source is not None:
            with suppress(Forbidden):  # of a bucket that is not a source any more
                self._runtime.agree(source)
