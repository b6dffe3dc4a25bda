"""The Kafka connector beside functions on plain Kubernetes: it delivers, and retries while a function wakes."""

from collections.abc import Sequence
from typing import Final

from penstock.jobs.pod import Document, container_security
from penstock.render.deployment import function_url
from penstock.render.keda import GROUP
from penstock.render.manifest import (
    delivery_probes,
    document,
    environment,
    labels,
    resources,
    secret_mount,
    secret_volume,
    serving_pod,
    tmp_mount,
    tmp_volume,
)
from penstock.render.plan import FunctionPlan
from penstock.settings.connector_table import ATTEMPTS, DELIVERY_DRAIN_SECONDS, MAX_WAIT_SECONDS, TIMEOUT_SECONDS
from penstock.settings.setting import secret_file
from penstock.settings.stackfile import Resources
from penstock.settings.table import FUNCTION_HMAC_KEY, FUNCTION_TOKEN, SECRETS_DIR

CONNECTOR: Final = "kafka-connector"
_SECRETS: Final = ("kafka-password", "kafka-ca.crt")
_OPTIONAL_SECRETS: Final = tuple(map(secret_file, (FUNCTION_TOKEN.name, FUNCTION_HMAC_KEY.name)))
_OWN: Final = labels(CONNECTOR, "connector")
# A function at 0 has no pod that could answer 503, so its callers are refused until KEDA has started one, its image is
# there and perhaps a node for it. The waits are short, so that it gets its first event soon, and there are enough of
# them for ten minutes: half of five seconds each, because the wait is drawn at random.
_MAX_WAIT_SECONDS: Final = 5
_ATTEMPTS: Final = 240
# Before it listens, a connector waits for a broker for half a minute (BROKER_SECONDS in connect/kafka/connector.py) and
# ends with the reason. Without this probe the kubelet ends it before that, and the reason is never said.
_STARTING: Final = {"periodSeconds": 5, "failureThreshold": 18}


def waking_settings(plans: Sequence[FunctionPlan]) -> dict[str, str]:
    """How a connector or the bridge delivers to functions that may be asleep, as its environment."""
    return {
        ATTEMPTS.name: str(_ATTEMPTS),
        MAX_WAIT_SECONDS.name: str(_MAX_WAIT_SECONDS),
        TIMEOUT_SECONDS.name: str(max(int(TIMEOUT_SECONDS.default), *(plan.timeout_seconds for plan in plans))),
    }


def connector_documents(
    plans: Sequence[FunctionPlan], namespace: str, image: str, kafka: str, secret: str
) -> list[Document]:
    """The connector for every topic that a function wants, in the order in which it can be created.

    `secret` names the Secret with `kafka-password` and `kafka-ca.crt`, "" for a listener without TLS and users.
    """
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": _OWN}}
    return [
        document("v1", "ServiceAccount", CONNECTOR, labels=_OWN, automountServiceAccountToken=False),
        document(
            "apps/v1", "Deployment", CONNECTOR, labels=_OWN, spec=_deployment(plans, namespace, image, kafka, secret)
        ),
        document("policy/v1", "PodDisruptionBudget", CONNECTOR, labels=_OWN, spec=budget),
    ]


def _deployment(plans: Sequence[FunctionPlan], namespace: str, image: str, kafka: str, secret: str) -> Document:
    to = [f"--to={topic}={plan.name}={function_url(plan, namespace)}" for plan in plans for topic in plan.topics]
    login = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME": "connector",
        "KAFKA_SASL_PASSWORD_FILE": f"{SECRETS_DIR.default}/kafka-password",
        "KAFKA_SSL_CA_LOCATION": f"{SECRETS_DIR.default}/kafka-ca.crt",
    }
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        **(login if secret else {}),
        "KAFKA_GROUP_ID": GROUP,
        **waking_settings(plans),
    }
    probes = delivery_probes()
    container = {
        "name": "connector",
        "image": image,
        "args": ["connect", "kafka", "--dead-letter-topic=dead-letters", *to],
        "env": environment(settings),
        **probes,
        "startupProbe": {**probes["livenessProbe"], **_STARTING},
        "resources": resources(Resources(memory="384Mi"), Resources(cpu="100m", memory="96Mi")),
        "securityContext": container_security(),
        "volumeMounts": [tmp_mount(), secret_mount()],
    }
    secrets = secret_volume((), optional=_OPTIONAL_SECRETS)
    if secret:
        items = [{"key": name, "path": name} for name in _SECRETS]
        secrets["projected"]["sources"].insert(0, {"secret": {"name": secret, "items": items}})
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": _OWN},
    }
    pod = serving_pod(
        CONNECTOR,
        container,
        [tmp_volume(), secrets],
        drain_seconds=int(DELIVERY_DRAIN_SECONDS.default),
        topologySpreadConstraints=[spread],
    )
    return {
        # Two, so that a node may go.
        "replicas": 2,
        "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": _OWN},
        "template": {"metadata": {"labels": _OWN}, "spec": pod},
    }
