"""The MQTT connector: QoS 1, acknowledged when the function has given its final answer."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from penstock.connect.mqtt.broker import Broker
from penstock.connect.mqtt.client import broker_answers
from penstock.connect.mqtt.session import Session
from penstock.connect.mqtt.window import Arrival
from penstock.connect.queues import Arrived, Lost, QueueConnector, QueueNames
from penstock.connect.subscriptions import Finder
from penstock.connect.watch import SubscriptionWatch
from penstock.delivery.deliverer import Policy
from penstock.delivery.inbox import Inbox

if TYPE_CHECKING:
    from penstock.process.tracing import Tracer

NAMES = QueueNames("mqtt", "penstock_mqtt_new_clients", "penstock_mqtt_unacknowledged")


class MqttConnector(QueueConnector[Arrival]):
    """Delivers the messages of some topics, which may have wildcards, to the functions that want them, until `stop`."""

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
        tracer: "Tracer | None" = None,
    ) -> None:
        def open_session(arrived: Arrived[Arrival], lost: Lost[Arrival]) -> Session:
            return Session(
                broker,
                policy.max_in_flight,
                lambda topic, payload, arrival: arrived(topic, payload, f"{topic}#{arrival.mid}", arrival),
                lambda window: lost(lambda arrival: arrival.window is window),
            )

        super().__init__(
            NAMES,
            open_session,
            lambda: broker_answers(broker),
            finder,
            inbox,
            policy=policy,
            matches=_matches,
            cloudevents=cloudevents,
            keep_identity=keep_identity,
            watch=watch,
            clock=clock,
            tracer=tracer,
        )


def _matches(wanted: str, topic: str) -> bool:
    from paho.mqtt.client import topic_matches_sub

    return topic_matches_sub(wanted, topic)
