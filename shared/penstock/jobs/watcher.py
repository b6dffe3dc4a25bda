"""Lets suspended Jobs start in turn, and settles those at their end. Level-triggered: its only state is in the Jobs.

A Job holds Penstock's finalizer from its creation. It is settled once: a success is let go; a failure, or a Job that
was deleted before its end, first becomes a dead letter. Then one request writes an annotation and removes the
finalizer. A watcher that dies in between sends the letter a second time; it never leaves one out.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from penstock.errors import TemporaryError
from penstock.events import CloudEventFields
from penstock.jobs.api import JobsApi, KubernetesError
from penstock.jobs.dead_letter import dead_letter, reason_of
from penstock.jobs.job import Job, JobState
from penstock.jobs.manifest import DEAD_LETTERED, FUNCTION_LABEL
from penstock.jobs.measures import JobMeasures
from penstock.jobs.pod import Document
from penstock.jobs.policy import due_jobs

T = TypeVar("T")

SELECTOR = FUNCTION_LABEL  # every Job that has the label
WATCH_SECONDS = 60
LOG_LINES = 40
_RETRY_SECONDS = (1.0, 60.0)


class DeadLetterSink(Protocol):
    """Where dead letters go."""

    def send(self, event: CloudEventFields) -> None:
        """Deliver one; raises `TemporaryError`."""


class Watcher:
    """One look at a time over all Jobs of a namespace."""

    def __init__(
        self,
        api: JobsApi,
        dead_letters: DeadLetterSink,
        *,
        max_running: int,
        measures: JobMeasures,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._dead_letters = dead_letters
        self._max_running = max_running
        self._measures = measures
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        # By uid: admitted, perhaps admitted, letter sent, settled. All four hold only until the watch says the same.
        self._admitted: set[str] = set()
        self._unsure: set[str] = set()
        self._sent: set[str] = set()
        self._settled: set[str] = set()
        self._letter_delay = 0.0
        self._letters_from = 0.0
        self._log = logging.getLogger("penstock.jobs")

    def replace(self, documents: list[Document]) -> None:
        """Take the Jobs that a list found in place of all that were known."""
        self._jobs = {job.uid: job for job in map(Job.read, documents)}
        for known in (self._admitted, self._unsure, self._sent, self._settled):
            known &= self._jobs.keys()
        self._measures.listed()

    def apply(self, kind: str, document: Document) -> None:
        """Apply one change of the watch: ADDED, MODIFIED, DELETED or BOOKMARK."""
        if kind == "BOOKMARK":
            return
        job = Job.read(document)
        if kind == "DELETED":
            for known in (self._admitted, self._unsure, self._sent, self._settled):
                known.discard(job.uid)
            self._jobs.pop(job.uid, None)
        else:
            self._jobs[job.uid] = job

    def look(self) -> float | None:
        """Do all that is due. Returns the seconds until the next attempt, None when only a change can bring more to do.

        Raises `KubernetesError` when the API does not answer.
        """
        for uid in list(self._unsure):
            self._admit(self._jobs[uid])
        due = due_jobs(self._jobs.values(), self._max_running, self._admitted)
        for job in due.admit:
            self._admit(job)
        wait = self._settle_all([job for job in due.settle if job.uid not in self._settled])
        self._measures.seen(self._jobs.values())
        return wait

    def _admit(self, job: Job) -> None:
        # From here on it counts as running. If the answer is lost, the Job may be admitted all the same: ask again.
        self._admitted.add(job.uid)
        self._unsure.add(job.uid)
        admitted = self._patch(job, {"metadata": {"uid": job.uid}, "spec": {"suspend": False}})
        self._unsure.discard(job.uid)
        if admitted:
            self._log.info("Job %s: admitted", job.name, extra={"job": job.name, "source": str(job.ref)})

    def _settle_all(self, jobs: list[Job]) -> float | None:
        """Settle what can be settled. While the dead letter sink does not answer, only Jobs with a letter wait."""
        waiting = False
        for job in jobs:
            if job.state is not JobState.SUCCEEDED and not job.dead_lettered and job.uid not in self._sent:
                if waiting or self._clock() < self._letters_from:
                    waiting = True
                    continue
                try:
                    self._send(job)
                except TemporaryError as exc:
                    waiting = True
                    first, longest = _RETRY_SECONDS
                    self._letter_delay = min(longest, self._letter_delay * 2 or first)
                    self._letters_from = self._clock() + self._letter_delay
                    self._measures.dead_letter_failed()
                    self._log.warning("Job %s: %s", job.name, exc, extra={"job": job.name})
                    continue
                self._letter_delay = 0.0
                self._sent.add(job.uid)
            self._release(job)
        return max(0.0, self._letters_from - self._clock()) if waiting else None

    def _send(self, job: Job) -> None:
        log = self._log_of(job)
        self._log.error(
            "Job %s: %s", job.name, reason_of(job), extra={"job": job.name, "source": str(job.ref), "pod_log": log}
        )
        self._dead_letters.send(dead_letter(job, self._api.job_url(job.name), log))

    def _release(self, job: Job) -> None:
        """Take our finalizer away."""
        metadata: Document = job.released()
        if job.state is not JobState.SUCCEEDED:
            metadata["annotations"] = {DEAD_LETTERED: datetime.now(UTC).isoformat(timespec="seconds")}
        if self._patch(job, {"metadata": metadata}):
            self._settled.add(job.uid)
            self._measures.settled(job)
            if job.state is JobState.SUCCEEDED:
                self._log.info("Job %s: succeeded", job.name, extra={"job": job.name, "source": str(job.ref)})

    def _patch(self, job: Job, patch: Document) -> bool:
        """Patch a Job; False when it changed or is gone: the watch brings its new state, and the next look decides."""
        try:
            self._api.patch_job(job.name, patch)
        except KubernetesError as exc:
            if exc.code not in (404, 409):
                raise
            self._log.debug("Job %s: changed meanwhile: %s", job.name, exc)
            return False
        return True

    def _log_of(self, job: Job) -> str:
        """The end of the newest pod's log; a text that says why where it cannot be read."""
        try:
            pods = self._api.pods_of(job.name)
            return self._api.log_of(pods[-1]["metadata"]["name"], LOG_LINES) if pods else ""
        except KubernetesError as exc:
            return f"(its log could not be read: {exc})"


