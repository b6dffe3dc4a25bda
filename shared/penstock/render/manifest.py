"""What manifests are made of: metadata, secrets as files, YAML."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from penstock.jobs.pod import Document, pod_security
from penstock.settings.stackfile import Resources
from penstock.settings.table import PORT, SECRETS_DIR

PART_OF: Final = "app.kubernetes.io/part-of"
NAME: Final = "app.kubernetes.io/name"
COMPONENT: Final = "app.kubernetes.io/component"
# Spooled bodies and scratch tables; a pod that writes more is evicted instead of filling its node.
TMP_LIMIT: Final = "2Gi"
# What a pod may need beyond the time for requests under way, before it is killed.
_SPARE_SECONDS: Final = 15
# /tmp, the log that the node keeps, and what little else a container writes.
DISK: Final = {"requests": "64Mi", "limits": "3Gi"}


def document(api_version: str, kind: str, name: str, **members: Any) -> Document:
    """A manifest; `labels` and `annotations` go into its metadata, the rest stands beside it."""
    metadata: Document = {"name": name}
    for key in ("namespace", "labels", "annotations"):
        if found := members.pop(key, None):
            metadata[key] = found
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **members}


def labels(name: str, component: str) -> dict[str, str]:
    """Of the labels that Kubernetes recommends, those that a selector here uses."""
    return {NAME: name, COMPONENT: component, PART_OF: "penstock"}


# What is applied before the rest (docs/deploying-knative.md): the Broker is ready only when the Service for its dead
# letters exists, and the bridge's first pod knows where to send only when the Broker is ready.
APPLIED_FIRST: Final = {"penstock.dev/apply": "first"}


def namespace_document(name: str) -> Document:
    """A namespace that admits pods of the level `restricted` only."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return document("v1", "Namespace", name, labels={PART_OF: "penstock", **levels})


def kustomization(namespace: str, files: Iterable[str]) -> Document:
    """What `kubectl apply -k` reads first: the files of a base, and the namespace of all of it."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        "resources": list(files),
    }


def serving_pod(
    account: str,
    container: Document,
    volumes: list[Document],
    *,
    drain_seconds: int,
    needs_token: bool = False,
    **members: Any,
) -> Document:
    """The pod of a Deployment or StatefulSet; `drain_seconds` is what requests under way may take when it ends.

    `needs_token` mounts the account's token for the Kubernetes API; `members` are further fields of the pod.
    """
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": needs_token,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "terminationGracePeriodSeconds": drain_seconds + _SPARE_SECONDS,
        **members,
        "containers": [container],
        "volumes": volumes,
    }


def delivery_probes() -> Document:
    """The port and the probes of a container that delivers events: bridge and connector."""
    return {
        "ports": [{"name": "http", "containerPort": PORT.default}],
        "readinessProbe": {"httpGet": {"path": "/_/ready", "port": "http"}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": "/_/health", "port": "http"}, "periodSeconds": 10},
    }


def environment(settings: Mapping[str, str]) -> list[Document]:
    """Settings as a container's environment, in the order in which they were written."""
    return [{"name": name, "value": value} for name, value in settings.items()]


def resources(limits: Resources | None, requests: Resources | None) -> Document:
    """Kubernetes' form of the stack file's limits and requests; the disk of the node is bounded, too."""
    made: Document = {}
    for name, given in (("requests", requests), ("limits", limits)):
        values = {key: value for key in ("cpu", "memory") if given and (value := getattr(given, key))}
        made[name] = {**values, "ephemeral-storage": DISK[name]}
    return made


def secret_volume(names: Iterable[str], optional: Iterable[str] = ()) -> Document:
    """One volume with a file per secret, as OpenFaaS mounts them; each Secret has one key of its own name.

    A pod starts without the secrets of `optional`.
    """
    sources: list[Document] = [{"secret": {"name": name, "items": [{"key": name, "path": name}]}} for name in names]
    for name in optional:
        sources.append({"secret": {"name": name, "optional": True, "items": [{"key": name, "path": name}]}})
    return {"name": "secrets", "projected": {"sources": sources}}


def secret_mount() -> Document:
    return {"name": "secrets", "mountPath": SECRETS_DIR.default, "readOnly": True}


def tmp_volume() -> Document:
    return {"name": "tmp", "emptyDir": {"sizeLimit": TMP_LIMIT}}


def tmp_mount() -> Document:
    return {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - the path in the container


def dump(documents: Iterable[Document], header: str) -> str:
    """YAML with a comment on top; the same documents always give the same text."""
    texts = [yaml.dump(each, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True) for each in documents]
    return f"# {header}\n" + "---\n".join(texts)


class _Dumper(yaml.SafeDumper):
    """Lists indented below their key, no anchors, text that YAML 1.1 might take for something else in quotes."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def represent_text(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_text)
