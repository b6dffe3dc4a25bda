"""The bridge on Knative: a StatefulSet, since its inbox must outlive the pod, bound to the Broker by a SinkBinding."""

from typing import Final

from penstock.render.eventing import broker_reference
from penstock.render.manifest import (
    Document,
    container_security,
    document,
    labels,
    pod_security,
    secret_mount,
    secret_volume,
    tmp_mount,
    tmp_volume,
)

BRIDGE: Final = "penstock-bridge"
TOKEN_SECRET: Final = "bridge-token"  # noqa: S105 - the name of a Secret
DEAD_LETTER_PATH: Final = "/dead-letters"


def bridge_documents(image: str) -> list[Document]:
    """The bridge and what belongs to it, in the order in which it can be created."""
    own = labels(BRIDGE, "bridge")
    workload = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": BRIDGE}
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return [
        document("v1", "ServiceAccount", BRIDGE, labels=own, automountServiceAccountToken=False),
        document("v1", "Service", BRIDGE, labels=own, spec={"selector": own, "ports": ports}),
        document(
            "v1",
            "Service",
            f"{BRIDGE}-pods",
            labels=own,
            spec={"clusterIP": "None", "publishNotReadyAddresses": True, "selector": own, "ports": ports},
        ),
        document(
            "sources.knative.dev/v1",
            "SinkBinding",
            BRIDGE,
            labels=own,
            spec={"subject": workload, "sink": {"ref": broker_reference()}},
        ),
        document("apps/v1", "StatefulSet", BRIDGE, labels=own, spec=_stateful_set(image, own)),
        document(
            "policy/v1",
            "PodDisruptionBudget",
            BRIDGE,
            labels=own,
            spec={"maxUnavailable": 1, "selector": {"matchLabels": own}},
        ),
    ]


def dead_letter_sink() -> Document:
    """Where Knative sends what it has given up: the bridge keeps it on its disk, for `penstock dlq`."""
    return {"ref": {"apiVersion": "v1", "kind": "Service", "name": BRIDGE}, "uri": DEAD_LETTER_PATH}


def _stateful_set(image: str, own: dict[str, str]) -> Document:
    container = {
        "name": "bridge",
        "image": image,
        "args": ["bridge", "--inbox", "/data/inbox.db"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/_/ready", "port": "http"}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": "/_/health", "port": "http"}, "periodSeconds": 10},
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": container_security(),
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, tmp_mount(), secret_mount()],
    }
    pod = {
        "serviceAccountName": BRIDGE,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        # Longer than DRAIN_SECONDS, which is 25.
        "terminationGracePeriodSeconds": 40,
        "containers": [container],
        "volumes": [tmp_volume(), secret_volume([TOKEN_SECRET])],
    }
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
        "selector": {"matchLabels": own},
        "template": {"metadata": {"labels": own}, "spec": pod},
        "volumeClaimTemplates": [claim],
    }
