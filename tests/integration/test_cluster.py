"""Every manifest under deploy/ on a real Kubernetes API with the operators' definitions.

kwok plays the node, so pods are admitted, scheduled and reported, and no container runs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
import yaml

from tests.components.http import HttpError
from tests.functional.test_faas_cli import SPECS, function_resource
from tests.integration.operators import Cluster, kustomized
from tests.manifests import kustomizations
from tests.paths import ROOT

pytestmark = pytest.mark.crds


@pytest.mark.parametrize("folder", kustomizations(), ids=lambda folder: str(folder.relative_to(ROOT / "deploy")))
def test_a_real_api_takes_every_manifest(cluster: Cluster, folder: Path) -> None:
    cluster.apply(kustomized(cluster, folder))


def test_a_real_api_takes_the_functions_that_faas_cli_generates(cluster: Cluster) -> None:
    cluster.apply([function_resource(spec) for spec in SPECS])


@pytest.mark.parametrize("kind", ["Tenant", "KafkaSource", "Kafka", "ScaledObject", "CronJob"])
def test_a_field_that_does_not_exist_is_refused(cluster: Cluster, kind: str) -> None:
    folders = ("minio", "knative/base", "kafka/base", "openfaas/keda")
    documents = [each for folder in folders for each in kustomized(cluster, ROOT / "deploy" / folder)]
    document = copy.deepcopy(next(each for each in documents if each["kind"] == kind))
    document["spec"]["noSuchField"] = "x"
    text = yaml.safe_dump(document)
    with pytest.raises(AssertionError, match="noSuchField"):
        cluster.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", text=text)


def pods_of(document: dict[str, Any]) -> dict[str, Any] | None:
    """The pod that a manifest leads to, as the API's own type."""
    spec = document["spec"]
    template = spec["jobTemplate"]["spec"]["template"] if document["kind"] == "CronJob" else spec.get("template")
    if template is None:
        return None
    pod = copy.deepcopy(template)
    for name in ("containerConcurrency", "timeoutSeconds"):  # Knative's own
        pod["spec"].pop(name, None)
    for container in pod["spec"]["containers"]:
        for probe in ("readinessProbe", "livenessProbe"):
            if "httpGet" in container.get(probe, {}):
                container[probe]["httpGet"].setdefault("port", 8080)
    claims = [each["metadata"]["name"] for each in spec.get("volumeClaimTemplates", [])]
    pod["spec"].setdefault("volumes", []).extend({"name": name, "emptyDir": {}} for name in claims)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "test-", **pod["metadata"]}, **_spec(pod)}


def _spec(pod: dict[str, Any]) -> dict[str, Any]:
    return {"spec": pod["spec"]}


@pytest.fixture(scope="module")
def restricted(cluster: Cluster) -> str:
    """A namespace that admits restricted pods only, with every ServiceAccount that a manifest names."""
    cluster.namespace("restricted", "restricted")
    accounts = {
        document["metadata"]["name"]
        for folder in kustomizations()
        for document in kustomized(cluster, folder)
        if document["kind"] == "ServiceAccount"
    }
    metadata = [{"name": name, "namespace": "restricted"} for name in sorted(accounts)]
    cluster.apply([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": each} for each in metadata])
    return "restricted"


@pytest.mark.parametrize("folder", kustomizations(), ids=lambda folder: str(folder.relative_to(ROOT / "deploy")))
def test_pods_are_admitted_where_only_restricted_ones_are(cluster: Cluster, restricted: str, folder: Path) -> None:
    workloads = ("Deployment", "StatefulSet", "CronJob", "Service")
    for document in kustomized(cluster, folder):
        if document["kind"] in workloads and (pod := pods_of(document)) is not None:
            path = f"/api/v1/namespaces/{restricted}/pods?dryRun=All&fieldValidation=Strict"
            admitted = cluster.request("POST", path, pod)
            assert admitted["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_a_pod_that_may_be_root_is_refused_there(cluster: Cluster, restricted: str) -> None:
    [document] = [each for each in kustomized(cluster, ROOT / "deploy/knative/base") if each["kind"] == "CronJob"][:1]
    pod = pods_of(document)
    assert pod is not None
    del pod["spec"]["containers"][0]["securityContext"]
    with pytest.raises(HttpError, match="violates PodSecurity"):
        cluster.request("POST", f"/api/v1/namespaces/{restricted}/pods?dryRun=All", pod)


def test_reconcile_cron_job_makes_a_job_that_runs(cluster: Cluster) -> None:
    cluster.apply(kustomized(cluster, ROOT / "deploy/knative/overlays/minimal"))
    cluster.kubectl("create", "job", "--namespace=penstock", "--from=cronjob/index-reconcile", "by-hand")
    path = "/apis/batch/v1/namespaces/penstock/jobs/by-hand"

    def completed() -> bool:
        conditions = cluster.request("GET", path).get("status", {}).get("conditions", [])
        return any(each["type"] == "Complete" for each in conditions)

    cluster.server.wait_until(completed, "a completed reconcile job")


def test_every_workload_gets_the_pods_that_it_asks_for(cluster: Cluster) -> None:
    """Quotas, Pod Security or a ServiceAccount that is not there would show here, and only here."""
    for folder in (
        "openfaas/base",
        "mqtt/broker",
        "mqtt/connector",
        "search",
        "knative/overlays/production",
        "jobs",
        "knative/jobs",
    ):
        documents = kustomized(cluster, ROOT / "deploy" / folder)
        cluster.apply(documents)
        for document in documents:
            if document["kind"] in ("Deployment", "StatefulSet"):
                cluster.server.wait_until(_has_pods(cluster, document), f"pods of {document['metadata']['name']}")


def _has_pods(cluster: Cluster, document: dict[str, Any]) -> Callable[[], bool]:
    namespace = document["metadata"]["namespace"]
    labels = document["spec"]["selector"]["matchLabels"]
    selector = quote_plus(",".join(f"{name}={value}" for name, value in labels.items()))
    # A StatefulSet starts its next pod when the one before is ready, which needs a disk that nobody provides here.
    parallel = document["kind"] == "Deployment" or document["spec"].get("podManagementPolicy") == "Parallel"
    wanted = document["spec"]["replicas"] if parallel else 1

    def check() -> bool:
        return (
            len(cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")["items"])
            >= wanted
        )

    return check
