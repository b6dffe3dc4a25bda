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
        self._failed: dict[SourceRule, str] = {}

    def round(self) -> RoundReport:
        """List everything once. Raises what a listing raises, and `ConfigError` when the target takes no hints.

        A bucket that cannot be listed keeps no other one from being told.
        """
        report = RoundReport()
        self._failed.clear()
        self._seen.begin()
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="hint") as pool:
            try:
                self._tell(pool, report, self._changed(report), written, self._seen.told)
                if not self._stopped():
                    self._tell(pool, report, self._gone(report), removed, self._seen.forget)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        if self._failed:
            raise TemporaryError("; ".join(dict.fromkeys(self._failed.values())))
        if not self._stopped():
            self._since = None
        return report

    def _changed(self, report: RoundReport) -> Iterator[ObjectState]:
        for rule in self._rules:
            for page in _parts(self._listed(rule), PAGE_KEYS):
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

    def _listed(self, rule: SourceRule) -> Iterator[ObjectState]:
        try:
            for state in self._store.list(rule.bucket, rule.prefix):
                if _is_watched(rule, state.ref):
                    yield state
        except TemporaryError as exc:
            self._failed[rule] = str(exc)

    def _gone(self, report: RoundReport) -> Iterator[ObjectRef]:
        """What is gone, but for what a listing that failed may not have shown."""
        for refs in self._seen.gone():
            found = [ref for ref in refs if not any(rule.matches(ref) for rule in self._failed)]
            report.gone += len(found)
            yield from found

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

        def submit(group: Sequence[Any]) -> None:
            under_way[pool.submit(self._send, worded(group))] = group

        def finish_some() -> None:
            for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                for part in self._finish(report, done, under_way.pop(done), keep):
                    submit(part)

        try:
            for group in _parts(subjects, self._batch):
                if len(under_way) >= 2 * self._concurrency:
                    finish_some()
                submit(group)
        finally:
            # Also where the listing failed: what was told is kept.
            while under_way:
                finish_some()

    def _finish(
        self, report: RoundReport, done: Future[Taken], group: Sequence[Any], keep: Callable[[Iterable[Any]], None]
    ) -> Sequence[Sequence[Any]]:
        """Count one answer; the parts of the group to be told on their own, where the request itself was refused."""
        try:
            taken = done.result()
        except TemporaryError as exc:
            _failed(report, len(group), str(exc))
            return ()
        if taken in (Taken.UNREAD, Taken.STOPPED) and len(group) > 1:
            middle = len(group) // 2
            return group[:middle], group[middle:]
        if taken is Taken.STOPPED:
            _failed(
                report, 1, "one hint is refused for its size, by a proxy before the target; raise its limit to 16 MiB"
            )
            return ()
        keep(group)
        if taken is Taken.TOLD:
            report.told += len(group)
            return ()
        report.refused += len(group)
        first = getattr(group[0], "ref", group[0])
        _log.warning("%d objects from %s on: refused for good; the function's log says why", len(group), first)
        return ()


def _failed(report: RoundReport, objects: int, problem: str) -> None:
    """Count objects that are told again, and keep the first reasons."""
    report.failed += objects
    if problem not in report.problems and len(report.problems) < 5:
        report.problems.append(problem)


def _parts(items: Iterator[T], size: int) -> Iterator[tuple[T, ...]]:
    """The items in tuples of `size`, the last one perhaps shorter."""
    while part := tuple(islice(items, size)):
        yield part


def _is_watched(rule: SourceRule, ref: ObjectRef) -> bool:
    """Whether hints are given of it: not of folder markers, nor of what Penstock keeps for itself."""
    return rule.matches(ref) and not ref.key.startswith(RESERVED_PREFIX) and not ref.key.endswith("/")
