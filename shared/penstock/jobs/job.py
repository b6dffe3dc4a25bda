"""A Job, read from what the API says: its function, its state, its finalizers."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from penstock.jobs.manifest import (
    BUCKET,
    CREATED,
    DEAD_LETTERED,
    ETAG,
    EVENT_ID,
    FINALIZER,
    FUNCTION_LABEL,
    KEY,
    SIZE,
    TRACEPARENT,
)
from penstock.types import ObjectRef


class JobState(StrEnum):
    """How far a Job is. WAITING: it is suspended and not admitted yet."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """What one Job says. `order` sorts Jobs by creation; `reason` and `message` are the controller's, of a failure.

    `etag` and `size`, in bytes, are those of the object when the Job was made. `held` is true while Penstock's
    finalizer keeps it; `since` is when it ended, else when it was made (RFC 3339).
    """

    name: str
    uid: str
    version: str
    function: str
    ref: ObjectRef
    state: JobState
    order: tuple[str, str, str]
    since: str
    deleting: bool = False
    held: bool = False
    dead_lettered: bool = False
    reason: str = ""
    message: str = ""
    etag: str = ""
    size: int = 0
    event_id: str = ""
    traceparent: str = ""
    finalizers: tuple[str, ...] = field(default=())

    @property
    def ended(self) -> bool:
        return self.state in (JobState.SUCCEEDED, JobState.FAILED)

    def released(self) -> dict[str, Any]:
        """The metadata of a merge patch that takes Penstock's finalizer away and leaves all others.

        It names the version, because such a patch replaces the whole list, which the garbage collector changes too.
        """
        rest = [name for name in self.finalizers if name != FINALIZER]
        return {"uid": self.uid, "resourceVersion": self.version, "finalizers": rest}

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Job":
        """Read a Job as the API gives it."""
        metadata, status = document["metadata"], document.get("status") or {}
        annotations = metadata.get("annotations") or {}
        finalizers = tuple(metadata.get("finalizers") or ())
        created = metadata.get("creationTimestamp") or ""
        final = next(
            (
                condition
                for condition in status.get("conditions") or []
                if condition["type"] in ("Complete", "Failed") and condition["status"] == "True"
            ),
            None,
        )
        if final is not None:
            state = JobState.SUCCEEDED if final["type"] == "Complete" else JobState.FAILED
        else:
            state = JobState.WAITING if document["spec"].get("suspend") else JobState.RUNNING
        return cls(
            name=metadata["name"],
            uid=metadata["uid"],
            version=metadata["resourceVersion"],
            function=(metadata.get("labels") or {}).get(FUNCTION_LABEL, ""),
            ref=ObjectRef(annotations.get(BUCKET, ""), annotations.get(KEY, "")),
            state=state,
            order=(created, annotations.get(CREATED, ""), metadata["name"]),
            since=(final or {}).get("lastTransitionTime") or created,
            deleting="deletionTimestamp" in metadata,
            held=FINALIZER in finalizers,
            dead_lettered=DEAD_LETTERED in annotations,
            reason=(final or {}).get("reason") or "",
            message=(final or {}).get("message") or "",
            etag=annotations.get(ETAG, ""),
            size=int(annotations.get(SIZE, "0")),
            event_id=annotations.get(EVENT_ID, ""),
            traceparent=annotations.get(TRACEPARENT, ""),
            finalizers=finalizers,
        )
