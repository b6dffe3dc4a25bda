"""How many pods a function has on plain Kubernetes: KEDA's ScaledObject, on the lag of its topics and on the bridge.

https://keda.sh/docs/2.21/reference/scaledobject-spec/ has the fields; `kafka` and `metrics-api` are its scalers.
"""

from dataclasses import dataclass
from typing import Final

from penstock.jobs.pod import Document
from penstock.process import metric_table
from penstock.render.bridge import BRIDGE
from penstock.render.manifest import document, labels
from penstock.render.plan import FunctionPlan
from penstock.settings.durations import parse_duration

# The connector's consumer group, whose lag KEDA reads.
GROUP: Final = "penstock"
KEDA_LOGIN: Final = "kafka"
# In its keys: username, password, ca.crt.
KEDA_SECRET: Final = "keda-kafka"  # noqa: S105 - its name
# How often KEDA looks. It is most of the time from an event to the start of the first pod.
POLLING_SECONDS: Final = 5
# How many times what a pod works on at once may wait for each pod: the work of seconds, so that a short burst does not
# start every pod that is allowed.
_ROUNDS: Final = 10


@dataclass(frozen=True, slots=True)
class Lag:
    """Where KEDA reads the lag: `kafka` is HOST:PORT, and with `login` it uses TLS and a user."""

    kafka: str
    login: bool


def kafka_login() -> Document:
    """How KEDA logs in to Kafka: as a user who may look at the lag and reads no record."""
    references = [
        {"parameter": parameter, "name": KEDA_SECRET, "key": key}
        for parameter, key in (("username", "username"), ("password", "password"), ("ca", "ca.crt"))
    ]
    spec = {"secretTargetRef": references}
    return document(
        "keda.sh/v1alpha1", "TriggerAuthentication", KEDA_LOGIN, labels=labels("kafka", "scaling"), spec=spec
    )


def scaled_object(plan: FunctionPlan, lag: Lag, bridge: str) -> Document:
    """From 0 or its minimum to its maximum; `bridge` is the URL of the bridge, which says what waits, "" for none."""
    waiting = str(plan.target * _ROUNDS)
    pending = {
        "url": f"{bridge}/metrics",
        "format": "prometheus",
        "valueLocation": f'{metric_table.INBOX_TARGET_PENDING.name}{{target="{plan.name}"}}',
        "targetValue": waiting,
    }
    spec: Document = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": plan.name},
        "pollingInterval": POLLING_SECONDS,
        **({"cooldownPeriod": int(parse_duration(plan.idle))} if plan.idle else {}),
        "minReplicaCount": plan.min_scale,
        "maxReplicaCount": plan.max_scale,
        "triggers": [
            *(_lag_of(topic, waiting, lag) for topic in plan.topics),
            *([{"type": "metrics-api", "name": BRIDGE, "metadata": pending}] if bridge else []),
        ],
    }
    return document("keda.sh/v1alpha1", "ScaledObject", plan.name, labels=labels(plan.name, "scaling"), spec=spec)


def _lag_of(topic: str, waiting: str, lag: Lag) -> Document:
    metadata = {
        "bootstrapServers": lag.kafka,
        "consumerGroup": GROUP,
        "topic": topic,
        "lagThreshold": waiting,
        # As the connector begins; without a committed offset KEDA would otherwise see a lag of 1 for ever.
        "offsetResetPolicy": "earliest",
        # The pods are no consumers of the group, so the number of partitions does not bound them.
        "allowIdleConsumers": "true",
        **({"sasl": "scram_sha512", "tls": "enable"} if lag.login else {}),
    }
    login = {"authenticationRef": {"name": KEDA_LOGIN}} if lag.login else {}
    return {"type": "kafka", "metadata": metadata, **login}
