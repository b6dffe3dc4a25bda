"""Large objects become Jobs of the cluster: real pods with a log, a dead letter for what fails, and the same target."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from tests.cluster.lake import NAMESPACE, ClusterLake
from tests.cluster.large import LIMIT_BYTES, large_picture


@pytest.fixture
def jobs(lake_with_jobs: ClusterLake) -> ClusterLake:
    return lake_with_jobs


def command(lake: ClusterLake, *words: str) -> str:
    """`penstock jobs ...`, as a person calls it who has a kubeconfig."""
    environment = {**os.environ, "KUBECONFIG": str(lake.server.endpoint.kubeconfig)}
    argv = [sys.executable, "-m", "penstock.cli", "jobs", *words, "--namespace", NAMESPACE]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ended(lake: ClusterLake, state: str) -> set[str]:
    """The names of the Jobs in a state, as `penstock jobs list` prints them."""
    lines = command(lake, "list", "--state", state).splitlines()[1:]
    return {line.split()[0] for line in lines if line.strip()}


def test_large_object_is_a_job_with_the_same_result(jobs: ClusterLake) -> None:
    before = ended(jobs, "succeeded")
    jobs.put("images", "large/noise.jpg", large_picture())
    jobs.wait_until(lambda: jobs.has("processed", "large/noise.jpg"), "the Job has written the target", 180)
    with Image.open(io.BytesIO(jobs.get("processed", "large/noise.jpg"))) as picture:
        assert picture.width == 400
    jobs.wait_until(lambda: len(ended(jobs, "succeeded") - before) == 1, "the Job has succeeded")
    [name] = ended(jobs, "succeeded") - before
    [pod] = json.loads(jobs.kubectl("-n", NAMESPACE, "get", "pods", "-l", f"job-name={name}", "-o", "json"))["items"]
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_job_that_fails_leaves_its_log_and_a_dead_letter(jobs: ClusterLake) -> None:
    key, before = "large/broken.jpg", ended(jobs, "failed")
    jobs.put("images", key, os.urandom(LIMIT_BYTES + 1))
    jobs.wait_until(lambda: len(ended(jobs, "failed") - before) == 1, "the Job has failed", 180)
    [name] = ended(jobs, "failed") - before
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
