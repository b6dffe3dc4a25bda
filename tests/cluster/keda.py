"""KEDA's operator and metrics server as pods of the namespace `keda`, from the programs that tests/keda runs too."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from tests.components.certificates import make_certificates
from tests.components.cluster import ClusterServer
from tests.components.cluster.archives import image_name
from tests.components.crds import GO_CRDS
from tests.components.keda import KEDA
from tests.manifests import definitions

NAMESPACE = "keda"
_OPERATOR, _ADAPTER = "keda-operator", "keda-adapter"
_METRICS = "v1beta1.external.metrics.k8s.io"
_GRPC_PORT, _METRICS_PORT = 9666, 6443
_CERTIFICATES = "/certs"


def start_keda(server: ClusterServer) -> None:
    """What KEDA's chart installs, but for its webhook; returns when the API server takes metrics from it."""
    [source] = [each for each in GO_CRDS if each.name == "keda"]
    server.apply_documents(list(definitions(source.install())))
    programs = KEDA.install()
    server.import_programs({name: programs / name for name in (_OPERATOR, _ADAPTER)})
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")
    server.apply_documents(list(_documents(server)))
    server.kubectl("-n", NAMESPACE, "wait", "deployment", "--all", "--for=condition=Available", "--timeout=300s")
    server.kubectl("wait", "apiservice", _METRICS, "--for=condition=Available", "--timeout=120s")


def stop_keda(server: ClusterServer) -> None:
    """Take it away, first what the API server would go on to ask."""
    server.kubectl("delete", "apiservice", _METRICS)
    server.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _documents(server: ClusterServer) -> Iterator[dict[str, Any]]:
    names = [f"{name}.{NAMESPACE}.svc{end}" for name in (_OPERATOR, _ADAPTER) for end in ("", ".cluster.local")]
    made = make_certificates(server.folder / "keda", names=names)
    files = {"ca.crt": made.ca_file, "tls.crt": made.cert_file, "tls.key": made.key_file}
    encoded = {name: base64.b64encode(file.read_bytes()).decode() for name, file in files.items()}
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    yield _named("v1", "ServiceAccount", NAMESPACE)
    yield _named("v1", "Secret", "certificates", data=encoded)
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": NAMESPACE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": NAMESPACE, "namespace": NAMESPACE}],
    }
    operator = (
        f"--metrics-service-bind-address=:{_GRPC_PORT}",
        "--health-probe-bind-address=:8081",
        f"--cert-dir={_CERTIFICATES}",
    )
    yield from _program(_OPERATOR, operator, _GRPC_PORT, {"path": "/readyz", "port": 8081})
    adapter = (
        f"--metrics-service-address={_OPERATOR}.{NAMESPACE}.svc.cluster.local:{_GRPC_PORT}",
        f"--secure-port={_METRICS_PORT}",
        f"--cert-dir={_CERTIFICATES}",
        f"--tls-cert-file={_CERTIFICATES}/tls.crt",
        f"--tls-private-key-file={_CERTIFICATES}/tls.key",
    )
    yield from _program(_ADAPTER, adapter, _METRICS_PORT, {"path": "/readyz", "port": _METRICS_PORT, "scheme": "HTTPS"})
    yield {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": _METRICS},
        "spec": {
            "service": {"name": _ADAPTER, "namespace": NAMESPACE, "port": _METRICS_PORT},
            "group": "external.metrics.k8s.io",
            "version": "v1beta1",
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }


def _program(name: str, arguments: tuple[str, ...], port: int, ready: dict[str, Any]) -> Iterator[dict[str, Any]]:
    labels = {"app": name}
    environment = {
        "POD_NAMESPACE": NAMESPACE,
        "KEDA_CLUSTER_OBJECT_NAMESPACE": NAMESPACE,
        "WATCH_NAMESPACE": "",
    }
    container = {
        "name": name,
        "image": image_name(name),
        "args": list(arguments),
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "readinessProbe": {"httpGet": ready, "periodSeconds": 1},
        "volumeMounts": [{"name": "certificates", "mountPath": _CERTIFICATES}],
    }
    pod = {
        "serviceAccountName": NAMESPACE,
        "containers": [container],
        "volumes": [{"name": "certificates", "secret": {"secretName": "certificates"}}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    yield _named("apps/v1", "Deployment", name, spec={"selector": {"matchLabels": labels}, "template": template})
    yield _named("v1", "Service", name, spec={"selector": labels, "ports": [{"name": "main", "port": port}]})


def _named(version: str, kind: str, name: str, **members: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **members}
