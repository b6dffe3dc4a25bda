"""`penstock jobs logs`: what the pods of a Job wrote, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from penstock.cli import main
from penstock.runtime.outcome import Offload

from tests.unit.jobs.cluster import MemoryCluster
from tests.unit.jobs.conftest import large

Logs = Callable[..., str]


@pytest.fixture(name="job")
def job_fixture(cluster: MemoryCluster, offload: Offload) -> str:
    offload(large("a.csv"))
    (name,) = cluster.stored
    cluster.end(name, "Failed", "BackoffLimitExceeded", "it ended with 65")
    return name


@pytest.fixture(name="logs")
def logs_fixture(cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Logs:
    monkeypatch.setattr("penstock.commands.jobs.KubernetesApi", lambda _access: cluster)

    def logs(*words: str) -> str:
        assert main(["jobs", "logs", *words, "--server=http://127.0.0.1:9", "--namespace=lake"]) == 0
        return capsys.readouterr().out

    return logs


def test_pods_come_one_after_the_other(logs: Logs, job: str) -> None:
    lines = logs(job).splitlines()
    assert "it ended with 65" in lines[0]
    assert lines[1:] == [
        f"==> {job}-1 (Failed)",
        f"{job}-1: the pod's last words",
        f"==> {job}-2 (Failed)",
        f"{job}-2: the pod's last words",
    ]


def test_a_program_gets_one_object(logs: Logs, job: str) -> None:
    told = json.loads(logs(job, "--json"))
    assert (told["name"], told["state"]) == (job, "failed")
    assert "it ended with 65" in told["reason"]
    assert told["pods"][1] == {"name": f"{job}-2", "phase": "Failed", "log": f"{job}-2: the pod's last words\n"}
