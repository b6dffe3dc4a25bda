"""The HTTP side of one function: routes, statuses, answers, health, metrics and what a log line carries."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus

import pytest
from flask.testing import FlaskClient
from penstock import (
    Context,
    Event,
    EventError,
    Forbidden,
    InputTooLarge,
    NothingToDo,
    PermanentError,
    Result,
    TemporaryError,
    UnsupportedInput,
)
from penstock.process.log import set_up_logging
from penstock.process.metrics import Metrics
from penstock.serving.app import create_app
from penstock.serving.health import Health
from penstock.sinks.address import parse_sink
from penstock.sinks.cassandra import CassandraSink
from penstock.sinks.cassandra_address import CassandraAddress
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from tests.lake import SOURCE, TARGET, Lake, upper
from tests.store_contract import KEYS

JSON = {"Content-Type": "application/json"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def serve(lake: Lake) -> FlaskClient:
    """A client of the lake's function."""
    return create_app(lake.runtime, Health(lake.runtime), Metrics(lake.function.name)).test_client()


def notification(*keys: str, name: str = "s3:ObjectCreated:Put", bucket: str = "upload") -> dict[str, Any]:
    """What MinIO sends; it encodes keys as a query string would."""
    records = [
        {
            "eventName": name,
            "eventSource": "minio:s3",
            "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key), "sequencer": "17E"}},
        }
        for key in keys
    ]
    return {"EventName": name, "Key": f"{bucket}/{keys[0]}", "Records": records}


def raising(error: BaseException) -> Callable[[Event[Any], Context[Any]], Result]:
    def handle(_event: Event[Any], _context: Context[Any]) -> Result:
        raise error

    return handle


@pytest.fixture
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    set_up_logging("INFO", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = before, level


# Object mode


def test_notification_is_processed(lake: Lake) -> None:
    lake.put(b"one")
    response = serve(lake).post("/event", json=notification("a.txt"))
    assert response.status_code == 200
    assert response.json is not None
    assert response.json["outcome"] == "processed"
    assert lake.read() == b"ONE"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"X-Topic": "uploads", "Content-Type": "text/plain"}, notification("a.txt")),
        ({"X-Topic": "uploads"}, {"bucket": "upload", "key": "a.txt"}),
        (
            {"Content-Type": "application/cloudevents+json"},
            {"specversion": "1.0", "id": "1", "type": "t", "source": "s", "data": notification("a.txt")},
        ),
        (
            {"ce-specversion": "1.0", "ce-id": "1", "ce-type": "dev.knative.kafka.event", "ce-source": "/k"},
            notification("a.txt"),
        ),
        (
            {"Content-Type": "application/cloudevents-batch+json"},
            [{"specversion": "1.0", "id": "1", "type": "t", "source": "s", "data": notification("a.txt")}],
        ),
    ],
    ids=["connector", "connector with a reference", "structured", "binary without content type", "batch"],
)
@pytest.mark.parametrize("path", ["/", "/event", "/some/path", "/event/"])
def test_event_is_known_by_its_headers_on_any_path(
    lake: Lake, headers: Mapping[str, str], body: Any, path: str
) -> None:
    lake.put(b"one")
    assert serve(lake).post(path, data=json.dumps(body), headers=headers).status_code == 200
    assert lake.read() == b"ONE"


def test_no_route_can_make_a_url_because_that_would_be_compiled_at_each_start(lake: Lake) -> None:
    for rule in serve(lake).application.url_map.iter_rules():
        with pytest.raises(NotImplementedError):
            rule.build({"path": "a"})


def test_unchanged_object_gets_the_same_answer(lake: Lake) -> None:
    lake.put(b"one")
    client = serve(lake)
    first, second = (client.post("/event", json=notification("a.txt")) for _ in range(2))
    assert (first.status_code, first.data) == (second.status_code, second.data)


CLOUDEVENT = {"ce-specversion": "1.0", "ce-id": "1", "ce-type": "t", "ce-source": "s", **JSON}


