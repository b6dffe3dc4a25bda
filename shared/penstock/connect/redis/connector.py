"""The Redis connector: the items of lists, finished at the server when the function has answered finally."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from penstock.connect.queues import Arrived, Lost, QueueConnector, QueueNames, Settlement
from penstock.connect.redis.access_format import as_notification
from penstock.connect.redis.server import RedisServer, server_answers
from penstock.connect.redis.session import RedisSession
from penstock.connect.subscriptions import Finder
from penstock.connect.watch import SubscriptionWatch
from penstock.delivery.deliverer import Policy
from penstock.delivery.inbox import Inbox

if TYPE_CHECKING:
    from penstock.process.tracing import Tracer

NAMES = QueueNames("redis", "penstock_redis_new_clients", "penstock_redis_unacknowledged")


class RedisConnector(QueueConnector[Settlement]):
    """Delivers the items of some lists to the functions that want them, until `stop`."""

    def __init__(
        self,
        server: RedisServer,
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
        def open_session(arrived: Arrived[Settlement], lost: Lost[Settlement]) -> RedisSession:
            return RedisSession(
                server,
                policy.max_in_flight,
                lambda topic, item, origin, receipt: arrived(topic, as_notification(item), origin, receipt),
                lost,
            )

        super().__init__(
            NAMES,
            open_session,
            lambda: server_answers(server),
            finder,
            inbox,
            policy=policy,
            cloudevents=cloudevents,
            keep_identity=keep_identity,
            watch=watch,
            clock=clock,
            tracer=tracer,
        )
