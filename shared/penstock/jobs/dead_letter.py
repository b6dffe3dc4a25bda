"""A Job that will not succeed becomes a dead letter: the event again, with Knative's error extensions.

https://knative.dev/docs/eventing/event-delivery/#configuring-channel-event-delivery names `knativeerrordest`,
`knativeerrorcode` and `knativeerrordata` (base64, at most 1024 bytes of what went wrong).
"""

import base64
import json
from http import HTTPStatus
from typing import Any
from urllib.parse import quote_plus

from penstock.events import CloudEventFields
from penstock.jobs.job import Job, JobState

# Not `penstock.`: functions ignore such events as answers, and this one may be sent to a function again.
EVENT_TYPE = "job.penstock.failed"
_ERROR_BYTES = 1024


def dead_letter(job: Job, url: str, log: str) -> CloudEventFields:
    """The event for one Job; its id is the Job's uid, so a receiver can recognise a letter that is sent twice.

    Its data is a notification about the object, which functions and the bridge take as any other, and under `Job` what
    happened; `log` is the end of the pod's log.
    """
    why = reason_of(job)
    # The beginning of the reason and the end of the log say most.
    head = f"{why}\n".encode()[: _ERROR_BYTES // 2]
    tail = log.encode("utf-8", "replace")[-(_ERROR_BYTES - len(head)) :]
    attributes = {
        "specversion": "1.0",
        "id": job.uid,
        "type": EVENT_TYPE,
        "source": f"/penstock/functions/{job.function}/jobs",
        "subject": f"{job.ref.bucket}/{job.ref.key}",
        "datacontenttype": "application/json",
        "knativeerrordest": url,
        "knativeerrorcode": str(int(_status(job))),
        "knativeerrordata": base64.b64encode(head + tail).decode(),
    }
    if job.event_id:
        attributes["eventid"] = job.event_id
    if job.traceparent:
        attributes["traceparent"] = job.traceparent
    data = _notification(job) | {
        "Job": {"name": job.name, "function": job.function, "reason": why, "log": log},
    }
    return CloudEventFields(attributes, json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))


def _notification(job: Job) -> dict[str, Any]:
    """MinIO's JSON for the object. It always says Put: a function looks at the object and not at the event's name."""
    name = "s3:ObjectCreated:Put"
    record = {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": "",
        "eventTime": job.order[1] or job.order[0],
        "eventName": name,
        "s3": {
            "bucket": {"name": job.ref.bucket},
            "object": {"key": quote_plus(job.ref.key, errors="replace"), "size": job.size, "eTag": job.etag},
        },
    }
    return {"EventName": name, "Key": str(job.ref).removeprefix("s3://"), "Records": [record]}


def reason_of(job: Job) -> str:
    """Why it will not succeed, in one line."""
    if job.state is JobState.FAILED:
        return f"{job.reason}: {job.message}" if job.message else job.reason or "failed"
    return "deleted before it ended"


def _status(job: Job) -> HTTPStatus:
    """The HTTP status that comes closest to what a function would have answered."""
    if job.state is not JobState.FAILED:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return {
        "PodFailurePolicy": HTTPStatus.UNPROCESSABLE_ENTITY,
        "DeadlineExceeded": HTTPStatus.GATEWAY_TIMEOUT,
    }.get(job.reason, HTTPStatus.INTERNAL_SERVER_ERROR)
