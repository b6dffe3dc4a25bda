"""The lake on plain Kubernetes with KEDA, as docs/deploying-kubernetes.md deploys it, beside that of Knative.

It has a namespace, a MinIO and a Kafka of its own, and needs no Knative.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.keda import start_keda, stop_keda
from tests.cluster.lake import NAMESPACE, ClusterLake
from tests.cluster.pages import IN_PLAIN, block_with, commands
from tests.cluster.shipped_kafka import NAMESPACE as KAFKA_NAMESPACE
from tests.cluster.shipped_kafka import start_shipped_kafka
from tests.components.cluster import ClusterServer
from tests.components.cluster.archives import image_name
from tests.components.install import HERE
from tests.components.kafka import KafkaEndpoint
from tests.components.process import LOOPBACK

PLAIN_PAGE = "deploying-kubernetes.md"
_STORE, _STORE_ADDRESS = "plain", "10.96.0.21"
_SQLITE = "sqlite:///data/index.db"  # as ClusterLake.write_sources has it


class PlainLake(ClusterLake):
    """What the page makes; `kafka` is the administrator's way to the broker."""

    page, runner, namespace = PLAIN_PAGE, IN_PLAIN, "plain"
    shown = "pods,scaledobjects,jobs"
    store_service = f"{_STORE_ADDRESS}:80"
    claims: Mapping[str, str] = {"plain-bridge": "data-penstock-bridge-0", "plain-index": "index-data"}
    kafka: KafkaEndpoint

    def __init__(self, server: ClusterServer, folder: Path) -> None:
        super().__init__(server, folder)
        self.settings = {**self.settings, "MINIO_ENDPOINT": f"http://{_STORE}.minio.svc.cluster.local"}

    @property
    def changes(self) -> Mapping[str, str]:
        """The namespace, the port of this run, and a folder that this MinIO may write to."""
        return {
            f"--namespace={NAMESPACE} ": f"--namespace={self.namespace} ",
            "penstock render kubernetes": f"penstock render kubernetes --namespace {self.namespace}",
            f"{LOOPBACK}:9000": f"{LOOPBACK}:{self.store_port}",
            "/export/": "/data/.",
        }

    def deploy(self) -> None:
        """Everything, in the order of the pages."""
        self.write_sources()
        self.import_images()
        if not self.server.has_image(image_name("minio")):
            self.server.import_programs({"minio": self.server.programs.minio})
        self.lap("images")
        start_keda(self.server)
        self.lap("KEDA")
        self.kafka = start_shipped_kafka(self.server, self.folder)
        self.lap("Kafka")
        self.start_store()
        self.make_buckets()
        self.make_volumes()
        self.deploy_functions()
        self.declare_notifications(block_with(self.page, "penstock lake apply"))
        self.deploy_overlay()

    def start_store(self) -> None:
        """MinIO as in manifests/minio.yaml, which trusts the authority of Kafka by the Secret of docs/deploying.md."""
        page = block_with("deploying.md", "create secret generic kafka-ca")
        [namespace, deployment, service] = yaml.safe_load_all(
            (HERE / "cluster" / "manifests" / "minio.yaml").read_text(encoding="utf-8")
        )
        self.server.apply_documents([namespace])
        self.run(next(line for line in commands(page) if "create secret generic kafka-ca" in line))
        labels = {"app": _STORE}
        for each in (deployment, service):
            each["metadata"] = {"name": _STORE, "namespace": "minio"}
        deployment["spec"]["selector"] = {"matchLabels": labels}
        deployment["spec"]["template"]["metadata"] = {"labels": labels}
        pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
        [container] = pod["containers"]
        container["resources"] = {"requests": {"cpu": "100m", "memory": "128Mi"}}
        container["args"].append("--certs-dir=/certs")
        container["volumeMounts"].append({"name": "authorities", "mountPath": "/certs/CAs"})
        pod["volumes"].append({"name": "authorities", "secret": {"secretName": "kafka-ca"}})
        service["spec"] |= {"clusterIP": _STORE_ADDRESS, "selector": labels}
        self.server.apply_documents([deployment, service])
        self.kubectl("-n", "minio", "rollout", "status", f"deployment/{_STORE}", "--timeout=300s")
        self.server.relay(self.store_port, self.store_service)
        self.lap("MinIO")

    def deploy_functions(self) -> None:
        """The block of the page; the index is in a file here, so no authority of a search server is used."""
        (self.folder / "search-ca.crt").write_bytes((self.folder / "kafka-ca.crt").read_bytes())
        self.settings = {**self.settings, "INDEX_PASSWORD": "index-secret"}
        self.run(self.here(block_with(self.page, "penstock render kubernetes")))
        self.lap("functions and ScaledObjects ready")

    def deploy_overlay(self) -> None:
        """The block of the page, with this lake's values between its copy and its look at it."""
        before = self.templates()
        [export, copy, *rest] = commands(self.here(block_with(self.page, "cp -r deploy/kubernetes/overlays/example")))
        self.run(f"{export}\n{copy}")
        file = self.folder / "deploy" / "kubernetes" / "overlays" / self.settings["OVERLAY"] / "values.yaml"
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        values["data"] |= {"MINIO_ENDPOINT": self.settings["MINIO_ENDPOINT"], "INDEX_SINK": _SQLITE}
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        self.run("\n".join(rest))
        assert self.templates() == before, "the overlay with the values of the base changes pods"
        self.lap("overlay")

    def templates(self) -> dict[str, Any]:
        """The pods that each workload makes."""
        told = self.kubectl("-n", self.namespace, "get", "deployments,statefulsets", "-o", "json")
        return {each["metadata"]["name"]: each["spec"]["template"] for each in json.loads(told)["items"]}

    def secret(self, name: str) -> str:
        """What the page wrote into the Secret with one key of the same name."""
        told = json.loads(self.kubectl("-n", self.namespace, "get", "secret", name, "-o", "json"))
        return base64.b64decode(told["data"][name]).decode()

    def remove(self) -> None:
        """All but the volumes; KEDA must still be there to let go of its ScaledObjects."""
        self.kubectl("-n", self.namespace, "delete", "scaledobjects", "--all", "--timeout=120s")
        stop_keda(self.server)
        self.kubectl("-n", "minio", "delete", f"deployment/{_STORE}", f"service/{_STORE}", "--wait=false")
        self.kubectl("delete", "namespace", self.namespace, KAFKA_NAMESPACE, "--wait=false")
