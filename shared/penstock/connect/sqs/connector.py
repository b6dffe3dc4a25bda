"""The SQS connector: the messages of queues, each deleted when its functions have answered finally."""

from typing import Unpack

from penstock.connect.queues import QueueConnector, QueueNames, QueueOptions, Settlement
from penstock.connect.sqs.account import SqsAccount, account_answers
from penstock.connect.sqs.session import SqsSession
from penstock.connect.subscriptions import Finder
from penstock.delivery.inbox import Inbox
from penstock.process import metric_table

NAMES = QueueNames("sqs", metric_table.SQS_NEW_CLIENTS, metric_table.SQS_UNACKNOWLEDGED)


class SqsConnector(QueueConnector[Settlement]):
    """Delivers the messages of some queues to the functions that want them, until `stop`."""

    def __init__(self, account: SqsAccount, finder: Finder, inbox: Inbox, **options: Unpack[QueueOptions]) -> None:
        super().__init__(
            NAMES,
            lambda arrived, lost: SqsSession(account, options["policy"].max_in_flight, arrived, lost),
            lambda: account_answers(account),
            finder,
            inbox,
            **options,
        )
