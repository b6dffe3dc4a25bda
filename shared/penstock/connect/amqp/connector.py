"""The AMQP connector: the messages of queues, each acknowledged when its functions have answered finally."""

from typing import Unpack

from penstock.connect.amqp.broker import AmqpBroker, broker_answers
from penstock.connect.amqp.session import AmqpSession
from penstock.connect.queues import QueueConnector, QueueNames, QueueOptions, Settlement
from penstock.connect.subscriptions import Finder
from penstock.delivery.inbox import Inbox
from penstock.process import metric_table

NAMES = QueueNames("amqp", metric_table.AMQP_NEW_CLIENTS, metric_table.AMQP_UNACKNOWLEDGED)


class AmqpConnector(QueueConnector[Settlement]):
    """Delivers the messages of some queues to the functions that want them, until `stop`."""

    def __init__(self, broker: AmqpBroker, finder: Finder, inbox: Inbox, **options: Unpack[QueueOptions]) -> None:
        super().__init__(
            NAMES,
            lambda arrived, lost: AmqpSession(broker, options["policy"].max_in_flight, arrived, lost),
            lambda: broker_answers(broker),
            finder,
            inbox,
            **options,
        )