def test_cloudevent_is_answered_with_one_that_every_delivery_gets_alike(lake: Lake) -> None:
    lake.put(b"one")
    client = serve(lake)
    first, second = (
        client.post("/", json=notification("a.txt"), headers={**CLOUDEVENT, "ce-id": str(number)})
        for number in range(2)
    )
    assert first.headers["ce-type"] == "penstock.object.processed"
    assert first.headers["ce-specversion"] == "1.0"
    assert first.headers["ce-source"] == "/penstock/functions/upper"
    assert first.headers["ce-subject"] == "upload/a.txt"
    assert first.headers["ce-id"] == second.headers["ce-id"]
    assert first.headers["Content-Type"] == "application/json"
    assert first.json == second.json
    lake.put(b"two")
    assert client.post("/", json=notification("a.txt"), headers=CLOUDEVENT).headers["ce-id"] != first.headers["ce-id"]


def test_own_answer_that_a_broker_feeds_back_is_ignored(lake: Lake) -> None:
    lake.put(b"one")
    client = serve(lake)
    answer = client.post("/", json=notification("a.txt"), headers=CLOUDEVENT)
    back = {name: value for name, value in answer.headers.items() if name.lower().startswith(("ce-", "content-type"))}
    lake.requests.clear()
    assert client.post("/", data=answer.data, headers=back).status_code == 204
    assert lake.requests == []


def test_caller_that_sent_no_cloudevent_gets_none(lake: Lake) -> None:
    lake.put(b"one")
    response = serve(lake).post("/event", json=notification("a.txt"))
    assert not [name for name, _ in response.headers if name.lower().startswith("ce-")]


@pytest.mark.parametrize("subject", ["with space", "日本語", "new\nline", "100%"])
def test_answer_to_an_unusual_key_is_a_valid_cloudevent(lake: Lake, subject: str) -> None:
    lake.put(b"one", ObjectRef("upload", subject))
    response = serve(lake).post("/", json=notification(subject), headers=CLOUDEVENT)
    assert response.status_code == 200
    assert response.headers["ce-subject"].isascii()


def test_source_that_is_gone_is_answered_as_removed(make_lake: Callable[..., Lake]) -> None:
    lake = make_lake(remove_with_source=True)
    lake.put(b"one")
    client = serve(lake)
    client.post("/event", json=notification("a.txt"))
    lake.delete()
    response = client.post("/", json=notification("a.txt", name="s3:ObjectRemoved:Delete"), headers=CLOUDEVENT)
    assert (response.status_code, response.headers["ce-type"]) == (200, "penstock.object.removed")


def test_nothing_to_do_is_a_200_that_says_why(lake: Lake) -> None:
    lake.put(b"done")
    response = serve(lake).post("/", json=notification("a.txt"), headers=CLOUDEVENT)
    assert (response.status_code, response.headers["ce-type"]) == (200, "penstock.object.refused")
    assert response.json is not None
    assert response.json["reason"] == "a.txt: is done already"


def test_large_object_is_handed_over_with_a_202(make_lake: Callable[..., Lake]) -> None:
    lake = make_lake(offload=lambda state: f"handed to a Job: {state.size} bytes", offload_above_bytes=2)
    lake.put(b"one")
    response = serve(lake).post("/event", json=notification("a.txt"))
    assert response.status_code == 202
    assert response.json is not None
    assert (response.json["outcome"], response.json["reason"]) == ("offloaded", "handed to a Job: 3 bytes")


def test_good_answer_to_a_cloudevent_is_a_cloudevent_or_empty(make_lake: Callable[..., Lake]) -> None:
    """Knative's Broker answers anything else with 502, and sends the event ten times more."""
    lake = make_lake(offload=lambda state: "handed to a Job", offload_above_bytes=5)
    lake.put(b"too large", ObjectRef("upload", "large"))
    lake.put(b"one", ObjectRef("upload", "a"))
    lake.put(b"two", ObjectRef("upload", "b"))
    client = serve(lake)
    for keys, status in ((("large",), 202), (("a", "b"), 200), (("a", "large"), 200)):
        response = client.post("/", json=notification(*keys), headers=CLOUDEVENT)
        assert (response.status_code, response.data) == (status, b"")
        assert "ce-type" not in response.headers


@pytest.mark.parametrize(
    "name", ["s3:ObjectAccessed:Get", "s3:ObjectAccessed:Head", "s3:BucketCreated:*", "s3:Replication:OperationFailed"]
)
def test_event_that_changes_nothing_is_ignored(lake: Lake, name: str) -> None:
    lake.put(b"one")
    assert serve(lake).post("/event", json=notification("a.txt", name=name)).status_code == 204
    assert lake.requests == []


