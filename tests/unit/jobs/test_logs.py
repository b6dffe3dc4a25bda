"""`penstock jobs logs`: what the pods of a Job wrote, for people and for programs."""

from __future__ import annotations

import io
import json

import pytest
from penstock.commands import jobs
from penstock.runtime.outcome import Offload

from tests.unit.jobs.cluster import MemoryCluster
from tests.unit.jobs.conftest import large


@pytest.fixture(name="job")
def job_fixture(cluster: MemoryCluster, offload: Offload) -> str:
    offload(large("a.csv"))
    (name,) = cluster.stored
    cluster.end(name, "Failed", "BackoffLimitExceeded", "it ended with 65")
    return name


def logs(cluster: MemoryCluster, job: str, *, as_json: bool) -> str:
    out = io.StringIO()
    assert jobs._logs(cluster, job, 5, out, as_json=as_json) == 0
    return out.getvalue()


def test_pods_come_one_after_the_other(cluster: MemoryCluster, job: str) -> None:
    lines = logs(cluster, job, as_json=False).splitlines()
    assert "it ended with 65" in lines[0]
    assert lines[1:] == [
        f"==> {job}-1 (Failed)",
        f"{job}-1: the pod's last words",
        f"==> {job}-2 (Failed)",
        f"{job}-2: the pod's last words",
    ]


def test_a_program_gets_one_object(cluster: MemoryCluster, job: str) -> None:
    told = json.loads(logs(cluster, job, as_json=True))
    assert (told["name"], told["state"]) == (job, "failed")
    assert "it ended with 65" in told["reason"]
    assert told["pods"][1] == {"name": f"{job}-2", "phase": "Failed", "log": f"{job}-2: the pod's last words\n"}
