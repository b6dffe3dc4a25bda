"""What the console's page is told of a lake, wherever it runs."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Protocol

from penstock.local.console.records import ConsoleRecord
from penstock.local.gateway.invocations import Invocation
from penstock.local.gateway.router import Route, Routes
from penstock.settings.config import rule_texts
from penstock.settings.stackfile import FunctionSpec
from penstock.store import Store
from penstock.types import ObjectRef


class ConsoleSource(Protocol):
    """A lake to look at: the stack of this process (`embedded`), or a platform that is asked over HTTP (`cluster`).

    Methods may be called from any thread. They raise `TemporaryError` when what they ask does not answer, and
    `ConfigError` for what this console was not told the address of.
    """

    @property
    def store(self) -> Store:
        """The objects."""

    @property
    def routes(self) -> Routes:
        """Which function takes which object."""

    @property
    def allows_writes(self) -> bool:
        """Whether the page may upload, delete, send again, replay and drop."""

    def specs(self) -> Iterable[FunctionSpec]:
        """The functions with their settings."""

    def overview(self) -> dict[str, Any]:
        """The present state, ready for JSON: functions, what waits, buckets, and words about what is not told."""

    def listen(self, heard: Callable[[Invocation], None]) -> None:
        """Call `heard` for each request to a function from now on; it must be quick."""

    def explained(self, records: Sequence[ConsoleRecord]) -> list[ConsoleRecord]:
        """Each record with the log lines about it, and the trace of an unexpected error."""

    def waiting(self) -> list[dict[str, Any]]:
        """The events that wait for another attempt, ready for JSON."""

    def dead_letters(self, *, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """Dead letters with an id above `after`, ready for JSON, in the order in which they died."""

    def replay(self, ids: Collection[str]) -> int:
        """Deliver dead letters again; returns how many there were."""

    def drop(self, ids: Collection[str]) -> tuple[int, str]:
        """Forget dead letters; returns how many there were, and a name with which `restore` brings them back."""

    def restore(self, name: str) -> int:
        """Bring one drop back; raises `EventError` for one that is not kept any more."""

    def send_again(self, ref: ObjectRef, names: Iterable[str]) -> None:
        """Have these functions look at an object again."""

    def function(self, name: str) -> dict[str, Any]:
        """One function for its page, ready for JSON."""


def function_row(
    name: str,
    route: Route | None,
    *,
    replicas: int,
    starting: bool,
    in_flight: int,
    invocations: int | None,
    zero_after_seconds: float | None,
) -> dict[str, Any]:
    """One function among those of `overview`; `route` is None for one that is not about objects."""
    return {
        "name": name,
        "replicas": replicas,
        "starting": starting,
        "in_flight": in_flight,
        "invocations": invocations,
        "zero_after_seconds": zero_after_seconds,
        "sources": rule_texts(route.config.sources) if route else [],
        "sink": route.config.sink if route else "",
    }
