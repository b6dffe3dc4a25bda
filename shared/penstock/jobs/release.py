"""Take our finalizer off a Job that was deleted, where no watcher is left to do it."""

from penstock.errors import TemporaryError
from penstock.jobs.api import JobsApi, KubernetesError
from penstock.jobs.job import Job

_ATTEMPTS = 10


def let_go(api: JobsApi, job: Job) -> None:
    """Do what the watcher would do after the dead letter; raises `TemporaryError` when the Job keeps changing."""
    for _ in range(_ATTEMPTS):
        try:
            now = Job.read(api.get_job(job.name))
            if now.uid != job.uid:
                return  # gone, and made anew
            api.patch_job(job.name, {"metadata": now.released()})
            return
        except KubernetesError as exc:
            if exc.code == 404:
                return
            if exc.code != 409:
                raise
    raise TemporaryError(f"Job {job.name}: kept changing while it was let go; try again")
