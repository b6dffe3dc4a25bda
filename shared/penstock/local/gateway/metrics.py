"""What the gateway's /metrics says, under the names of OpenFaaS's gateway."""

from penstock.delivery.inbox import Inbox
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.invocations import Invocation
from penstock.process import metric_table
from penstock.process.exposition import ProcessMetrics

_BUCKETS_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class GatewayMetrics(ProcessMetrics):
    """Counts invocations; replicas and the inbox are read at each scrape."""

    def __init__(self, functions: LocalFunctions, inbox: Inbox) -> None:
        super().__init__()
        self._invocations = self.counter(metric_table.GATEWAY_INVOCATIONS)
        self._seconds = self.histogram(metric_table.GATEWAY_SECONDS, _BUCKETS_SECONDS)
        self._cold = self.counter(metric_table.COLD_STARTS)
        self.gauge(
            metric_table.GATEWAY_REPLICAS,
            lambda: [({"function_name": each.spec.name}, each.replicas) for each in functions],
        )
        self.gauge(metric_table.INBOX_PENDING, lambda: [({}, inbox.counts().pending)])
        self.gauge(metric_table.INBOX_DEAD, lambda: [({}, inbox.counts().dead)])

    def observe(self, invocation: Invocation) -> None:
        name = invocation.function
        self._invocations.labels(name, str(invocation.status)).inc()
        self._seconds.labels(name).observe(invocation.seconds)
        if invocation.cold:
            self._cold.labels(name).inc()
