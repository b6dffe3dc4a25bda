"""Many Jobs at once, and what happens when the watcher or the Job controller dies among them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from penstock.jobs.access import ClusterAccess
from penstock.jobs.api import KubernetesApi, KubernetesError
from penstock.jobs.job import Job, JobState

from tests.components import KubernetesServer
from tests.integration.jobs.cluster import Letters, Namespace, large_object


@dataclass
class Observed:
    """Every change of every Job in a namespace, in the order in which the API server made them."""

    most_at_once: int = 0
    admitted: list[str] = field(default_factory=list)
    _running: set[str] = field(default_factory=set)
    _ended: set[str] = field(default_factory=set)

    def see(self, kind: str, job: Job) -> None:
        if kind == "DELETED" or job.ended:
            self._running.discard(job.name)
            self._ended.add(job.name)
        elif job.state is JobState.RUNNING and job.name not in self._running:
            self._running.add(job.name)
            self.admitted.append(job.name)
            self.most_at_once = max(self.most_at_once, len(self._running))


@contextmanager
def observed(namespace: Namespace) -> Iterator[Observed]:
    """Watch as the administrator, on a connection and thread of its own, until the block ends."""
    endpoint = namespace.server.endpoint
    ca = endpoint.ca_file.read_text()
    api = KubernetesApi(ClusterAccess(endpoint.url, namespace.name, token=endpoint.token, ca=ca))
    jobs, version = api.list_jobs("penstock/function")
    assert jobs == []
    seen, stopped = Observed(), threading.Event()
    watch = api.watch_jobs("penstock/function", version, timeout_seconds=600)

    def follow() -> None:
        try:
            for kind, document in watch:
                if kind != "BOOKMARK":
                    seen.see(kind, Job.read(document))
        except KubernetesError:
            assert stopped.is_set()  # else pytest reports the thread's failure

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield seen
    finally:
        stopped.set()
        watch.close()
        thread.join()


def test_of_two_hundred_jobs_never_more_than_the_cap_run_and_all_end_in_the_order_they_came(
    namespace: Namespace, letters: Letters
) -> None:
    offload = namespace.offload()
    with observed(namespace) as seen:
        for number in [*range(100), *range(100)]:  # every event comes twice
            offload(large_object(f"{number:03}.csv"))
        with namespace.watcher(letters.url, max_running=20):
            for number in range(100, 200):
                for _ in range(2):
                    offload(large_object(f"{number:03}.csv"))
            namespace.wait_until(lambda: len(seen.admitted) == 200, "200 Jobs admitted", 600)
            namespace.wait_until(lambda: set(namespace.ended().values()) == {"Complete"}, "200 Jobs complete", 600)
    keys = {job["metadata"]["name"]: job["metadata"]["annotations"]["penstock/key"] for job in namespace.jobs()}
    assert len(keys) == 200
    assert [keys[name] for name in seen.admitted] == [f"{number:03}.csv" for number in range(200)]
    assert 2 <= seen.most_at_once <= 20
    assert letters.taken == []


def test_a_watcher_that_is_killed_again_and_again_loses_no_job_and_no_letter(
    namespace: Namespace, letters: Letters
) -> None:
    works, fails = namespace.offload(), namespace.offload("fails", JOB_RETRIES="0")
    with observed(namespace) as seen:
        for number in range(20):
            works(large_object(f"good-{number}.csv"))
            fails(large_object(f"bad-{number}.csv"))
        for ended in (5, 15, 25):
            with namespace.watcher(letters.url, max_running=5) as process:
                namespace.wait_until(
                    lambda ended=ended: sum(map(bool, namespace.ended().values())) >= ended,  # type: ignore[misc]
                    f"{ended} Jobs at their end",
                )
                process.kill()
        with namespace.watcher(letters.url, max_running=5):
            namespace.wait_until(lambda: all(namespace.ended().values()), "all Jobs at their end")
            namespace.wait_until(lambda: "penstock/dead-letter" not in namespace.finalizers(), "all settled")
    failed = {name for name, end in namespace.ended().items() if end == "Failed"}
    assert len(failed) == 20
    assert set(letters.jobs) == failed
    # At least once: only the letter under way at a kill may come twice, and then with the same id.
    assert len(letters.taken) <= 20 + 3
    assert len({letter.headers["ce-id"] for letter in letters.taken}) == 20
    assert seen.most_at_once <= 5


def test_jobs_go_on_when_the_job_controller_is_killed(letters: Letters, unique_name: str, tmp_path: Path) -> None:
    with KubernetesServer(tmp_path / "cluster") as server:
        namespace = Namespace(server, unique_name, tmp_path)
        offload = namespace.offload()
        for number in range(20):
            offload(large_object(f"{number}.csv"))
        with namespace.watcher(letters.url, max_running=5):
            namespace.wait_until(lambda: any(namespace.ended().values()), "a Job at its end")
            (controller,) = [child for child in server.children if child.name == "kube-controller-manager"]
            controller.kill()
            assert not all(namespace.ended().values())
            controller.start()
            namespace.wait_until(lambda: set(namespace.ended().values()) == {"Complete"}, "all complete")
            namespace.wait_until(lambda: "penstock/dead-letter" not in namespace.finalizers(), "all settled")
    assert letters.taken == []