def test_renditions_are_fetched_once(make_lake: Callable[..., Lake]) -> None:
    lake = make_lake(sink="s3://processed/{rendition}/{key}", renditions={"one": {}, "two": {"times": "2"}})
    lake.put(b"ab")
    response = serve(lake).post("/event", json=notification("a.txt"))
    assert response.json is not None
    assert [target["rendition"] for target in response.json["targets"]] == ["one", "two"]
    assert lake.requests.count(("GET", "upload/a.txt")) == 1


# Several records in one request


def test_batch_reports_every_record_and_retries_when_something_in_it_may_work_later(lake: Lake) -> None:
    for key, data in (("good", b"one"), ("bad", b"bad"), ("later", b"one")):
        lake.put(data, ObjectRef("upload", key))

    def fail(verb: str, ref: ObjectRef) -> None:
        if ref.key == "later":
            raise TemporaryError("the store is busy", retry_after=7)

    lake.before = fail
    body = notification("good", "bad", "later")
    body["Records"] += notification("x", bucket="secret")["Records"]
    response = serve(lake).post("/event", json=body)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "7")
    assert response.json is not None
    by_key = {result["source"]["key"]: result for result in response.json["results"]}
    assert {key: result["outcome"] for key, result in by_key.items()} == {
        "good": "processed",
        "bad": "refused",
        "later": "failed",
        "x": "failed",
    }
    assert by_key["x"]["error"] == "Forbidden"
    lake.before = None
    lake.requests.clear()
    assert serve(lake).post("/event", json=notification("good", "bad", "later")).status_code == 415
    assert [key for verb, key in lake.requests if verb == "PUT"] == ["processed/later"]


def test_unexpected_error_in_one_record_takes_no_other_down(make_lake: Callable[..., Lake]) -> None:
    def picky(event: Event[Any], context: Context[Any]) -> Result:
        if event.name == "crash":
            raise ZeroDivisionError
        return upper(event, context)

    lake = make_lake(picky)
    for key in ("crash", "good"):
        lake.put(b"one", ObjectRef("upload", key))
    response = serve(lake).post("/event", json=notification("crash", "good"))
    assert response.status_code == 503
    assert response.json is not None
    assert [result["outcome"] for result in response.json["results"]] == ["failed", "processed"]


def test_several_events_about_one_object_are_one_visit(lake: Lake) -> None:
    lake.put(b"one")
    response = serve(lake).post("/event", json=notification("a.txt", "a.txt", "a.txt"))
    assert response.json is not None
    assert response.json["outcome"] == "processed"
    assert [verb for verb, _ in lake.requests].count("PUT") == 1


# Statuses


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PermanentError("no good"), 422),
        (EventError("no good"), 400),
        (Forbidden("no good"), 403),
        (InputTooLarge("no good"), 413),
        (UnsupportedInput("no good"), 415),
        (TemporaryError("no good"), 503),
        (NothingToDo("no good"), 200),
    ],
    ids=lambda value: type(value).__name__,
)
def test_error_of_the_handler_has_its_status_in_both_modes(error: Exception, status: int) -> None:
    lake = Lake(raising(error))
    lake.put(b"one")
    client = serve(lake)
    for response in (client.post("/event", json=notification("a.txt")), client.post("/", data=b"one")):
        assert response.status_code == status
        assert response.json is not None
        assert response.json["reason"] == "no good"


@pytest.mark.parametrize(("seconds", "header"), [(2.4, "2"), (0.2, "1"), (0, "1"), (None, None)])
def test_temporary_error_says_when_to_come_back(seconds: float | None, header: str | None) -> None:
    lake = Lake(raising(TemporaryError("busy", retry_after=seconds)))
    lake.put(b"one")
    client = serve(lake)
    assert client.post("/event", json=notification("a.txt")).headers.get("Retry-After") == header
    assert client.post("/", data=b"x").headers.get("Retry-After") == header


