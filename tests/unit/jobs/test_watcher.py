"""The watcher, look by look, on a cluster in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest
from penstock.errors import TemporaryError
from penstock.events import CloudEventFields
from penstock.jobs.api import KubernetesError
from penstock.jobs.measures import JobMeasures
from penstock.jobs.watcher import Watcher, run_watcher
from penstock.runtime.outcome import Offload

from tests.clock import Clock
from tests.unit.jobs.cluster import MemoryCluster
from tests.unit.jobs.conftest import large
from tests.waiting import wait_until


class Letters:
    """A sink that keeps letters, and refuses the next `refuses` of them."""

    def __init__(self) -> None:
        self.taken: list[CloudEventFields] = []
        self.refuses = 0
        self.asked = 0

    def send(self, event: CloudEventFields) -> None:
        self.asked += 1
        if self.refuses:
            self.refuses -= 1
            raise TemporaryError("the sink answered 503")
        self.taken.append(event)

    def jobs(self) -> list[str]:
        return [json.loads(letter.data)["Job"]["name"] for letter in self.taken]


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(cluster: MemoryCluster, letters: Letters, clock: Clock) -> Callable[..., Callable[[], float | None]]:
    """Makes a new watcher; what is returned lists all Jobs and lets it look once, unless it is told not to list."""

    def make(max_running: int = 2) -> Callable[..., float | None]:
        watcher = Watcher(cluster, letters, max_running=max_running, measures=JobMeasures(), clock=clock)

        def look(*, fresh: bool = True) -> float | None:
            if fresh:
                watcher.replace(cluster.list_jobs("")[0])
            return watcher.look()

        return look

    return make


Start = Callable[..., Callable[..., float | None]]


def test_jobs_start_in_the_order_they_came_as_places_become_free(
    cluster: MemoryCluster, offload: Offload, start: Start
) -> None:
    for number in range(4):
        offload(large(f"{number}.csv"))
    first, second, third, fourth = cluster.stored
    look = start()
    look()
    assert cluster.running() == [first, second]
    look()
    assert cluster.running() == [first, second]
    cluster.end(second)
    look()
    assert cluster.running() == [first, third]
    cluster.end(first)
    cluster.end(third)
    look()
    assert cluster.running() == [fourth]


def test_what_was_let_in_counts_before_the_watch_says_so(
    cluster: MemoryCluster, offload: Offload, start: Start
) -> None:
    for number in range(4):
        offload(large(f"{number}.csv"))
    look = start()
    look()
    look(fresh=False)  # by what it knows, all four still wait
    assert len(cluster.running()) == 2


def test_an_admission_without_an_answer_counts_and_is_sent_again(
    cluster: MemoryCluster, offload: Offload, start: Start
) -> None:
    for number in range(3):
        offload(large(f"{number}.csv"))
    first = next(iter(cluster.stored))
    cluster.unanswered["patch_job"] = 1
    look = start(max_running=1)
    with pytest.raises(KubernetesError):
        look()
    cluster.stored[first]["spec"]["suspend"] = True  # the request itself was lost, not only its answer
    look()
    assert cluster.running() == [first]


def test_a_new_watcher_goes_on_where_the_old_one_stopped(
    cluster: MemoryCluster, offload: Offload, start: Start
) -> None:
    for number in range(4):
        offload(large(f"{number}.csv"))
    start()()
    start()()
    assert cluster.running() == list(cluster.stored)[:2]


def test_a_success_is_let_go_without_a_letter(
    cluster: MemoryCluster, offload: Offload, start: Start, letters: Letters
) -> None:
    offload(large())
    (name,) = cluster.stored
    look = start()
    look()
    cluster.end(name)
    look()
    assert cluster.stored[name]["metadata"]["finalizers"] == []
    assert "penstock/dead-lettered" not in cluster.stored[name]["metadata"]["annotations"]
    assert letters.asked == 0


def test_a_failure_becomes_one_letter_and_is_marked(
    cluster: MemoryCluster, offload: Offload, start: Start, letters: Letters
) -> None:
    offload(large())
    (name,) = cluster.stored
    cluster.end(name, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    for look in (start(), start()):
        look()
        look()
    assert letters.jobs() == [name]
    data = json.loads(letters.taken[0].data)["Job"]
    assert data["reason"] == "BackoffLimitExceeded: Job has reached the specified backoff limit"
    assert data["log"] == f"{name}-2: the pod's last words\n"
    assert cluster.stored[name]["metadata"]["finalizers"] == []
    assert "penstock/dead-lettered" in cluster.stored[name]["metadata"]["annotations"]


def test_what_others_hold_stays_held(cluster: MemoryCluster, offload: Offload, start: Start) -> None:
    offload(large())
    (name,) = cluster.stored
    cluster.stored[name]["metadata"]["finalizers"].append("foregroundDeletion")
    cluster.end(name)
    start()()
    assert cluster.stored[name]["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_a_job_that_changed_meanwhile_is_settled_at_the_next_look_with_one_letter(
    cluster: MemoryCluster, offload: Offload, start: Start, letters: Letters
) -> None:
    offload(large())
    (name,) = cluster.stored
    cluster.end(name, "Failed")
    look = start()
    look()
    cluster.stored[name]["metadata"]["finalizers"] = ["penstock/dead-letter"]
    offload(large("second.csv"))
    second = list(cluster.stored)[1]
    cluster.end(second, "Failed")
    watcher_sees = cluster.list_jobs("")[0]
    cluster.patch_job(second, {"metadata": {"labels": {"somebody": "else"}}})
    fresh = cluster.list_jobs
    cluster.list_jobs = lambda selector: (watcher_sees, "1")  # type: ignore[method-assign]
    look()
    assert cluster.stored[second]["metadata"]["finalizers"] == ["penstock/dead-letter"]
    cluster.list_jobs = fresh  # type: ignore[method-assign]
    look()
    assert cluster.stored[second]["metadata"]["finalizers"] == []
    assert letters.jobs() == [name, second]


def test_letters_wait_for_their_sink_ever_longer_while_jobs_go_on(
    cluster: MemoryCluster, offload: Offload, start: Start, letters: Letters, clock: Clock
) -> None:
    for number in range(3):
        offload(large(f"{number}.csv"))
    bad, worse, good = cluster.stored
    for name in (bad, worse):
        cluster.end(name, "Failed")
    letters.refuses = 2
    look = start()
    assert look() == pytest.approx(1)
    assert letters.asked == 1  # the second letter does not try what the first just found
    assert cluster.running() == [good]
    assert look() == pytest.approx(1)
    assert letters.asked == 1
    clock.now = 1
    assert look() == pytest.approx(2)
    cluster.end(good)
    look()
    assert cluster.stored[good]["metadata"]["finalizers"] == []
    clock.now = 3
    assert look() is None
    assert letters.jobs() == [bad, worse]


def test_a_letter_goes_without_a_log_that_cannot_be_read(
    cluster: MemoryCluster, offload: Offload, start: Start, letters: Letters
) -> None:
    offload(large())
    (name,) = cluster.stored
    cluster.end(name, "Failed")
    cluster.unanswered["log_of"] = 1
    start()()
    assert json.loads(letters.taken[0].data)["Job"]["log"] == "(its log could not be read: log_of: no answer)"


def test_a_job_deleted_before_its_end_becomes_a_letter_and_goes(
    cluster: MemoryCluster, offload: Offload, start: Start, letters: Letters
) -> None:
    offload(large())
    (name,) = cluster.stored
    cluster.delete_job(name, "")
    start()()
    assert cluster.stored == {}
    assert letters.jobs() == [name]


def test_it_follows_changes_and_lists_again_when_a_watch_is_too_old(
    cluster: MemoryCluster, offload: Offload, letters: Letters
) -> None:
    watcher = Watcher(cluster, letters, max_running=1, measures=JobMeasures())
    stop = threading.Event()
    thread = threading.Thread(target=run_watcher, args=(watcher, cluster, stop))
    thread.start()
    try:
        wait_until(lambda: bool(cluster.watches), "a watch")
        offload(large("first.csv"))
        wait_until(lambda: len(cluster.running()) == 1, "admitted")
        (first,) = cluster.running()
        cluster.watches[-1].changes.put(KubernetesError("too old resource version", 410, "Expired"))
        wait_until(lambda: len(cluster.watches) == 2, "another watch")
        offload(large("second.csv"))
        cluster.end(first, "Failed")
        wait_until(lambda: letters.jobs() == [first], "a letter")
        wait_until(lambda: len(cluster.running()) == 1, "the second one admitted")
    finally:
        stop.set()
        thread.join()
