"""Large objects become Jobs of the cluster: real pods with a log, a dead letter for what fails, and the same target."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
import yaml
from PIL import Image

from tests.cluster.lake import NAMESPACE, REGISTRY, TAG, ClusterLake, image

LIMIT_BYTES = 300_000
_SHIPPED_REGISTRY = "registry.example.com"
BROKER = f"http://broker-ingress.knative-eventing.svc.cluster.local/{NAMESPACE}/penstock"


@pytest.fixture(scope="module")
def jobs(lake: ClusterLake) -> ClusterLake:
    """The lake with deploy/knative/jobs, and a resize that hands larger objects over (docs/jobs.md)."""
    for name in ("kustomization.yaml", "allowed.yaml"):
        file = lake.folder / "deploy" / "jobs" / "functions" / name
        text = file.read_text(encoding="utf-8")
        assert _SHIPPED_REGISTRY in text
        file.write_text(text.replace(_SHIPPED_REGISTRY, REGISTRY).replace("0.1.0", TAG), encoding="utf-8")
    stack = yaml.safe_load((lake.folder / "stack.yml").read_text(encoding="utf-8"))
    stack["functions"]["resize"]["environment"] |= {
        "OFFLOAD_ABOVE_BYTES": str(LIMIT_BYTES),
        "JOB_IMAGE": image("resize"),
        "JOB_ANSWER_TO": BROKER,
    }
    (lake.folder / "stack.yml").write_text(yaml.safe_dump(stack, sort_keys=False), encoding="utf-8")
    newest = ("-n", NAMESPACE, "get", "ksvc", "resize", "-o", "jsonpath={.status.latestReadyRevisionName}")
    before = lake.kubectl(*newest)
    lake.run(
        """
kubectl apply -k deploy/knative/jobs
kubectl -n penstock rollout status deployment/penstock-jobs-watcher --timeout=300s
penstock render knative
kubectl apply -k deploy/knative/overlays/$OVERLAY
"""
    )
    lake.wait_until(lambda: lake.kubectl(*newest) not in ("", before), "the new revision of resize is ready", 180)
    return lake


def command(lake: ClusterLake, *words: str) -> str:
    """`penstock jobs ...`, as a person calls it who has a kubeconfig."""
    environment = {**os.environ, "KUBECONFIG": str(lake.server.endpoint.kubeconfig)}
    argv = [sys.executable, "-m", "penstock.cli", "jobs", *words, "--namespace", NAMESPACE]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ended(lake: ClusterLake, state: str) -> list[str]:
    """The names of the Jobs in a state, as `penstock jobs list` prints them."""
    lines = command(lake, "list", "--state", state).splitlines()[1:]
    return [line.split()[0] for line in lines if line.strip()]


def test_large_object_is_a_job_with_the_same_result(jobs: ClusterLake) -> None:
    noise = Image.frombytes("RGB", (1200, 800), os.urandom(1200 * 800 * 3))
    file = io.BytesIO()
    noise.save(file, "JPEG", quality=90)
    assert len(file.getvalue()) > LIMIT_BYTES
    jobs.put("images", "large/noise.jpg", file.getvalue())
    jobs.wait_until(lambda: jobs.has("processed", "large/noise.jpg"), "the Job has written the target", 180)
    with Image.open(io.BytesIO(jobs.get("processed", "large/noise.jpg"))) as picture:
        assert picture.width == 400
    jobs.wait_until(lambda: len(ended(jobs, "succeeded")) == 1, "the Job has succeeded")
    [name] = ended(jobs, "succeeded")
    [pod] = json.loads(jobs.kubectl("-n", NAMESPACE, "get", "pods", "-l", f"job-name={name}", "-o", "json"))["items"]
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_job_that_fails_leaves_its_log_and_a_dead_letter(jobs: ClusterLake) -> None:
    key = "large/broken.jpg"
    jobs.put("images", key, os.urandom(LIMIT_BYTES + 1))
    jobs.wait_until(lambda: len(ended(jobs, "failed")) == 1, "the Job has failed", 180)
    [name] = ended(jobs, "failed")
    log = command(jobs, "logs", name)
    assert key in log
    assert "expected" in log or "not a picture" in log, log
    listed = (
        "-n",
        NAMESPACE,
        "exec",
        "penstock-bridge-0",
        "--",
        "penstock",
        "dlq",
        "list",
        "--inbox",
        "/data/inbox.db",
    )
    jobs.wait_until(lambda: key in jobs.kubectl(*listed), "its dead letter is in the bridge")
    assert not jobs.has("processed", key)
