"""Who may start, and what has to be settled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from penstock.jobs.job import Job, JobState
from penstock.jobs.policy import due_jobs
from penstock.types import ObjectRef

jobs_of = st.builds(
    Job,
    name=st.uuids().map(str),
    uid=st.uuids().map(str),
    version=st.just("1"),
    function=st.just("upper"),
    ref=st.just(ObjectRef("upload", "a.csv")),
    state=st.sampled_from(JobState),
    order=st.tuples(st.sampled_from(["1", "2"]), st.sampled_from(["a", "b"]), st.uuids().map(str)),
    since=st.just(""),
    deleting=st.booleans(),
    held=st.booleans(),
)
many = st.lists(jobs_of, max_size=30, unique_by=lambda job: job.uid)


@given(jobs=many, most=st.integers(0, 10), data=st.data())
def test_never_more_than_the_cap_run_and_no_place_stays_free(jobs: list[Job], most: int, data: st.DataObject) -> None:
    waiting = [job for job in jobs if job.state is JobState.WAITING]
    admitted = {job.uid for job in waiting if data.draw(st.booleans())}
    running = len(admitted) + sum(job.state is JobState.RUNNING for job in jobs)
    free = [job for job in waiting if job.uid not in admitted and not job.deleting]
    assert len(due_jobs(jobs, most, admitted).admit) == min(len(free), max(0, most - running))


@given(jobs=many, most=st.integers(0, 10))
def test_who_came_first_starts_first(jobs: list[Job], most: int) -> None:
    admit = due_jobs(jobs, most).admit
    left = [job for job in jobs if job.state is JobState.WAITING and not job.deleting and job not in admit]
    assert [job.order for job in admit] == sorted(job.order for job in admit)
    assert all(job.order > admit[-1].order for job in left if admit)


@given(jobs=many)
def test_what_is_held_at_its_end_is_settled_and_nothing_else(jobs: list[Job]) -> None:
    settle = due_jobs(jobs, 0).settle
    assert set(settle) == {job for job in jobs if job.held and (job.ended or job.deleting)}
