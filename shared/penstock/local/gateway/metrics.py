"""What the gateway's /metrics says, under the names of OpenFaaS's gateway."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from penstock.delivery.inbox import Inbox
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.invocations import Invocation

_BUCKETS_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class GatewayMetrics:
    """Counts invocations; replicas and the inbox are read at each scrape."""

    def __init__(self, functions: LocalFunctions, inbox: Inbox) -> None:
        self._functions, self._inbox = functions, inbox
        self._registry = CollectorRegistry()
        self._invocations = Counter(
            "gateway_function_invocation",
            "Invocations by the status they ended with.",
            ("function_name", "code"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "gateway_functions_seconds",
            "Time until the answer was through.",
            ("function_name",),
            buckets=_BUCKETS_SECONDS,
            registry=self._registry,
        )
        self._cold = Counter(
            "penstock_cold_starts", "Requests that waited for a start.", ("function_name",), registry=self._registry
        )
        self._replicas = Gauge(
            "gateway_service_count", "Processes of the function.", ("function_name",), registry=self._registry
        )
        self._pending = Gauge("penstock_inbox_pending", "Messages not delivered yet.", registry=self._registry)
        self._dead = Gauge("penstock_inbox_dead", "Dead letters.", registry=self._registry)

    def observe(self, invocation: Invocation) -> None:
        name = invocation.function
        self._invocations.labels(name, str(invocation.status)).inc()
        self._seconds.labels(name).observe(invocation.seconds)
        if invocation.cold:
            self._cold.labels(name).inc()

    def render(self) -> tuple[bytes, str]:
        """The text that Prometheus scrapes, and its content type."""
        self._replicas.clear()
        for function in self._functions:
            self._replicas.labels(function.spec.name).set(function.replicas)
        counts = self._inbox.counts()
        self._pending.set(counts.pending)
        self._dead.set(counts.dead)
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
