"""Which Jobs may start and which must be settled: a pure function of all Jobs."""

from collections.abc import Iterable, Set
from dataclasses import dataclass

from penstock.jobs.job import Job, JobState


@dataclass(frozen=True, slots=True)
class DueJobs:
    """`admit` in the order of creation; `settle` are Jobs at their end that the finalizer still holds."""

    admit: tuple[Job, ...]
    settle: tuple[Job, ...]


def due_jobs(jobs: Iterable[Job], max_running: int, admitted: Set[str] = frozenset()) -> DueJobs:
    """Fill the free places. `admitted` are uids of Jobs that were admitted but may still look suspended in `jobs`.

    A Job counts until it has ended, pods that are being stopped included, so never more than `max_running` run.
    """
    all_jobs = list(jobs)
    running = sum(not job.ended and (job.state is JobState.RUNNING or job.uid in admitted) for job in all_jobs)
    waiting = sorted(
        (job for job in all_jobs if job.state is JobState.WAITING and not job.deleting and job.uid not in admitted),
        key=lambda job: job.order,
    )
    settle = sorted((job for job in all_jobs if job.held and (job.ended or job.deleting)), key=lambda job: job.order)
    return DueJobs(tuple(waiting[: max(0, max_running - running)]), tuple(settle))
