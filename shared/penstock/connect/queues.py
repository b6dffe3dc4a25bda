"""The core of a connector to a queue: each message is settled at the queue when its functions have answered finally.

Dead letters are kept in an inbox file, and can be replayed from it. What differs between queues is a session: it brings
messages, settles them, and says whether it is subscribed.
"""

import logging
import operator
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, Required, TypedDict, TypeVar

from penstock.connect.messages import make_messages
from penstock.connect.subscription_watch import SubscriptionState, SubscriptionWatch
from penstock.connect.subscriptions import Finder, Subscriptions
from penstock.delivery.deliverer import Policy
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import InboxSender
from penstock.delivery.measures import DeliveryMeasures
from penstock.process import metric_table
from penstock.process.metric_table import Measure
from penstock.settings.connector_table import DELIVERY_DRAIN_SECONDS

if TYPE_CHECKING:
    from penstock.process.tracing import Tracer

_log = logging.getLogger("penstock.connect")


class Receipt(Protocol):
    """What a session needs to settle one message."""

    def begin(self, deliveries: int) -> None:
        """Wait for so many deliveries; called before the first of them can be over. With none it is over already."""

    def finish_one(self) -> None:
        """One of its deliveries is over; after the last one the message may be settled."""


class Settlement:
    """A receipt for queues that settle in any order. `settle` is called once, after the last delivery.

    `session` is the session that brought the message.
    """

    __slots__ = ("_settle", "session", "waits")

    def __init__(self, session: object, settle: Callable[[], None]) -> None:
        self.session = session
        self._settle = settle
        self.waits = 0

    def begin(self, deliveries: int) -> None:
        self.waits = deliveries
        if not deliveries:
            self._settle()

    def finish_one(self) -> None:
        self.waits -= 1
        if not self.waits:
            self._settle()


class QueueSession(Protocol):
    """One client of a queue, which connects again by itself."""

    @property
    def joined(self) -> bool:
        """Whether messages can come."""

    @property
    def refusal(self) -> str:
        """What the queue refuses, with the remedy, or ""."""

    @property
    def unsettled(self) -> int:
        """Messages taken and not settled."""

    def problem(self) -> str:
        """Why messages do not come, or ""."""

    def start(self, topics: Iterable[str]) -> None:
        """Connect, and subscribe to these topics."""

    def subscribe(self, topics: Iterable[str]) -> None:
        """Make these the topics."""

    def end(self) -> None:
        """Leave; what is not settled comes again to the next client."""


ReceiptT = TypeVar("ReceiptT", bound=Receipt)
# `arrived(topic, payload, origin, receipt)`; `lost(matches)` is told which receipts are worth nothing any more.
Arrived = Callable[[str, bytes, str, ReceiptT], None]
Lost = Callable[[Callable[[ReceiptT], bool]], None]


@dataclass(frozen=True, slots=True)
class QueueNames:
    """How a kind of queue is called, and its counter of new clients and its gauge of what is not settled."""

    kind: str
    new_clients: Measure
    unacknowledged: Measure


class QueueOptions(TypedDict, total=False):
    """What every connector to a queue takes by name; `QueueConnector` says what each is for."""

    policy: Required[Policy]
    cloudevents: bool
    keep_identity: bool
    watch: SubscriptionWatch | None
    clock: Callable[[], float]
    tracer: "Tracer | None"


