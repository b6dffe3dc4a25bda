"""The hook: one Job for each state of an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from penstock.errors import ConfigError, TemporaryError
from penstock.handler.loading import Function
from penstock.jobs.api import KubernetesError
from penstock.jobs.offload import finder_in, make_offload, offload_to
from penstock.process.log import event_id, trace_id
from penstock.runtime.outcome import Offload
from penstock.settings.config import Config

from tests.lake import Lake
from tests.unit.jobs.cluster import MemoryCluster
from tests.unit.jobs.conftest import large


def test_a_large_object_becomes_a_job(cluster: MemoryCluster, offload: Offload) -> None:
    said = offload(large())
    (name,) = cluster.stored
    assert said == f"{1 << 40} bytes: handed to Job lake/{name}"


def test_an_event_that_comes_again_makes_no_second_job(cluster: MemoryCluster, offload: Offload) -> None:
    offload(large())
    (name,) = cluster.stored
    assert offload(large()) == f"{1 << 40} bytes: already with Job lake/{name}"
    assert list(cluster.stored) == [name]


@pytest.mark.parametrize("condition", ["Complete", "Failed"])
def test_a_job_that_has_ended_is_followed_by_the_next(cluster: MemoryCluster, offload: Offload, condition: str) -> None:
    offload(large())
    (name,) = cluster.stored
    cluster.end(name, condition)
    offload(large())
    offload(large())
    assert list(cluster.stored) == [name, f"{name}-1"]


def test_a_job_that_is_being_deleted_is_followed_by_the_next(cluster: MemoryCluster, offload: Offload) -> None:
    offload(large())
    (name,) = cluster.stored
    cluster.delete_job(name, "")
    offload(large())
    assert list(cluster.stored) == [name, f"{name}-1"]


def test_job_under_way_is_found_and_one_that_ended_is_not(
    cluster: MemoryCluster, offload: Offload, make_config: Callable[..., Config], make_upper: Callable[..., Function]
) -> None:
    find = finder_in(cluster, make_upper(make_config()), make_config())
    assert find(large()) == ""
    offload(large())
    (first,) = cluster.stored
    assert find(large()) == f"lake/{first}"
    assert find(large(etag="e2")) == ""
    cluster.end(first, "Failed")
    assert find(large()) == ""
    offload(large())
    assert find(large()) == f"lake/{first}-1"
    del cluster.stored[first]  # its time to live is over
    assert find(large()) == f"lake/{first}-1"


def test_a_state_whose_jobs_all_end_in_vain_is_not_tried_for_ever(cluster: MemoryCluster, offload: Offload) -> None:
    for _ in range(10):
        offload(large())
        cluster.end(list(cluster.stored)[-1], "Failed")
    with pytest.raises(TemporaryError, match="10 Jobs for this state have ended"):
        offload(large())


def test_a_job_whose_creation_was_not_answered_is_found_again(cluster: MemoryCluster, offload: Offload) -> None:
    cluster.unanswered["create_job"] = 1
    with pytest.raises(KubernetesError, match="no answer"):
        offload(large())
    assert "already with" in offload(large())
    assert len(cluster.stored) == 1


def test_a_refusal_by_the_api_names_the_role(
    cluster: MemoryCluster, offload: Offload, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(manifest: object) -> None:
        raise KubernetesError("jobs.batch is forbidden", 403, "Forbidden")

    monkeypatch.setattr(cluster, "create_job", refuse)
    with pytest.raises(TemporaryError, match="bind the Role penstock-offload in lake"):
        offload(large())


def test_a_job_names_the_event_and_continues_its_trace(cluster: MemoryCluster, offload: Offload) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    tokens = event_id.set("event-1"), trace_id.set(trace)
    try:
        offload(large())
    finally:
        event_id.reset(tokens[0])
        trace_id.reset(tokens[1])
    (job,) = cluster.stored.values()
    assert job["metadata"]["annotations"]["penstock/event-id"] == "event-1"
    assert job["metadata"]["annotations"]["penstock/traceparent"].split("-")[1] == trace


def test_the_runtime_answers_202_for_a_large_object_and_works_on_a_small_one_itself(
    cluster: MemoryCluster, make_config: Callable[..., Config], make_upper: Callable[[Config], Function]
) -> None:
    config = make_config()
    assert config.jobs is not None
    hook = offload_to(cluster, make_upper(config), config, config.jobs)
    lake = Lake(offload=hook, offload_above_bytes=10)
    lake.put(b"eleven byte")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status, lake.read()) == ("offloaded", 202, None)
    lake.put(b"ten bytes.")
    assert lake.agree().kind == "processed"
    assert lake.read() == b"TEN BYTES."
    assert len(cluster.stored) == 1


def test_a_file_in_the_pod_is_no_sink_for_jobs(
    make_config: Callable[..., Config], make_upper: Callable[[Config], Function]
) -> None:
    config = make_config(SINK="sqlite:///data/index.db")
    with pytest.raises(ConfigError, match="a Job cannot write this pod's file"):
        make_offload(make_upper(config), config)


def test_no_cluster_is_an_error_at_start(
    make_config: Callable[..., Config], make_upper: Callable[[Config], Function]
) -> None:
    config = make_config()
    with pytest.raises(ConfigError, match="no Kubernetes API"):
        make_offload(make_upper(config), config)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"JOB_IMAGE": ""}, "JOB_IMAGE: not set"),
        ({"JOB_MEMORY": "lots"}, "JOB_MEMORY='lots': expected a Kubernetes quantity such as 512Mi"),
        ({"JOB_CPU": "1 core"}, "JOB_CPU='1 core'"),
        ({"JOB_DEADLINE_SECONDS": "0"}, "JOB_DEADLINE_SECONDS='0': expected a whole number of at least 1"),
        ({"JOB_RETRIES": "-1"}, "JOB_RETRIES='-1'"),
        ({"JOB_SECRETS": "MINIO_ACCESS_KEY"}, "JOB_SECRETS: 'MINIO_ACCESS_KEY': expected SETTING=SECRET/KEY"),
        ({"MINIO_CA_FILE": "/dev/null"}, "JOB_SECRETS: MINIO_CA_FILE is set, so say which Secret has it"),
    ],
)
def test_settings_that_cannot_work_are_named_at_start(
    make_config: Callable[..., Config], changed: Mapping[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem.replace("(", r"\(")):
        make_config(**changed)


def test_settings_of_jobs_are_not_read_where_nothing_is_offloaded(make_config: Callable[..., Config]) -> None:
    assert make_config(OFFLOAD_ABOVE_BYTES="", JOB_IMAGE="", JOB_MEMORY="lots").jobs is None
