"""A namespace of Kubernetes in memory, as far as Jobs are concerned: versions, merge patches, finalizers, watches."""

from __future__ import annotations

import copy
import itertools
import queue
from collections.abc import Iterator
from typing import Any

from penstock.jobs.api import KubernetesError
from penstock.jobs.pod import Document


class MemoryCluster:
    """`JobsApi` over a dictionary. `unanswered` counts answers that get lost, by method; what was asked for happens."""

    def __init__(self) -> None:
        self.namespace = "lake"
        self.stored: dict[str, Document] = {}
        self.log = "the pod's last words\n"
        self.unanswered: dict[str, int] = {}
        self.patches: list[tuple[str, Document]] = []
        self._versions = itertools.count(1)
        self.watches: list[MemoryWatch] = []

    def job_url(self, name: str) -> str:
        return f"https://kubernetes.test/apis/batch/v1/namespaces/lake/jobs/{name}"

    def create_job(self, manifest: Document) -> Document:
        name = manifest["metadata"]["name"]
        if name in self.stored:
            raise KubernetesError(f"jobs.batch {name!r} already exists", 409, "AlreadyExists")
        number = next(self._versions)
        job = copy.deepcopy(manifest)
        job["metadata"] |= {"uid": f"uid-{number}", "creationTimestamp": "2026-01-01T00:00:00Z"}
        job["status"] = {}
        self.stored[name] = job
        self._changed("ADDED", job)
        return self._answer("create_job", job)

    def get_job(self, name: str) -> Document:
        return self._answer("get_job", self._find(name))

    def list_jobs(self, selector: str) -> tuple[list[Document], str]:
        self._answer("list_jobs", {})
        return copy.deepcopy(list(self.stored.values())), str(next(self._versions))

    def watch_jobs(self, selector: str, version: str, timeout_seconds: int) -> MemoryWatch:
        self._answer("watch_jobs", {})
        watch = MemoryWatch()
        self.watches.append(watch)
        return watch

    def patch_job(self, name: str, patch: Document) -> Document:
        job = self._find(name)
        for precondition in ("uid", "resourceVersion"):
            wanted = patch.get("metadata", {}).get(precondition)
            if wanted not in (None, job["metadata"][precondition]):
                raise KubernetesError(f"jobs.batch {name!r}: the object has been modified", 409, "Conflict")
        self.patches.append((name, copy.deepcopy(patch)))
        _merge(job, patch)
        self._changed("MODIFIED", job)
        self._remove_when_free(job)
        return self._answer("patch_job", job)

    def delete_job(self, name: str, uid: str) -> None:
        job = self.stored.get(name)
        if job is None:
            return
        job["metadata"]["deletionTimestamp"] = "2026-01-01T01:00:00Z"
        self._changed("MODIFIED", job)
        self._remove_when_free(job)

    def pods_of(self, job: str) -> list[Document]:
        self._answer("pods_of", {})
        return [{"metadata": {"name": f"{job}-{number}"}, "status": {"phase": "Failed"}} for number in (1, 2)]

    def log_of(self, pod: str, tail_lines: int) -> str:
        self._answer("log_of", {})
        return f"{pod}: {self.log}"

    def end(self, name: str, condition: str = "Complete", reason: str = "", message: str = "") -> None:
        """Play the Job controller: the Job has ended."""
        job = self._find(name)
        job["status"]["conditions"] = [
            {"type": "Suspended", "status": "False"},
            {
                "type": condition,
                "status": "True",
                "reason": reason,
                "message": message,
                "lastTransitionTime": "2026-01-01T00:30:00Z",
            },
        ]
        self._changed("MODIFIED", job)

    def running(self) -> list[str]:
        """Admitted and not at their end."""
        return [
            name
            for name, job in self.stored.items()
            if not job["spec"]["suspend"] and not job["status"].get("conditions")
        ]

    def _find(self, name: str) -> Document:
        try:
            return self.stored[name]
        except KeyError:
            raise KubernetesError(f"jobs.batch {name!r} not found", 404, "NotFound") from None

    def _changed(self, kind: str, job: Document) -> None:
        job["metadata"]["resourceVersion"] = str(next(self._versions))
        for watch in self.watches:
            watch.changes.put((kind, copy.deepcopy(job)))

    def _remove_when_free(self, job: Document) -> None:
        if "deletionTimestamp" in job["metadata"] and not job["metadata"]["finalizers"]:
            del self.stored[job["metadata"]["name"]]
            self._changed("DELETED", job)

    def _answer(self, method: str, document: Document) -> Document:
        """The answer, unless it is lost on its way."""
        if self.unanswered.get(method, 0) > 0:
            self.unanswered[method] -= 1
            raise KubernetesError(f"{method}: no answer")
        return copy.deepcopy(document)


class MemoryWatch:
    """Changes since it was made."""

    def __init__(self) -> None:
        self.changes: queue.SimpleQueue[tuple[str, Document] | KubernetesError | None] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[tuple[str, Document]]:
        while (change := self.changes.get()) is not None:
            if isinstance(change, KubernetesError):
                raise change
            yield change

    def close(self) -> None:
        self.changes.put(None)


def _merge(target: dict[str, Any], patch: dict[str, Any]) -> None:
    """RFC 7386."""
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(name, {}), value)
        else:
            target[name] = copy.deepcopy(value)
