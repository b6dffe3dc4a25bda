"""The MQTT connector: QoS 1, acknowledged when the function has given its final answer."""

from typing import Unpack

from penstock.connect.mqtt.broker import Broker
from penstock.connect.mqtt.client import broker_answers
from penstock.connect.mqtt.session import Session
from penstock.connect.mqtt.window import Arrival
from penstock.connect.queues import Arrived, Lost, QueueConnector, QueueNames, QueueOptions
from penstock.connect.subscriptions import Finder
from penstock.delivery.inbox import Inbox
from penstock.process import metric_table

NAMES = QueueNames("mqtt", metric_table.MQTT_NEW_CLIENTS, metric_table.MQTT_UNACKNOWLEDGED)


class MqttConnector(QueueConnector[Arrival]):
    """Delivers the messages of some topics, which may have wildcards, to the functions that want them, until `stop`."""

    def __init__(self, broker: Broker, finder: Finder, inbox: Inbox, **options: Unpack[QueueOptions]) -> None:
        def open_session(arrived: Arrived[Arrival], lost: Lost[Arrival]) -> Session:
            return Session(
                broker,
                options["policy"].max_in_flight,
                lambda topic, payload, arrival: arrived(topic, payload, f"{topic}#{arrival.mid}", arrival),
                lambda window: lost(lambda arrival: arrival.window is window),
            )

        super().__init__(
            NAMES, open_session, lambda: broker_answers(broker), finder, inbox, matches=_matches, **options
        )


def _matches(wanted: str, topic: str) -> bool:
    from paho.mqtt.client import topic_matches_sub

    return topic_matches_sub(wanted, topic)