def run_watcher(watcher: Watcher, api: JobsApi, stop: threading.Event) -> None:
    """List, watch and look until `stop` is set; after an error of the API it waits, each time longer."""
    delay, longest = _RETRY_SECONDS
    log = logging.getLogger("penstock.jobs")
    while not stop.is_set():
        try:
            _one_watch(watcher, api, stop)
            delay = _RETRY_SECONDS[0]
        except KubernetesError as exc:
            log.warning("%s; trying again in %g seconds", exc, delay)
            stop.wait(delay)
            delay = min(longest, delay * 2)


def _one_watch(watcher: Watcher, api: JobsApi, stop: threading.Event) -> None:
    """From one list of all Jobs to the end of the watch that follows it."""
    documents, version = api.list_jobs(SELECTOR)
    watcher.replace(documents)
    watch = api.watch_jobs(SELECTOR, version, WATCH_SECONDS)
    changes: queue.SimpleQueue[tuple[str, Document] | KubernetesError | None] = queue.SimpleQueue()

    def follow() -> None:
        try:
            for change in watch:
                changes.put(change)
            changes.put(None)
        except KubernetesError as exc:
            # "Too old" only asks for a new list.
            changes.put(None if exc.code == 410 else exc)

    threading.Thread(target=follow, name="watch", daemon=True).start()
    try:
        while not stop.is_set():
            due = watcher.look()
            # At most a second, so that a stop is noticed; then all changes that have come, for one look.
            for change in _take(changes, min(1.0, due if due is not None else 1.0)):
                if change is None:
                    return
                if isinstance(change, KubernetesError):
                    raise change
                watcher.apply(*change)
    finally:
        watch.close()


def _take(changes: "queue.SimpleQueue[T]", timeout_seconds: float) -> Iterator[T]:
    """Wait for the first member of the queue, then take all that are there."""
    try:
        yield changes.get(timeout=timeout_seconds)
        while True:
            yield changes.get_nowait()
    except queue.Empty:
        return