@pytest.mark.parametrize("path", ["/event", "/"])
def test_unexpected_error_shows_an_incident_and_nothing_else(
    path: str, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    lake = Lake(raising(RuntimeError("password=hunter2 in /srv/secret")))
    lake.put(b"one")
    client = serve(lake)
    response = client.post(path, json=notification("a.txt")) if path == "/event" else client.post(path, data=b"one")
    assert response.status_code == 500
    assert response.json is not None
    assert "hunter2" not in response.text
    assert "Traceback" not in response.text
    assert "secret" not in response.text
    (line,) = [line for line in logged() if line.get("incident") == response.json["incident"]]
    assert "RuntimeError: password=hunter2" in line["trace"]


def test_error_text_with_half_a_surrogate_pair_is_answered_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest would keep the raw log line for its report, which no worker process can send to the main one.
    monkeypatch.setattr(logging.getLogger("penstock.app"), "propagate", False)
    response = serve(Lake(raising(PermanentError("half \ud800 pair")))).post("/", data=b"one")
    assert (response.status_code, response.json and response.json["reason"]) == (422, "half ? pair")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/event", 405), ("PUT", "/", 405), ("DELETE", "/event", 405), ("GET", "/a.csv", 405)],
)
def test_route_that_is_none_is_answered_in_json(lake: Lake, method: str, path: str, status: int) -> None:
    response = serve(lake).open(path, method=method)
    assert response.status_code == status
    assert response.json is not None
    assert response.json["outcome"] == "failed"
    assert response.json["status"] == status
    assert response.json["reason"].startswith(f"{method} {path}: ")
    assert "POST a file to /NAME, or an event to /event" in response.json["reason"]
    assert "POST" in response.headers["Allow"]


# Bad input


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "Multipart/Form-Data; boundary=x"])
def test_a_form_is_refused_with_the_way_to_send_a_file(lake: Lake, content_type: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\none\r\n--x--\r\n'
    response = serve(lake).post("/a.csv", data=body, headers={"Content-Type": content_type})
    assert response.status_code == 415
    assert response.json is not None
    assert response.json["reason"].startswith("a.csv: came as a form (multipart/form-data)")
    assert "curl --data-binary @FILE" in response.json["reason"]
    assert serve(lake).post("/a.csv", data=b"one", headers={"Content-Type": "multipart/mixed"}).status_code == 200


def post_event(lake: Lake, body: bytes | str, **headers: str) -> TestResponse:
    return serve(lake).post("/event", data=body, headers=headers)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the event is empty"),
        (b"   \n", "the event is empty"),
        (b"{", "not JSON"),
        (b'{"Records": [', "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"null", "expected a notification"),
        (b"5", "expected a notification"),
        (b'"text"', "expected a notification"),
        (b"[]", "the list is empty"),
        (b"{}", "expected a notification"),
        (b'{"Records": {}}', "Records: expected a list"),
        (b'{"Records": []}', "Records: is empty"),
        (b'{"Records": [5]}', "Records[0]: expected an object, got a number"),
        (b'{"Records": [{}]}', "Records[0].eventName: expected a string"),
        (b'{"bucket": "upload"}', "key: expected a string"),
        (b'{"bucket": 5, "key": "a"}', "bucket: expected a string, got a number"),
        (b'{"bucket": "upload", "key": ""}', "the key is empty"),
        (b'{"bucket": "upload", "key": "a/../../b"}', "has a segment '.' or '..'"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"bucket": "a", "bucket": "upload", "key": "a"}', "'bucket' twice"),
        (
            json.dumps(notification("a.txt", name="s3:ObjectExploded:Now")),
            "event name 's3:ObjectExploded:Now' is unknown",
        ),
        (json.dumps(notification("a.txt")).replace("a.txt", "%zz"), "is not percent-encoding"),
        (json.dumps({"bucket": "upload", "key": "k" * 1025}), "the key has 1025 bytes, S3 allows 1024"),
    ],
)
def test_malformed_event_is_a_400_that_names_what_is_wrong(lake: Lake, body: bytes | str, says: str) -> None:
    response = post_event(lake, body)
    assert response.status_code == 400
    assert response.json is not None
    assert response.json["error"] == "EventError"
    assert says in response.json["reason"]
    assert len(response.data) < 2000
    assert lake.requests == []


def test_bucket_outside_the_allow_list_is_a_403_and_is_not_touched(lake: Lake) -> None:
    response = serve(lake).post("/event", json=notification("a.txt", bucket="secret"))
    assert response.status_code == 403
    assert response.json is not None
    assert response.json["reason"] == (
        "s3://secret/a.txt: bucket 'secret' is not a source of upper; its sources: upload"
    )
    assert lake.requests == []


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_key_in_minio_s_encoding_finds_its_object_and_its_target(lake: Lake, key: str) -> None:
    lake.put(b"one", ObjectRef("upload", key))
    response = serve(lake).post("/event", json=notification(key))
    assert response.status_code == 200
    assert response.json is not None
    assert response.json["source"]["key"] == key
    assert lake.keys() == [key]


