"""Where results go. A sink knows addresses, marks and refusals; it decides nothing."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from penstock.errors import PenstockError
from penstock.types import Entry, Look, Mark, ObjectRef, ObjectState, Refusal, Result, Write


class Sink(Protocol):
    """One place that takes results, one entry per source object and rendition.

    Every method raises `TemporaryError` when the place cannot be reached, and never treats that as absence.
    """

    removes_with_source: bool
    """Whether an entry goes when its source is gone: always for an index, as configured for a bucket."""

    def address(self, source: ObjectRef, rendition: str | None) -> str:
        """Where the result for this source goes, known before the handler runs; raises `PermanentError`."""

    def read(self, address: str, mark: Mark) -> Entry | None:
        """What is recorded there now: a target, or a refusal of this mark's source by this function."""

    def beside(self, address: str, mark: Mark) -> Entry | None:
        """A refusal that lies next to a target, which `read` does not look for; None where there can be none."""

    def write(self, address: str, result: Result, mark: Mark, source: ObjectState, previous: Entry | None) -> Entry:
        """Store the result and its mark, and drop a refusal that `previous` shows; all or nothing.

        Raises `TargetChanged` where the sink can tell that `previous` no longer holds.
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


@runtime_checkable
class BatchSink(Sink, Protocol):
    """A sink of documents, which is asked and given many at little more than the cost of one."""

    def read_many(self, looks: Sequence[Look]) -> Sequence[Entry | None]:
        """As `read`, for each; in the same order. What one of them raises, it raises for all."""

    def write_many(self, writes: Sequence[Write]) -> Sequence[Entry | PenstockError]:
        """Store a batch; the outcomes in the same order, errors not raised."""


__all__ = ["BatchSink", "Sink"]
