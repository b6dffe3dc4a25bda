"""The NATS connector: the messages of JetStream's subjects, acknowledged when the function has answered finally."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from penstock.connect.nats.server import NatsServers, servers_answer
from penstock.connect.nats.session import NatsSession
from penstock.connect.queues import QueueConnector, QueueNames, Settlement
from penstock.connect.subscriptions import Finder
from penstock.connect.watch import SubscriptionWatch
from penstock.delivery.deliverer import Policy
from penstock.delivery.inbox import Inbox

if TYPE_CHECKING:
    from penstock.process.tracing import Tracer

NAMES = QueueNames("nats", "penstock_nats_new_clients", "penstock_nats_unacknowledged")


class NatsConnector(QueueConnector[Settlement]):
    """Delivers the messages of some subjects to the functions that want them, until `stop`."""

    def __init__(
        self,
        servers: NatsServers,
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
            lambda arrived, lost: NatsSession(servers, policy.max_in_flight, arrived, lost),
            lambda: servers_answer(servers),
            finder,
            inbox,
            policy=policy,
            cloudevents=cloudevents,
            keep_identity=keep_identity,
            watch=watch,
            clock=clock,
            tracer=tracer,
        )