def test_missing_object_is_no_error(lake: Lake) -> None:
    response = serve(lake).post("/event", json=notification("never-was"))
    assert response.status_code == 200
    assert response.json is not None
    assert response.json["outcome"] == "removed"


def test_object_overwritten_between_event_and_read_is_taken_as_it_is_now(lake: Lake) -> None:
    lake.put(b"one")
    lake.put(b"two")
    assert serve(lake).post("/event", json=notification("a.txt")).status_code == 200
    assert lake.read() == b"TWO"


def test_event_over_the_limit_is_a_413_that_names_it(lake: Lake) -> None:
    body = b" " * (16 * 1024 * 1024 + 1)
    response = post_event(lake, body)
    assert response.status_code == 413
    assert "16777216" in response.text


def test_store_that_does_not_answer_is_a_503(lake: Lake) -> None:
    def fail(_verb: str, ref: ObjectRef) -> None:
        raise TemporaryError(f"{ref}: the object store failed")

    lake.before = fail
    response = serve(lake).post("/event", json=notification("a.txt"))
    assert response.status_code == 503
    assert response.json is not None
    assert response.json["error"] == "TemporaryError"


# Health


def test_alive_is_not_ready(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore("upload")
    late = Lake(store=store)
    client = serve(late)
    assert client.get("/_/health").status_code == 200
    response = client.get("/_/ready")
    assert response.status_code == 503
    assert "s3://processed: the bucket does not exist" in response.text
    assert client.get("/_/ready").status_code == 503
    # In the log too, where a platform shows no answer of a probe; once, although a probe comes several times a second.
    assert [each.message for each in caplog.records] == [f"not ready: {response.text.strip()}"]
    store.buckets["processed"] = {}
    assert client.get("/_/ready").status_code == 200
    del store.buckets["processed"]
    # Asked once, then never again: a store that fails later must not take every function out of service.
    assert client.get("/_/ready").status_code == 200


def test_draining_worker_is_alive_and_not_ready(lake: Lake) -> None:
    health = Health(lake.runtime)
    client = create_app(lake.runtime, health, Metrics("upper")).test_client()
    assert client.get("/_/ready").status_code == 200
    health.draining = True
    assert client.get("/_/ready").status_code == 503
    assert client.get("/_/health").status_code == 200
    assert client.post("/", data=b"x").status_code == 200


def test_handler_s_own_readiness_counts(make_lake: Callable[..., Lake]) -> None:
    answers = [False, True]
    client = serve(make_lake(hooks={"ready": lambda: answers.pop(0)}))
    assert client.get("/_/ready").status_code == 503
    assert client.get("/_/ready").status_code == 200


def test_readiness_that_crashes_is_not_ready(make_lake: Callable[..., Lake]) -> None:
    def ready() -> bool:
        raise OSError("no model file")

    response = serve(make_lake(hooks={"ready": ready})).get("/_/ready")
    assert response.status_code >= 500
    assert "no model file" not in response.text


# Metrics, logs, traces


def test_metrics_count_what_happened(lake: Lake) -> None:
    client = serve(lake)
    lake.put(b"one")
    client.post("/event", json=notification("a.txt"))
    client.post("/event", json=notification("a.txt"))
    client.post("/event", json=notification("a.txt", name="s3:ObjectAccessed:Get"))
    client.post("/event", data=b"{")
    client.post("/", data=b"four")
    response = client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    found = {
        (sample.name, *sorted(value for label, value in sample.labels.items() if label != "function")): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    assert found["penstock_events_total", "processed"] == 2
    assert found["penstock_events_total", "ignored"] == 1
    assert found["penstock_requests_total", "200", "object"] == 2
    assert found["penstock_requests_total", "204", "object"] == 1
    assert found["penstock_requests_total", "400", "object"] == 1
    assert found["penstock_requests_total", "200", "body"] == 1
    assert found["penstock_input_bytes_total",] == 3  # the second delivery changed nothing
    assert found["penstock_output_bytes_total",] == 3
    assert found["penstock_request_seconds_count",] == 5
    assert found["penstock_in_flight",] == 1  # the request for the metrics itself


def test_log_line_carries_event_and_trace(lake: Lake, logged: Callable[[], list[dict[str, Any]]]) -> None:
    lake.put(b"one")
    headers = {**CLOUDEVENT, "ce-id": "event-7", "traceparent": TRACE}
    response = serve(lake).post("/", json=notification("a.txt"), headers=headers)
    (line,) = [line for line in logged() if line["logger"] == "penstock.app"]
    assert (line["event_id"], line["trace_id"]) == ("event-7", TRACE.split("-")[1])
    assert (line["outcome"], line["changed"]) == ("processed", True)
    assert response.headers["traceparent"] == TRACE


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_trace_that_came_within_the_event_is_carried_on(
    lake: Lake, logged: Callable[[], list[dict[str, Any]]], mode: str
) -> None:
    lake.put(b"one")
    client = serve(lake)
    if mode == "binary":
        response = client.post("/", json=notification("a.txt"), headers={**CLOUDEVENT, "ce-traceparent": TRACE})
    else:
        event = {
            "specversion": "1.0",
            "id": "1",
            "type": "t",
            "source": "s",
            "traceparent": TRACE,
            "data": notification("a.txt"),
        }
        response = client.post("/", json=event, headers={"Content-Type": "application/cloudevents+json"})
    (line,) = [line for line in logged() if line["logger"] == "penstock.app"]
    assert line["trace_id"] == TRACE.split("-")[1]
    assert response.headers["traceparent"] == TRACE


def test_log_line_of_a_plain_notification_has_the_event_s_own_id(
    lake: Lake, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    lake.put(b"one")
    client = serve(lake)
    client.post("/event", json=notification("a.txt"))
    client.post("/event", json=notification("a.txt"))
    first, second = [line["event_id"] for line in logged() if line["logger"] == "penstock.app"]
    assert first == second
    assert len(first) == 32


@pytest.mark.parametrize("trace", ["", "nonsense", "00-xyz-1-01", TRACE.upper(), "x" * 5000])
def test_trace_that_is_none_is_left_out(lake: Lake, logged: Callable[[], list[dict[str, Any]]], trace: str) -> None:
    lake.put(b"one")
    response = serve(lake).post("/event", json=notification("a.txt"), environ_overrides={"HTTP_TRACEPARENT": trace})
    assert response.status_code == 200
    assert "traceparent" not in response.headers
    assert all("trace_id" not in line for line in logged())


def test_one_request_s_event_id_is_not_left_to_the_next(lake: Lake, logged: Callable[[], list[dict[str, Any]]]) -> None:
    lake.put(b"one")
    client = serve(lake)
    client.post("/", json=notification("a.txt"), headers={**CLOUDEVENT, "traceparent": TRACE})
    client.post("/event", data=b"{")
    last = logged()[-1]
    assert "event_id" not in last
    assert "trace_id" not in last


# Queries


def test_query_answers_get(make_lake: Callable[..., Lake]) -> None:
    lake = make_lake(hooks={"query": lambda arguments, _sink: {"got": arguments} if arguments else None})
    client = serve(lake)
    assert client.get("/?q=rose").json == {"got": {"q": "rose"}}
    twice = client.get("/?q=rose&q=tulip")
    assert (twice.status_code, twice.get_json()["reason"]) == (400, "parameter 'q' is given twice; give it once")
    assert client.get("/").status_code == 404


def test_search_of_an_index_that_cannot_search_is_not_implemented(make_lake: Callable[..., Lake]) -> None:
    address = parse_sink("cassandra://host/lake/documents")
    assert isinstance(address, CassandraAddress)
    lake = make_lake(hooks={"query": lambda arguments, _sink: CassandraSink(address).search(arguments["q"])})
    response = serve(lake).get("/?q=rose")
    assert response.status_code == 501
    assert "cannot be searched by words" in (response.json or {})["reason"]


def test_function_without_a_query_says_how_it_is_called(lake: Lake) -> None:
    response = serve(lake).get("/")
    assert response.status_code == 400
    assert "POST a file here, or an event to /event" in response.text


def test_target_is_where_the_answer_says(lake: Lake) -> None:
    lake.put(b"one", SOURCE)
    response = serve(lake).post("/event", json=notification(SOURCE.key))
    assert response.json is not None
    assert response.json["targets"][0]["address"] == str(TARGET)
