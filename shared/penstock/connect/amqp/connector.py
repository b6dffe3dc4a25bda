"""The AMQP connector: the messages of queues, each acknowledged when its functions have answered finally."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from penstock.connect.amqp.broker import AmqpBroker, broker_answers
from penstock.connect.amqp.session import AmqpSession
from penstock.connect.queues import QueueConnector, QueueNames, Settlement
from penstock.connect.subscriptions import Finder
from penstock.connect.watch import SubscriptionWatch
from penstock.delivery.deliverer import Policy
from penstock.delivery.inbox import Inbox

if TYPE_CHECKING:
    from penstock.process.tracing import Tracer

NAMES = QueueNames("amqp", "penstock_amqp_new_clients", "penstock_amqp_unacknowledged")


class AmqpConnector(QueueConnector[Settlement]):
    """Delivers the messages of some queues to the functions that want them, until `stop`."""

    def __init__(
        self,
        broker: AmqpBroker,
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
        super().__init__(
            NAMES,
            lambda arrived, lost: AmqpSession(broker, policy.max_in_flight, arrived, lost),
            lambda: broker_answers(broker),
            finder,
            inbox,
            policy=policy,
            cloudevents=cloudevents,
            keep_identity=keep_identity,
            watch=watch,
            clock=clock,
            tracer=tracer,
        )
