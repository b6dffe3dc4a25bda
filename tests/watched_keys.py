"""A bucket of very many keys, which are made while they are asked for, and what it takes to watch it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from penstock.connect.listing.hints import Taken
from penstock.connect.listing.rounds import ListingWatch
from penstock.connect.listing.seen import SeenObjects
from penstock.settings.config import SourceRule
from penstock.types import ObjectRef, ObjectState

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


class ManyKeys:
    """Lists `count` keys; the one at the place `changed` has another ETag than before."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.changed = -1

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        for number in range(self.count):
            etag = "2" if number == self.changed else "1"
            yield ObjectState(ObjectRef(bucket, f"{number:07}"), 1, etag, last_modified=NOW)


def peak_kib() -> int:
    """The most memory that this process held since the last call."""
    found = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew: proc(5)
    return int(found[0])


def memory_of_two_rounds(folder: Path, count: int) -> int:
    """Watch `count` keys in two rounds, of which the second tells what changed; the memory that it took, in KiB."""
    store, told = ManyKeys(count), []

    def send(body: bytes) -> Taken:
        told.append(body)
        return Taken.TOLD

    seen = SeenObjects(folder / "watch.db", "x")
    rules = SourceRule.parse_all("s3://upload/")
    watch = ListingWatch(store, rules, seen, send, batch=50, concurrency=2, since=NOW + timedelta(days=1))
    peak_kib()
    before = peak_kib()
    assert watch.round().listed == count
    assert told == []
    store.changed = count * 7 // 9
    report = watch.round()
    assert (report.listed, report.changed, report.told, report.gone) == (count, 1, 1, 0)
    grown = peak_kib() - before
    seen.close()
    return grown
