"""What the gateway's /metrics says, under the names of OpenFaaS's gateway."""

from penstock.delivery.inbox import Inbox
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.invocations import Invocation
from penstock.process.exposition import ProcessMetrics

_BUCKETS_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class GatewayMetrics(ProcessMetrics):
    """Counts invocations; replicas and the inbox are read at each scrape."""

    def __init__(self, functions: LocalFunctions, inbox: Inbox) -> None:
        super().__init__()
        name = ("function_name",)
        self._invocations = self.counter(
            "gateway_function_invocation", "Invocations by the status they ended with.", (*name, "code")
        )
        self._seconds = self.histogram(
            "gateway_functions_seconds", "Time until the answer was through.", name, _BUCKETS_SECONDS
        )
        self._cold = self.counter("penstock_cold_starts", "Requests that waited for a start.", name)
        self.gauge(
            "gateway_service_count",
            "Processes of the function.",
            lambda: [({"function_name": each.spec.name}, each.replicas) for each in functions],
        )
        self.gauge("penstock_inbox_pending", "Messages not delivered yet.", lambda: [({}, inbox.counts().pending)])
        self.gauge("penstock_inbox_dead", "Dead letters.", lambda: [({}, inbox.counts().dead)])

    def observe(self, invocation: Invocation) -> None:
        name = invocation.function
        self._invocations.labels(name, str(invocation.status)).inc()
        self._seconds.labels(name).observe(invocation.seconds)
        if invocation.cold:
            self._cold.labels(name).inc()
