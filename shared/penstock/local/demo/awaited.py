"""What the demo waits for: which function answers for which object, through the whole chain of functions."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.local.demo.report import Row
from penstock.local.gateway.invocations import Invocation
from penstock.local.gateway.router import Route
from penstock.types import ObjectRef


@dataclass(slots=True)
class Awaited:
    """What must happen: a function takes an object, and makes a target of each rendition. Filled in when it has.

    `refused` says why it cannot happen; `last` is the last failure of one that is still tried.
    """

    function: str
    source: ObjectRef
    targets: Mapping[str | None, ObjectRef]
    row: Row | None = None
    refused: str = ""
    last: str = ""
    needless: bool = False

    @property
    def done(self) -> bool:
        """Whether nothing is waited for: it has happened, it cannot, or what it needs cannot be made."""
        return self.row is not None or bool(self.refused) or self.needless


@dataclass(slots=True)
class Expectation:
    """The chain of functions each upload goes through, followed by the answers they give."""

    routes: tuple[Route, ...]
    awaited: dict[tuple[str, ObjectRef], Awaited] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def expect(self, ref: ObjectRef) -> None:
        """Await every function that takes the object, and every one that takes what those make."""
        for route in self.routes:
            if route.config.takes(ref) and (route.name, ref) not in self.awaited:
                names: list[str | None] = list(route.config.renditions) or [None]
                address = route.address
                targets = {name: made for name in names if address and (made := address.of(ref, name)) is not None}
                self.awaited[route.name, ref] = Awaited(route.name, ref, targets)
                for target in targets.values():
                    self.expect(target)

    def saw(self, invocation: Invocation) -> None:
        """Take note of one answer; called on the gateway's threads."""
        answer = invocation.answer or {}
        for result in answer.get("results", [answer]):
            self._note(invocation, result)

    def _note(self, invocation: Invocation, result: Mapping[str, Any]) -> None:
        source = result.get("source") or {}
        ref = ObjectRef(str(source.get("bucket")), str(source.get("key")))
        with self.changed:
            awaited = self.awaited.get((invocation.function, ref))
            if awaited is None or awaited.done:
                return
            if result.get("outcome") == "processed":
                sizes = [target.get("size", 0) for target in result.get("targets", [])]
                awaited.row = Row(
                    source=ref,
                    function=invocation.function,
                    cold=invocation.cold,
                    seconds=invocation.seconds,
                    bytes_in=int(source.get("size", 0)),
                    bytes_out=sum(sizes),
                )
            elif result.get("outcome") == "refused":
                self._give_up(awaited, str(result.get("reason", "refused")))
            else:
                awaited.last = f"{result.get('reason', 'no reason was given')} (answered {invocation.status})"
            self.changed.notify_all()

    def died(self, function: str, ref: ObjectRef, reason: str) -> bool:
        """Take note of a dead letter; False when it is about nothing that is awaited."""
        with self.changed:
            awaited = self.awaited.get((function, ref))
            if awaited is None:
                return False
            if not awaited.done:
                self._give_up(awaited, reason)
            return True

    def _give_up(self, awaited: Awaited, reason: str) -> None:
        """What would be made of its targets is not waited for either: one failure has one reason."""
        awaited.refused = reason
        waiting = list(awaited.targets.values())
        while waiting:
            ref = waiting.pop()
            for (_, source), other in self.awaited.items():
                if source == ref and not other.done:
                    other.needless = True
                    waiting.extend(other.targets.values())

    def count(self) -> tuple[int, int]:
        return sum(1 for awaited in self.awaited.values() if awaited.done), len(self.awaited)

    def wait(self, seconds: float, stop: Callable[[], bool], show: Callable[[int, int], None]) -> None:
        """Return when all is done, `stop()` holds or the time is up."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                done, all_of_them = self.count()
                show(done, all_of_them)
                left = deadline - time.monotonic()
                if done == all_of_them or left <= 0 or stop():
                    return
                self.changed.wait(min(left, 0.5))
