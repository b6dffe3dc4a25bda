"""The NATS connector: the messages of JetStream's subjects, acknowledged when the function has answered finally."""

from typing import Unpack

from penstock.connect.nats.server import NatsServers, servers_answer
from penstock.connect.nats.session import NatsSession
from penstock.connect.queues import QueueConnector, QueueNames, QueueOptions, Settlement
from penstock.connect.subscriptions import Finder
from penstock.delivery.inbox import Inbox
from penstock.process import metric_table

NAMES = QueueNames("nats", metric_table.NATS_NEW_CLIENTS, metric_table.NATS_UNACKNOWLEDGED)


class NatsConnector(QueueConnector[Settlement]):
    """Delivers the messages of some subjects to the functions that want them, until `stop`."""

    def __init__(self, servers: NatsServers, finder: Finder, inbox: Inbox, **options: Unpack[QueueOptions]) -> None:
        super().__init__(
            NAMES,
            lambda arrived, lost: NatsSession(servers, options["policy"].max_in_flight, arrived, lost),
            lambda: servers_answer(servers),
            finder,
            inbox,
            **options,
        )