class QueueConnector(Generic[ReceiptT]):
    """Delivers the messages of some topics to the functions that want them, until `stop`.

    `matches(wanted, topic)` tells whether a topic that a function wants is that of a message. `watch` says when the
    client no longer works and another must be made; by default a minute after it last did.
    """

    def __init__(
        self,
        names: QueueNames,
        open_session: Callable[[Arrived[ReceiptT], Lost[ReceiptT]], QueueSession],
        answers: Callable[[], bool],
        finder: Finder,
        inbox: Inbox,
        *,
        policy: Policy,
        matches: Callable[[str, str], bool] = operator.eq,
        cloudevents: bool = False,
        keep_identity: bool = False,
        watch: SubscriptionWatch | None = None,
        clock: Callable[[], float] = time.monotonic,
        tracer: "Tracer | None" = None,
    ) -> None:
        self._kind = names.kind
        self._open_session = open_session
        self._finder = finder
        self._matches = matches
        self._cloudevents = cloudevents
        self._wanted = Subscriptions({}, {})
        self._stopping = threading.Event()
        self._watch = watch or SubscriptionWatch(names.kind, answers, clock=clock)
        self.measures = DeliveryMeasures()
        self._sender: InboxSender[ReceiptT] = InboxSender(
            inbox,
            (),
            policy,
            observe=self.measures.observe,
            finished=lambda message: message.receipt.finish_one(),
            keep_identity=keep_identity,
            tracer=tracer,
        )
        self._session = self._new_session()
        counter, gauge = self.measures.counter, self.measures.gauge
        self._new_clients = counter(names.new_clients)
        gauge(names.unacknowledged, lambda: [({}, self._session.unsettled)])
        gauge(metric_table.INBOX_DEAD, lambda: [({}, inbox.counts().dead)])
        gauge(metric_table.SUBSCRIPTION, self._watch.measured)

    def stop(self) -> None:
        """Let `run` drain and return; may be called by any thread and by a signal handler."""
        self._stopping.set()

    def unready(self) -> str:
        """Why messages do not flow, or ""."""
        if not self._wanted.topics:
            return "no function wants a topic yet"
        if problem := self._session.problem():
            lasts = self._watch.state in (SubscriptionState.UNREACHABLE, SubscriptionState.STALLED)
            return f"{problem}; {self._watch.problem()}" if lasts else problem
        return "" if self._sender.running else self._sender.error or "delivery has ended"

    def ill(self) -> str:
        """What a restart may mend, or ""."""
        return self._watch.ill()

    def run(self, drain_seconds: float = DELIVERY_DRAIN_SECONDS.default) -> None:
        """Deliver until `stop` is called; then drain. Raises `ConfigError` when the inbox is another's."""
        self._sender.start()
        self._finder.start()
        # Not before the targets are known: a session that goes on brings messages at once.
        self._apply_discovery()
        while not self._wanted.topics and not self._stopping.wait(0.1):
            self._apply_discovery()
        self._session.start(self._wanted.topics)
        while not self._stopping.wait(0.5):
            if self._apply_discovery():
                self._session.subscribe(self._wanted.topics)
            self._look_after_session()
        self._finder.stop()
        if not self._sender.stop(drain_seconds):
            _log.warning("requests under way were cut off; their messages will be delivered again")
        self._session.end()

    def _apply_discovery(self) -> bool:
        """Take what was found; True when there are other topics or targets than before."""
        found = self._finder.news()
        if found is None or found == self._wanted:
            return False
        self._sender.configure(found.targets.values())
        self._wanted = found
        return True

    def _look_after_session(self) -> None:
        """Make a new client in the place of one that does not subscribe."""
        # A broker that refuses a login or a topic has answered: another client would be refused as well.
        joined = self._session.joined or bool(self._session.refusal)
        if self._watch.look(subscribed=bool(self._wanted.topics), joined=joined):
            self._session.end()
            self._session = self._new_session()
            self._session.start(self._wanted.topics)
            self._new_clients.inc()

    def _new_session(self) -> QueueSession:
        return self._open_session(self._arrived, self._lost)

    def _lost(self, matches: Callable[[ReceiptT], bool]) -> None:
        if not self._stopping.is_set():
            self._sender.withdraw(lambda message: matches(message.receipt))

    def _arrived(self, topic: str, payload: bytes, origin: str, receipt: ReceiptT) -> None:
        if self._stopping.is_set():
            return
        made = [
            each
            for name in _names(self._wanted.topics, topic, self._matches)
            for each in make_messages(
                topic, payload, name, origin, receipt, kind=self._kind, cloudevents=self._cloudevents
            )
        ]
        receipt.begin(len(made))
        if made:
            self._sender.submit(made)


def _names(topics: Mapping[str, Iterable[str]], topic: str, matches: Callable[[str, str], bool]) -> list[str]:
    """The targets that want a topic, each once."""
    return list({name: None for wanted, names in topics.items() if matches(wanted, topic) for name in names})
