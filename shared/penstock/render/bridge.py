"""The bridge: a StatefulSet, since its inbox must outlive the pod; on Knative a SinkBinding says where it sends."""

from collections.abc import Sequence
from typing import Final

from penstock.jobs.pod import Document, container_security
from penstock.render.eventing import broker_reference
from penstock.render.manifest import (
    APPLIED_FIRST,
    delivery_probes,
    document,
    labels,
    resources,
    secret_mount,
    secret_volume,
    serving_pod,
    tmp_mount,
    tmp_volume,
)
from penstock.settings.connector_table import (
    BRIDGE_TOKEN,
    CONSOLE_TOKEN,
    DEAD_LETTER_TOKEN,
    DELIVERY_DRAIN_SECONDS,
    OUTCOME_HMAC_KEY,
    OUTCOME_URLS,
)
from penstock.settings.setting import secret_file
from penstock.settings.stackfile import Resources
from penstock.settings.table import FUNCTION_HMAC_KEY, FUNCTION_TOKEN

BRIDGE: Final = "penstock-bridge"
TOKEN_SECRET: Final = secret_file(BRIDGE_TOKEN.name)
# What functions want to see of their callers, what the path for dead letters ends in, what a console shows, and where
# outcomes are told.
_OPTIONAL_SECRETS: Final = tuple(
    secret_file(each.name)
    for each in (
        FUNCTION_TOKEN,
        FUNCTION_HMAC_KEY,
        DEAD_LETTER_TOKEN,
        CONSOLE_TOKEN,
        OUTCOME_URLS,
        OUTCOME_HMAC_KEY,
    )
)
DEAD_LETTER_PATH: Final = "/dead-letters"
_OWN: Final = labels(BRIDGE, "bridge")


def bridge_documents(image: str, outcomes: Sequence[str] = ()) -> list[Document]:
    """The bridge with the Broker as its sink, in the order in which it can be created; `outcomes` are OUTCOME_URLS."""
    workload = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": BRIDGE}
    spec = {"subject": workload, "sink": {"ref": broker_reference()}}
    first = {**_OWN, **APPLIED_FIRST}
    binding = document("sources.knative.dev/v1", "SinkBinding", BRIDGE, labels=first, spec=spec)
    made = bridge_workload(image, [], outcomes)
    for each in made:
        if (each["kind"], each["metadata"]["name"]) == ("Service", BRIDGE):  # where the Broker's dead letters go
            each["metadata"]["labels"] = first
    # Before the StatefulSet, so that its first pod already knows the sink.
    return [binding, *made]


def bridge_workload(image: str, arguments: Sequence[str], outcomes: Sequence[str] = ()) -> list[Document]:
    """The bridge itself: a StatefulSet and what belongs to it; `arguments` say where it delivers.

    `outcomes` are OUTCOME_URLS. Without any, a Secret of the name outcome-urls may hold them.
    """
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    headless = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": _OWN, "ports": ports}
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": _OWN}}
    return [
        document("v1", "ServiceAccount", BRIDGE, labels=_OWN, automountServiceAccountToken=False),
        document("v1", "Service", BRIDGE, labels=_OWN, spec={"selector": _OWN, "ports": ports}),
        document("v1", "Service", f"{BRIDGE}-pods", labels=_OWN, spec=headless),
        document("apps/v1", "StatefulSet", BRIDGE, labels=_OWN, spec=_stateful_set(image, arguments, outcomes)),
        document("policy/v1", "PodDisruptionBudget", BRIDGE, labels=_OWN, spec=budget),
    ]


def dead_letter_sink() -> Document:
    """Where Knative sends undeliverable events: the bridge keeps them on its disk, for `penstock dlq`."""
    return {"ref": {"apiVersion": "v1", "kind": "Service", "name": BRIDGE}, "uri": DEAD_LETTER_PATH}


def _stateful_set(image: str, arguments: Sequence[str], outcomes: Sequence[str]) -> Document:
    environment = {"env": [{"name": OUTCOME_URLS.name, "value": " ".join(outcomes)}]} if outcomes else {}
    container = {
        "name": "bridge",
        "image": image,
        "args": ["bridge", "--inbox=/data/inbox.db", *arguments],
        **environment,
        **delivery_probes(),
        "resources": resources(Resources(memory="256Mi"), Resources(cpu="50m", memory="96Mi")),
        "securityContext": container_security(),
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, tmp_mount(), secret_mount()],
    }
    volumes = [tmp_volume(), secret_volume([TOKEN_SECRET], optional=_OPTIONAL_SECRETS)]
    pod = serving_pod(BRIDGE, container, volumes, drain_seconds=int(DELIVERY_DRAIN_SECONDS.default))
    claim = document(
        "v1",
        "PersistentVolumeClaim",
        "data",
        spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    )
    return {
        "serviceName": f"{BRIDGE}-pods",
        "replicas": 1,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": _OWN},
        "template": {"metadata": {"labels": _OWN}, "spec": pod},
        "volumeClaimTemplates": [claim],
    }
