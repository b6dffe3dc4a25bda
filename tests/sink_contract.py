"""What every `Sink` promises, as tests: run on a bucket, on SQLite, and on search servers."""

from __future__ import annotations

from penstock.sinks import Sink
from penstock.types import Entry, Mark, ObjectState, Result, Write


def read(sink: Sink, address: str, mark: Mark) -> Entry | None:
    """What is at one address."""
    [entry] = sink.read_many([(address, mark)])
    return entry


def write(
    sink: Sink, address: str, result: Result, mark: Mark, source: ObjectState, previous: Entry | None = None
) -> Entry:
    """Store one result; raises what went wrong."""
    [stored] = sink.write_many([Write(address, result, mark, source, previous)])
    if isinstance(stored, Exception):
        raise stored
    return stored
