"""Jobs for large objects against a real Kubernetes API and its real controllers.

kwok plays the node, so containers do not run; what a Job's container would do is run here as a process with exactly its
arguments and variables (test_container.py).
"""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.components.http import HttpError
from tests.integration.jobs.cluster import Letters, Namespace, large_object


def test_a_large_object_waits_runs_succeeds_and_is_removed_in_time(namespace: Namespace, letters: Letters) -> None:
    said = namespace.offload(JOB_TTL_SECONDS="1")(large_object("donors.csv"))
    (job,) = namespace.jobs()
    name = job["metadata"]["name"]
    assert said == f"{1 << 40} bytes: handed to Job {namespace.name}/{name}"
    assert job["spec"]["suspend"] is True
    assert namespace.pods(name) == []
    with namespace.watcher(letters.url):
        namespace.wait_until(lambda: bool(namespace.pods(name)), "a pod")
        namespace.wait_until(lambda: namespace.jobs() == [], "removed by its time to live")
    assert letters.taken == []


def test_a_permanent_error_is_not_tried_again_and_becomes_a_dead_letter_with_its_log(
    namespace: Namespace, letters: Letters
) -> None:
    namespace.server.write_pod_log("penstock run: s3://upload/rose.jpg: is two bytes of text")
    namespace.offload("hangs")(large_object("rose.jpg"))
    (name,) = namespace.ended()
    with namespace.watcher(letters.url):
        namespace.end_pod(name, exit_code=65)
        namespace.wait_until(lambda: "penstock/dead-letter" not in namespace.finalizers(), "settled")
    assert namespace.ended() == {name: "Failed"}
    assert len(namespace.pods(name)) == 1
    (letter,) = letters.taken
    error = base64.b64decode(letter.headers["ce-knativeerrordata"]).decode()
    assert error.startswith("PodFailurePolicy: ")
    assert "exit code 65" in error
    assert error.endswith("s3://upload/rose.jpg: is two bytes of text\n")
    assert letter.headers["ce-knativeerrorcode"] == "422"
    assert letter.headers["ce-knativeerrordest"].endswith(f"/namespaces/{namespace.name}/jobs/{name}")
    data = json.loads(letter.data)
    assert (data["Key"], data["Job"]["name"]) == ("upload/rose.jpg", name)
    (job,) = namespace.jobs()
    assert "penstock/dead-lettered" in job["metadata"]["annotations"]


def test_a_temporary_error_is_tried_again_until_it_works(namespace: Namespace, letters: Letters) -> None:
    namespace.offload("hangs")(large_object("donors.csv"))
    (name,) = namespace.ended()
    with namespace.watcher(letters.url):
        namespace.end_pod(name, exit_code=75)
        namespace.wait_until(lambda: len(namespace.pods(name)) == 2, "a second pod")
        namespace.end_pod(name, exit_code=0)
        namespace.wait_until(lambda: "penstock/dead-letter" not in namespace.finalizers(), "settled")
    assert namespace.ended() == {name: "Complete"}
    assert letters.taken == []


def test_a_job_that_fails_too_often_becomes_a_dead_letter(namespace: Namespace, letters: Letters) -> None:
    namespace.offload("fails", JOB_RETRIES="1")(large_object("donors.csv"))
    (name,) = namespace.ended()
    with namespace.watcher(letters.url):
        namespace.wait_until(lambda: letters.jobs == [name], "a dead letter")
    assert len(namespace.pods(name)) == 2
    assert letters.taken[0].headers["ce-knativeerrorcode"] == "500"


def test_a_job_past_its_deadline_becomes_a_dead_letter(namespace: Namespace, letters: Letters) -> None:
    namespace.offload("hangs", JOB_DEADLINE_SECONDS="1")(large_object("donors.csv"))
    (name,) = namespace.ended()
    with namespace.watcher(letters.url):
        namespace.wait_until(lambda: letters.jobs == [name], "a dead letter")
    assert letters.taken[0].headers["ce-knativeerrorcode"] == "504"


def test_one_state_makes_one_job_however_often_its_event_comes(namespace: Namespace) -> None:
    hooks = [namespace.offload() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda hook: hook(large_object("donors.csv")), hooks))
    assert len(namespace.jobs()) == 1
    assert sorted("handed to" in text for text in said) == [False] * 7 + [True]
    assert "already with" in hooks[0](large_object("donors.csv"))
    hooks[0](large_object("donors.csv", etag="e2"))
    assert len(namespace.jobs()) == 2


def test_a_state_whose_job_ended_without_a_target_gets_another_job(namespace: Namespace, letters: Letters) -> None:
    offload = namespace.offload()
    offload(large_object("donors.csv"))
    with namespace.watcher(letters.url):
        namespace.wait_until(lambda: set(namespace.ended().values()) == {"Complete"}, "complete")
    first, second = namespace.ended(), offload(large_object("donors.csv"))
    (name,) = first
    assert second.endswith(f"handed to Job {namespace.name}/{name}-1")
    assert "already with" in offload(large_object("donors.csv"))
    assert len(namespace.jobs()) == 2


def test_a_failed_job_outlives_its_time_and_the_watcher_until_its_letter_is_stored(
    namespace: Namespace, letters: Letters
) -> None:
    letters.refuses = True
    namespace.offload("hangs", JOB_TTL_SECONDS="0")(large_object("donors.csv"))
    (name,) = namespace.ended()
    with namespace.watcher(letters.url) as first:
        namespace.end_pod(name, exit_code=78)
        namespace.wait_until(lambda: letters.asked > 0, "an attempt to send the letter")
        namespace.wait_until(lambda: "deletionTimestamp" in namespace.jobs()[0]["metadata"], "past its time to live")
        first.kill()
        first.wait()
    assert namespace.ended() == {name: "Failed"}
    letters.refuses = False
    with namespace.watcher(letters.url):
        namespace.wait_until(lambda: namespace.jobs() == [], "settled and removed")
    assert letters.jobs == [name]


def test_a_job_that_somebody_deletes_before_its_end_becomes_a_dead_letter(
    namespace: Namespace, letters: Letters
) -> None:
    offload = namespace.offload("hangs")
    offload(large_object("runs.csv"))
    with namespace.watcher(letters.url, max_running=1):
        (running,) = namespace.ended()
        namespace.wait_until(lambda: bool(namespace.pods(running)), "a pod")
        offload(large_object("waits.csv"))
        for name in namespace.ended():
            path = f"{namespace.job_path(name)}?propagationPolicy=Foreground"
            namespace.server.endpoint.request("DELETE", path)
        namespace.wait_until(lambda: namespace.jobs() == [], "both gone")
    assert len(letters.jobs) == len(set(letters.jobs)) == 2
    assert {json.loads(letter.data)["Job"]["reason"] for letter in letters.taken} == {"deleted before it ended"}


def test_the_namespace_admits_restricted_pods_only(namespace: Namespace) -> None:
    pod = {"metadata": {"name": "root"}, "spec": {"containers": [{"name": "main", "image": "penstock"}]}}
    with pytest.raises(HttpError, match="violates PodSecurity"):
        namespace.server.endpoint.request("POST", f"/api/v1/namespaces/{namespace.name}/pods", pod)


def test_the_watchers_own_pod_is_admitted(namespace: Namespace) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace.name}/deployments/penstock-jobs-watcher"
    namespace.wait_until(lambda: namespace.get(path)["status"].get("availableReplicas") == 1, "available")
