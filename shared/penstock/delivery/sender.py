"""One background thread that delivers to any number of targets, for callers that are not asynchronous."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Generic

from penstock.delivery.batching import BatchTransport
from penstock.delivery.deliverer import Deliverer, DeliveryOutcome, HeldT, Message, Policy, Transport, Verdict
from penstock.delivery.http import HttpTarget, HttpTransport

if TYPE_CHECKING:
    from penstock.process.tracing import Tracer

Observe = Callable[[Message[object], Verdict, float], None]
Waits = Callable[[Message[object], Verdict, int, float], None]


class Sender(Generic[HeldT]):
    """Delivers messages over HTTP, each to the target that it names; its methods may be called from any thread.

    `finished`, `observe` and `waits` are those of `Deliverer`. They are called on the sender's thread and must not
    block it. Each target has its own `Deliverer`, so a slow one does not hold up the others. With a `tracer`, each
    message is in a trace.
    """

    def __init__(
        self,
        policy: Policy,
        finished: Callable[[Message[HeldT], Verdict], None],
        *,
        observe: Observe | None = None,
        waits: Waits | None = None,
        tracer: "Tracer | None" = None,
    ) -> None:
        self._policy = policy
        self._finished = finished
        self._observe = observe
        self._waits = waits
        self._tracer = tracer
        self._routes: dict[str, tuple[HttpTarget, Deliverer[HeldT], HttpTransport]] = {}
        self._transports: set[HttpTransport] = set()
        self._posted: dict[str, int] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop  # made by `start`: one that never runs would never be closed
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._stopped = threading.Event()

    def start(self, targets: Iterable[HttpTarget]) -> None:
        """Begin; `configure` may change the targets later."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        self.configure(targets)

    def configure(self, targets: Iterable[HttpTarget]) -> None:
        """Make these the targets. What a removed target holds is forgotten without a report, as after a stop."""
        wanted = {target.name: target for target in targets}
        done = threading.Event()
        self._loop.call_soon_threadsafe(self._configure, wanted, done)
        done.wait()

    def room(self, target: str) -> int:
        """How many more messages this target takes now; 0 for an unknown one."""
        route = self._routes.get(target)
        return max(0, route[1].room - self._posted.get(target, 0)) if route else 0

    def held(self, target: str) -> int:
        """Messages this target holds: being sent, waiting for a retry or for their turn."""
        route = self._routes.get(target)
        return route[1].held + self._posted.get(target, 0) if route else 0

    def submit(self, messages: Sequence[Message[HeldT]]) -> None:
        """Hand messages over without waiting; one for an unknown target is finished as dead with code 404."""
        with self._lock:
            for message in messages:
                self._posted[message.target] = self._posted.get(message.target, 0) + 1
        self._loop.call_soon_threadsafe(self._take, messages)

    def withdraw(self, unwanted: Callable[[Message[HeldT]], bool], timeout_seconds: float) -> bool:
        """Forget matching messages that wait; True when no matching one is being sent any more in time."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(self._withdraw, unwanted, done)
        return done.wait(timeout_seconds)

    def stop(self, timeout_seconds: float) -> bool:
        """Finish requests under way, forget the rest without a report; True when that was possible in time."""
        if not self._thread.is_alive():
            return True
        self._loop.call_soon_threadsafe(self._drain)
        drained = self._stopped.wait(timeout_seconds)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        return drained

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            for transport in self._transports:
                transport.close()
            self._loop.run_until_complete(asyncio.sleep(0))  # lets cancelled connects and closed sockets end
            self._loop.close()

    def _configure(self, wanted: dict[str, HttpTarget], done: threading.Event) -> None:
        for name, (target, deliverer, transport) in list(self._routes.items()):
            if wanted.get(name) != target:
                del self._routes[name]
                deliverer.close(partial(self._retire, transport))
        for name, target in wanted.items():
            if name not in self._routes:
                policy = self._policy
                transport = HttpTransport(target, timeout_seconds=policy.timeout_seconds, loop=self._loop)
                carrier = self._traced(transport, name)
                if policy.batch > 1:
                    carrier = BatchTransport(transport, policy.batch, self._loop.call_soon)
                    policy = replace(policy, concurrency=policy.concurrency * policy.batch)
                deliverer = Deliverer(
                    carrier, policy, self._finished, timer=self._loop, observe=self._observe, waits=self._waits
                )
                self._routes[name] = (target, deliverer, transport)
                self._transports.add(transport)
        done.set()

    def _traced(self, transport: Transport, target: str) -> Transport:
        if self._tracer is None:
            return transport
        from penstock.delivery.traced import TracedTransport

        return TracedTransport(transport, target, self._tracer)

    def _in_traces(self, messages: Sequence[Message[HeldT]]) -> Sequence[Message[HeldT]]:
        if self._tracer is None:
            return messages
        from penstock.delivery.traced import taken_on

        return [taken_on(message, self._tracer) for message in messages]

    def _retire(self, transport: HttpTransport) -> None:
        self._transports.discard(transport)
        transport.close()

    def _take(self, messages: Sequence[Message[HeldT]]) -> None:
        with self._lock:
            for message in messages:
                self._posted[message.target] -= 1
        for message in self._in_traces(messages):
            route = self._routes.get(message.target)
            if route is None:
                reason = f"no target is named {message.target!r}; add it again and replay, or drop the message"
                self._finished(message, Verdict(DeliveryOutcome.DEAD, 404, reason))
            else:
                route[1].submit(message)

    def _withdraw(self, unwanted: Callable[[Message[HeldT]], bool], done: threading.Event) -> None:
        for _, deliverer, _ in self._routes.values():
            deliverer.withdraw(unwanted)
        self._wait_for_sending(unwanted, done)

    def _wait_for_sending(self, unwanted: Callable[[Message[HeldT]], bool], done: threading.Event) -> None:
        if any(deliverer.sending(unwanted) for _, deliverer, _ in self._routes.values()):
            self._loop.call_later(0.02, self._wait_for_sending, unwanted, done)
        else:
            done.set()

    def _drain(self) -> None:
        waiting = len(self._routes)

        def idle() -> None:
            nonlocal waiting
            waiting -= 1
            if waiting <= 0:
                self._stopped.set()

        if not waiting:
            self._stopped.set()
        for _, deliverer, _ in list(self._routes.values()):
            deliverer.close(idle)
