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

    refuses_beside: bool
    """Whether a refusal always lies beside the target, so that both can be there and `beside` must be asked.

    Elsewhere a refusal takes the place of our target, and lies beside a foreign one only. `read_many` shows it there.
    """

    batch_size: int
    """How many addresses are asked for, and how many documents written, at little more than the cost of one.

    1 for a sink that stores each result by itself. Its results are streamed while they are made.
    """

    def address(self, source: ObjectRef, rendition: str | None) -> str:
        """Where the result for this source goes, known before the handler runs; raises `PermanentError`."""

    def read_many(self, places: Sequence[tuple[str, Mark]]) -> Sequence[Entry | None]:
        """What is recorded at each address now, in the same order: a target, or a refusal of this mark's source.

        At most `batch_size` places. An error of one place is raised for all of them. A `PermanentError` for a single
        place says that nothing can ever be there.
        """

    def beside(self, address: str, mark: Mark) -> Entry | None:
        """The refusal of this mark's source that lies beside the target, or None."""

    def write_many(self, writes: Sequence[Write]) -> Sequence[Entry | Exception]:
        """Store each result with its mark, and drop a refusal that its `previous` shows; each all or nothing.

        At most `batch_size` writes. An error of one write is returned in its place, in the same order, and is not
        raised: `TargetChanged` where `previous` no longer holds, `PermanentError` for a result that can never be
        stored, `HandlerError` for a wrong document (not a mapping for an index, or with what JSON cannot hold), or
        what making the result raised.
        """

    def refuse(self, address: str, refusal: Refusal, mark: Mark, source: ObjectState, previous: Entry | None) -> Entry:
        """Record why this state has no target, durably, and remove our own target of an older state.

        A foreign target stays as it is. Raises `TargetChanged` when the target is not what `previous` shows any more.
        """

    def remove(self, address: str, mark: Mark, previous: Entry) -> None:
        """Remove our target or refusal, as `previous` shows it; what is foreign or gone already is left alone.

        Raises `TargetChanged` when something else is there by now.
        """

    def entries(self, bucket: str, prefix: str = "") -> Iterator[tuple[ObjectRef | None, Entry]]:
        """Everything recorded for a bucket's sources with that prefix, refusals too, each with its source.

        The source is None where the address does not tell it. A refusal beside its target has the address that
        `refusal_address` gives, and names it as its `record`.
        """

    def refusal_address(self, address: str, mark: Mark) -> str:
        """Where a refusal beside the target at `address` would be, as `entries` names it."""

    def forget(self, record: str) -> ObjectRef | None:
        """Remove a refusal's record by its address, and return its source, or None when it does not tell it."""

    def check(self) -> None:
        """Raise `TemporaryError` unless the place answers; called once at start."""


__all__ = ["Sink"]
