"""One round after the other: list everything, and tell a target what is new, other or gone.

A hint that the target does not take is told again in the next round. What is gone is told after a listing that came to
its end, so a listing that fails never looks like a million removals.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Protocol, TypeVar

from penstock.connect.listing.hints import Taken, removed, written
from penstock.connect.listing.seen import SeenObjects
from penstock.errors import TemporaryError
from penstock.settings.config import RESERVED_PREFIX, SourceRule
from penstock.types import ObjectRef, ObjectState

PAGE_KEYS = 1000
"""What one request of a listing shows at most."""
_log = logging.getLogger("penstock.watch")

T = TypeVar("T")


class Lists(Protocol):
    """The part of a store that a watch needs."""

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        """Every object whose key begins with `prefix`."""


@dataclass
class RoundReport:
    """What one round listed, found and told, in objects; `failed` ones are told again in the next round."""

    listed: int = 0
    changed: int = 0
    gone: int = 0
    told: int = 0
    refused: int = 0
    failed: int = 0
    problems: list[str] = field(default_factory=list)


class ListingWatch:
    """Watches what `rules` name. `send` sends one notification and is called by `concurrency` threads.

    `since`: in the first round of a new file, objects that were written before count as told.
    """

    def __init__(
        self,
        store: Lists,
        rules: Sequence[SourceRule],
        seen: SeenObjects,
        send: Callable[[bytes], Taken],
        *,
        batch: int,
        concurrency: int,
        since: datetime | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._rules = tuple(dict.fromkeys(rule.keys for rule in rules))
        self._seen = seen
        self._send = send
        self._batch = batch
        self._concurrency = concurrency
        self._since = since if seen.is_new else None
        self._stopped = stopped

    def round(self) -> RoundReport:
        """List everything once. Raises what the listing raises, and `ConfigError` when the target takes no hints."""
        report = RoundReport()
        self._seen.begin()
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="hint") as pool:
            try:
                self._tell(pool, report, self._changed(report), written, self._seen.told)
                if not self._stopped():
                    self._tell(pool, report, self._gone(report), removed, self._seen.forget)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        if not self._stopped():
            self._since = None
        return report

    def _changed(self, report: RoundReport) -> Iterator[ObjectState]:
        for rule in self._rules:
            taken = (state for state in self._store.list(rule.bucket, rule.prefix) if _is_watched(rule, state.ref))
            for page in _parts(taken, PAGE_KEYS):
                if self._stopped():
                    return
                report.listed += len(page)
                changed = self._seen.listed(page)
                if self._since is not None:
                    old = [each for each in changed if each.last_modified and each.last_modified < self._since]
                    self._seen.told(old)
                    passed = {each.ref for each in old}
                    changed = [each for each in changed if each.ref not in passed]
                report.changed += len(changed)
                yield from changed

    def _gone(self, report: RoundReport) -> Iterator[ObjectRef]:
        for refs in self._seen.gone():
            report.gone += len(refs)
            yield from refs

    def _tell(
        self,
        pool: ThreadPoolExecutor,
        report: RoundReport,
        subjects: Iterator[Any],
        worded: Callable[[Any], bytes],
        keep: Callable[[Iterable[Any]], None],
    ) -> None:
        """Send hints about all subjects, some at once; at most twice as many wait as threads send."""
        under_way: dict[Future[Taken], Sequence[Any]] = {}

        def finish_some() -> None:
            for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                self._finish(report, done, under_way.pop(done), keep)

        try:
            for group in _parts(subjects, self._batch):
                if len(under_way) >= 2 * self._concurrency:
                    finish_some()
                under_way[pool.submit(self._send, worded(group))] = group
        finally:
            # Also where the listing failed: what was told is kept.
            while under_way:
                finish_some()

    def _finish(
        self, report: RoundReport, done: Future[Taken], group: Sequence[Any], keep: Callable[[Iterable[Any]], None]
    ) -> None:
        try:
            taken = done.result()
        except TemporaryError as exc:
            report.failed += len(group)
            if str(exc) not in report.problems and len(report.problems) < 5:
                report.problems.append(str(exc))
            return
        keep(group)
        if taken is Taken.REFUSED:
            report.refused += len(group)
            _log.warning("%d objects from %s on: refused for good; the function has recorded why", len(group), group[0])
        else:
            report.told += len(group)


def _parts(items: Iterator[T], size: int) -> Iterator[tuple[T, ...]]:
    """The items in tuples of `size`, the last one perhaps shorter."""
    while part := tuple(islice(items, size)):
        yield part


def _is_watched(rule: SourceRule, ref: ObjectRef) -> bool:
    """Whether hints are given of it: not of folder markers, nor of what Penstock keeps for itself."""
    return rule.matches(ref) and not ref.key.startswith(RESERVED_PREFIX) and not ref.key.endswith("/")
