"""The MQTT connector: QoS 1, acknowledged when the function has given its final answer.

Dead letters are kept in an inbox file, and can be replayed from it.
"""

import logging
import threading
import time
from collections.abc import Callable

from penstock.connect.mqtt.broker import Broker
from penstock.connect.mqtt.client import broker_answers
from penstock.connect.mqtt.messages import make_messages
from penstock.connect.mqtt.session import Session
from penstock.connect.mqtt.window import Arrival, Window
from penstock.connect.subscriptions import Finder, Subscriptions
from penstock.connect.watch import SubscriptionState, SubscriptionWatch
from penstock.delivery.deliverer import Policy
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import InboxSender
from penstock.delivery.measures import DeliveryMeasures
from penstock.settings.table import DELIVERY_DRAIN_SECONDS

_log = logging.getLogger("penstock.connect")


class MqttConnector:
    """Delivers the messages of some topics to the functions that want them, until `stop`.

    `watch` says when the client no longer works and another must be made; by default a minute after it last did.
    """

    def __init__(
        self,
        broker: Broker,
        finder: Finder,
        inbox: Inbox,
        *,
        policy: Policy,
        cloudevents: bool = False,
        keep_identity: bool = False,
        watch: SubscriptionWatch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker = broker
        self._finder = finder
        self._cloudevents = cloudevents
        self._max_in_flight = policy.max_in_flight
        self._wanted = Subscriptions({}, {})
        self._stopping = threading.Event()
        self._watch = watch or SubscriptionWatch("mqtt", lambda: broker_answers(broker), clock=clock)
        self.measures = DeliveryMeasures()
        self._sender: InboxSender[Arrival] = InboxSender(
            inbox,
            (),
            policy,
            observe=self.measures.observe,
            finished=lambda message: message.receipt.finish_one(),
            keep_identity=keep_identity,
        )
        self._session = self._new_session()
        counter, gauge = self.measures.counter, self.measures.gauge
        self._new_clients = counter(
            "penstock_mqtt_new_clients", "Clients that were made because the one before did not subscribe."
        )
        gauge("penstock_mqtt_unacknowledged", "Taken, not finished.", lambda: [({}, len(self._session.window))])
        gauge("penstock_inbox_dead", "Dead letters.", lambda: [({}, inbox.counts().dead)])
        gauge("penstock_subscription", "1 for the state that the subscription is in.", self._watch.measured)

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
        """Make a new client in the place of one that does not subscribe; it goes on with the same session."""
        # A broker that refuses a login or a topic has answered: another client would be refused as well.
        joined = self._session.joined or bool(self._session.refusal)
        if self._watch.look(subscribed=bool(self._wanted.topics), joined=joined):
            self._session.end()
            self._session = self._new_session()
            self._session.start(self._wanted.topics)
            self._new_clients.inc()

    def _new_session(self) -> Session:
        return Session(self._broker, self._max_in_flight, self._arrived, self._lost)

    def _lost(self, window: Window) -> None:
        if not self._stopping.is_set():
            self._sender.withdraw(lambda message: message.receipt.window is window)

    def _arrived(self, topic: str, payload: bytes, arrival: Arrival) -> None:
        from paho.mqtt.client import topic_matches_sub

        if self._stopping.is_set():
            return
        names = {
            name: None
            for wanted, targets in self._wanted.topics.items()
            if topic_matches_sub(wanted, topic)
            for name in targets
        }
        made = [
            each
            for name in names
            for each in make_messages(
                topic, payload, name, f"{topic}#{arrival.mid}", arrival, cloudevents=self._cloudevents
            )
        ]
        arrival.begin(len(made))
        if made:
            self._sender.submit(made)
