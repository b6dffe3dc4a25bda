"""The stack of this process as the console's page is told of it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from penstock.delivery.attempts import Attempts
from penstock.delivery.dropped import Dropped
from penstock.delivery.inbox import Inbox
from penstock.local.console.declared_options import options_of
from penstock.local.console.object_page import letter_document, log_span, with_log
from penstock.local.console.records import ConsoleRecord
from penstock.local.console.source import function_row
from penstock.local.functions.crashes import CrashLog
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.invocations import Invocation, InvocationLog
from penstock.local.gateway.router import Router
from penstock.settings.shown_environment import shown_environment
from penstock.settings.stackfile import FunctionSpec
from penstock.store import Store
from penstock.types import ObjectRef

_SHOWN_WAITING: Final = 60


@dataclass(frozen=True)
class EmbeddedSource:
    """What this process knows."""

    functions: LocalFunctions
    invocations: InvocationLog
    inbox: Inbox
    routes: Router
    store: Store
    crashes: CrashLog
    attempts: Attempts
    allows_writes: bool = True
    dropped: Dropped = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dropped", Dropped(self.inbox))

    def specs(self) -> Iterable[FunctionSpec]:
        return [function.spec for function in self.functions]

    def overview(self) -> dict[str, Any]:
        counts = self.inbox.counts()
        return {
            "functions": [
                function_row(
                    each.spec.name,
                    self.routes.of(each.spec.name),
                    replicas=each.replicas,
                    starting=each.starting,
                    in_flight=each.in_flight,
                    invocations=each.invocations,
                    zero_after_seconds=each.zero_after_seconds,
                )
                for each in self.functions
            ],
            "pending": counts.pending,
            "dead": counts.dead,
            "waiting": self.waiting()[:_SHOWN_WAITING],
            "buckets": self.routes.buckets(),
            "searchable": self.routes.searchable,
            "writes": self.allows_writes,
            "notes": {},
            "queues": [],
        }

    def listen(self, heard: Callable[[Invocation], None]) -> None:
        self.invocations.listen(heard)

    def explained(self, records: Sequence[ConsoleRecord]) -> list[ConsoleRecord]:
        return [self._explained(each) for each in records]

    def _explained(self, record: ConsoleRecord) -> ConsoleRecord:
        crash = self.crashes.of(record["incident"])
        record = record | {
            "reason": self.crashes.explained(record["reason"]),
            "trace": crash.trace if crash else "",
        }
        found = next((each for each in self.functions if each.spec.name == record["function"]), None)
        if found is None:
            return with_log(record, [], "")
        return with_log(record, found.logs.tail(since=log_span(record)[0]), str(found.logs.path))

    def waiting(self) -> list[dict[str, Any]]:
        return [asdict(each) | {"reason": self.crashes.explained(each.reason)} for each in self.attempts.waiting()]

    def dead_letters(self, *, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        return [letter_document(each, self.crashes) for each in self.inbox.dead_letters(after=after, limit=limit)]

    def replay(self, ids: Collection[str]) -> int:
        return self.inbox.replay(ids)

    def drop(self, ids: Collection[str]) -> tuple[int, str]:
        return self.dropped.drop(ids)

    def restore(self, name: str) -> int:
        return self.dropped.restore(name)

    def send_again(self, ref: ObjectRef, names: Iterable[str]) -> None:  # noqa: ARG002 - the routes decide
        self.routes.accept(ref, {"bucket": ref.bucket, "key": ref.key, "EventName": "console"})

    def function(self, name: str) -> dict[str, Any]:
        found = self.functions.get(name)
        environment = shown_environment(found.environment)
        return {
            "name": found.spec.name,
            "folder": str(found.spec.handler),
            "image": found.spec.image,
            "environment": environment,
            "secrets": list(found.spec.secrets),
            "options": options_of(found.spec.handler, environment),
            "log": str(found.logs.path),
            "lines": [asdict(line) for line in found.logs.tail(200)],
        }
