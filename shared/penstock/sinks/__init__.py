"""Where results go. A sink knows addresses, marks and refusals; it decides nothing."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Write


class Sink(Protocol):
    """One place that takes results, one entry per source object and rendition.

    Every method raises `TemporaryError` when the place cannot be reached, and never treats that as absence.
    """

    removes_with_source: bool
    """Whether an entry goes when its source is gone: always for an index, as configured for a bucket."""

    batch_size: int
    """How many addresses are asked for, and how many documents written, at little more than the cost of one.

    1 for a sink that stores each result by itself. Its results are streamed while they are made.
    """

    def address(self, source: ObjectRef, rendition: str | None) -> str:
        """Where the result for this source goes, known before the handler runs; raises `PermanentError`."""

    def read_many(self, places: Sequence[tuple[str, Mark]]) -> Sequence[Entry | None]:
        """What is recorded at each address now, in the same order: a target, or a refusal of this mark's source.

        At most `batch_size` places. What asking for one of them raises is raised for all. A `PermanentError` for a
        single place says that nothing can ever be there.
        """

    def beside(self, address: str, mark: Mark) -> Entry | None:
        """A refusal that lies next to a target, which `read_many` does not look for; None where there can be none."""

    def write_many(self, writes: Sequence[Write]) -> Sequence[Entry | Exception]:
        """Store each result with its mark, and drop a refusal that its `previous` shows; each all or nothing.

        At most `batch_size` writes. What went wrong with one takes its place, in the same order, and is not raised:
        `TargetChanged` where `previous` no longer holds, `PermanentError` for a result that can never be stored, or
        what making the result raised.
        """

    def refuse(self, address: str, refusal: Refusal, mark: Mark, source: ObjectState, previous: Entry | None) -> Entry:
        """Record why this state has no target, durably, and remove our own target of an older state."""

    def remove(self, address: str, mark: Mark, previous: Entry) -> None:
        """Remove our target or refusal."""

    def entries(self, bucket: str, prefix: str = "") -> Iterator[tuple[ObjectRef | None, Entry]]:
        """Everything recorded for a bucket's sources with that prefix, refusals too, each with its source.

        The source is None where the address does not tell it.
        """

    def check(self) -> None:
        """Raise `TemporaryError` unless the place answers; called once at start."""


__all__ = ["Sink"]
