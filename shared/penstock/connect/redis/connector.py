"""The Redis connector: the items of lists, finished at the server when the function has answered finally."""

from typing import Unpack

from penstock.connect.queues import Arrived, Lost, QueueConnector, QueueNames, QueueOptions, Settlement
from penstock.connect.redis.access_format import as_notification
from penstock.connect.redis.server import RedisServer, server_answers
from penstock.connect.redis.session import RedisSession
from penstock.connect.subscriptions import Finder
from penstock.delivery.inbox import Inbox
from penstock.process import metric_table

NAMES = QueueNames("redis", metric_table.REDIS_NEW_CLIENTS, metric_table.REDIS_UNACKNOWLEDGED)


class RedisConnector(QueueConnector[Settlement]):
    """Delivers the items of some lists to the functions that want them, until `stop`."""

    def __init__(self, server: RedisServer, finder: Finder, inbox: Inbox, **options: Unpack[QueueOptions]) -> None:
        def open_session(arrived: Arrived[Settlement], lost: Lost[Settlement]) -> RedisSession:
            return RedisSession(
                server,
                options["policy"].max_in_flight,
                lambda topic, item, origin, receipt: arrived(topic, as_notification(item), origin, receipt),
                lost,
            )

        super().__init__(NAMES, open_session, lambda: server_answers(server), finder, inbox, **options)
