"""One event delivered as the connectors do it."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Literal, Protocol
from urllib.parse import quote_plus

from penstock.connect.rest import NoRedirect
from penstock.delivery.verdict import DeliveryOutcome, TargetAnswer, judge
from penstock.events import to_cloudevents


class HasApp(Protocol):
    """A `Lake`, or anything else with a WSGI application."""

    @property
    def app(self) -> Callable[..., Any]: ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the delivery of one event ended: `outcome` is `delivered`, or `dead` for a dead letter with its `reason`.

    `attempts` counts the requests. `status`, `document` (the JSON) and `headers` (names in lower case) are those of the
    last answer.
    """

    outcome: Literal["delivered", "dead"]
    status: int
    attempts: int
    reason: str = ""
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def deliver(
    function: HasApp | Callable[..., Any] | str,
    event: Mapping[str, Any] | bytes,
    *,
    attempts: int = 10,
    as_cloudevent: bool = False,
) -> Delivery:
    """Deliver one event as Penstock's connectors do: the same verdicts, at most `attempts` requests, no waits.

    `function` is a `Lake`, a WSGI application or the URL of a served function. `event` is MinIO's JSON (`Lake.event`,
    `notification`) or a reference, `{"bucket": "upload", "key": "a.txt"}`. With `as_cloudevent` MinIO's JSON goes as
    the bridge sends it to Knative; raises `EventError` for what is not MinIO's JSON.
    """
    data = event if isinstance(event, bytes) else json.dumps(event).encode()
    headers = {"Content-Type": "application/json"}
    path = "/event"
    if as_cloudevent:
        (wrapped,) = to_cloudevents(data)
        data, headers, path = wrapped.data, wrapped.http_headers(), "/"
    if isinstance(function, str):
        send = partial(_over_http, function)
    else:
        send = partial(_to_application, getattr(function, "app", function))
    for attempt in count(1):
        answer = send(path, data, headers)
        verdict = judge(answer, time.time())
        if verdict.outcome is not DeliveryOutcome.RETRY or attempt >= attempts:
            break
    document = _json_of(answer.body)
    if verdict.outcome is DeliveryOutcome.DELIVERED:
        return Delivery("delivered", verdict.code, attempt, document=document, headers=answer.headers)
    reason = document["reason"] if isinstance(document, dict) and "reason" in document else verdict.reason
    return Delivery("dead", verdict.code, attempt, reason, document, answer.headers)


def notification(bucket: str, key: str, name: str = "s3:ObjectCreated:Put") -> dict[str, Any]:
    """The JSON that MinIO sends about one object, as far as it matters: the key is URL-encoded as MinIO does it."""
    encoded = quote_plus(key, safe="/")
    record = {"eventVersion": "2.0", "eventSource": "minio:s3", "eventName": name}
    place = {"bucket": {"name": bucket}, "object": {"key": encoded}}
    time_text = "2025-01-01T00:00:00.000Z"
    return {
        "EventName": name,
        "Key": f"{bucket}/{key}",
        "Records": [{**record, "eventTime": time_text, "s3": {"s3SchemaVersion": "1.0", **place}}],
    }


def _to_application(app: Any, path: str, data: bytes, headers: Mapping[str, str]) -> TargetAnswer:
    from werkzeug.test import Client

    answer = Client(app).post(path, data=data, headers=dict(headers))
    return TargetAnswer(answer.status_code, _lower(answer.headers.items()), answer.get_data())


# A redirected POST would become a GET without a body.
_OPENER = urllib.request.build_opener(NoRedirect)


def _over_http(url: str, path: str, data: bytes, headers: Mapping[str, str]) -> TargetAnswer:
    request = urllib.request.Request(url.rstrip("/") + path, data, dict(headers), method="POST")  # noqa: S310
    try:
        with _OPENER.open(request, timeout=60) as answer:
            return TargetAnswer(answer.status, _lower(answer.headers.items()), answer.read())
    except urllib.error.HTTPError as error:
        return TargetAnswer(error.code, _lower(error.headers.items()), error.read())
    except OSError as error:
        return TargetAnswer(502, error=f"{url}: {error}")


def _lower(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


def _json_of(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
