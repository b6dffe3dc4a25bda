"""For any key: every shape brings the same notification. For any input: a list or an EventError, nothing else."""

import base64
import json
import string
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from penstock.errors import EventError
from penstock.events import (
    is_object_request,
    looks_like_notification,
    parse,
    parse_listen_line,
    to_cloudevents,
)

HARD_KEYS = [
    "a b.csv",
    "a+b.csv",
    "100%.csv",
    "%2F%20+",
    "a&b=c?d#e.csv",
    "quo'te\".csv",
    "two\nlines\r\n.csv",
    "tab\tand\x01\x7f.csv",
    "日本語/データ.csv",
    "e\u0301 and \u00e9.csv",
    "/".join(["🜁" * 60] * 4),
    "/".join(["a" * 250] * 3) + "/" + "b" * 147,
    "...",
    ".hidden/..x",
]


def storable(key: str) -> bool:
    possible = "\0" not in key and 1 <= len(key.encode()) <= 1024 and {".", ".."}.isdisjoint(key.split("/"))
    return possible and not key.startswith("/")


keys = st.one_of(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
    st.text(" +%&?#'\"\n\\/ab日é", min_size=1, max_size=60),
).filter(storable)


def go_query_escape(key: str) -> str:
    """Encode as Go's `url.QueryEscape`, which MinIO uses: letters, digits and -_.~ stay, a space is +."""
    return quote_plus(key, safe="")


def notification(key: str, *, encoded: bool = True) -> dict[str, Any]:
    record = {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": "",
        "eventTime": "2026-11-21T02:34:26.251Z",
        "eventName": "s3:ObjectCreated:Put",
        "s3": {
            "bucket": {"name": "upload"},
            "object": {
                "key": go_query_escape(key) if encoded else key,
                "eTag": "e5eb",
                "sequencer": "18E9EEC74D8B5E11",
            },
        },
    }
    return {"EventName": "s3:ObjectCreated:Put", "Key": f"upload/{key}", "Records": [record]}


def each_key(test: Any) -> Any:
    for key in HARD_KEYS:
        test = example(key)(test)
    return settings(max_examples=60)(given(keys)(test))


@each_key
def test_any_key_comes_back_through_every_shape(key: str) -> None:
    body = notification(key)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    raw = text.encode()
    attributes = {"specversion": "1.0", "id": "1", "source": "minio:s3..upload", "type": "com.amazonaws.s3.x"}
    binary = {f"ce-{name}": value for name, value in attributes.items()}
    kafka_source = binary | {"ce-type": "dev.knative.kafka.event", "ce-key": quote_plus(key)}
    structured, batch = "application/cloudevents+json", "application/cloudevents-batch+json"
    in_base64 = base64.b64encode(raw).decode()
    expected = parse(raw, {"Content-Type": "application/json"})
    (sent,) = to_cloudevents(raw)
    shapes = {
        "escaped JSON": parse(json.dumps(body, indent=1).encode(), {}),
        "connector": parse(raw, {"content-type": "text/plain", "x-topic": "upload"}),
        "Elasticsearch": parse(json.dumps({"Records": body["Records"]}).encode(), {}),
        "binary": parse(raw, binary | {"content-type": "application/json"}),
        "binary, one record": parse(json.dumps(body["Records"][0]).encode(), binary),
        "KafkaSource": parse(raw, kafka_source),
        "structured": parse(json.dumps(attributes | {"data": body}).encode(), {"content-type": structured}),
        "structured, text": parse(json.dumps(attributes | {"data": text}).encode(), {"content-type": structured}),
        "structured, base64": parse(
            json.dumps(attributes | {"data_base64": in_base64}).encode(), {"content-type": structured}
        ),
        "batch": parse(json.dumps([attributes | {"data": body}]).encode(), {"content-type": batch}),
        "listen stream": parse_listen_line(json.dumps(notification(key, encoded=False)).encode() + b"\n"),
        "bridge": parse(sent.data, sent.http_headers()),
    }
    assert [found.ref.key for found in expected] == [key]
    assert {shape: found for shape, found in shapes.items() if found != expected} == {}
    assert looks_like_notification(raw[: 64 * 1024])


@each_key
def test_references_take_any_key_as_it_is(key: str) -> None:
    text = json.dumps({"bucket": "upload", "key": key}).encode()
    assert [found.ref.key for found in parse(text, {})] == [key]
    assert [found.ref.key for found in parse(b"[" + text + b"]", {"x-topic": "upload"})] == [key]


MEMBERS = """
    Records EventName Key eventName eventTime eventSource awsRegion s3 bucket object key name size eTag versionId
    sequencer specversion id source type time subject data data_base64 datacontentencoding Event traceparent
"""
members = st.sampled_from(MEMBERS.split())
texts = st.one_of(
    st.text(st.characters(), max_size=8),  # with lone surrogates
    st.sampled_from(
        ["s3:ObjectCreated:Put", "1.0", "0.3", "penstock.x", "a%ff", "s3:TestEvent", "2026-11-21T02:34:26Z"]
    ),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(members, st.text(max_size=4)), inner, max_size=6)
    ),
    max_leaves=25,
)
header_values = st.text(string.printable + "é", max_size=20)
headers = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "Content-Type": st.sampled_from(
                ["", "application/json", "application/cloudevents+json", "application/cloudevents-batch+json", ";"]
            ),
            "ce-specversion": st.sampled_from(["1.0", "0.3", "2", ""]),
            "ce-id": header_values,
            "ce-source": header_values,
            "ce-type": st.one_of(header_values, st.just("penstock.x")),
            "ce-time": st.one_of(header_values, st.just("2026-11-21T02:34:26Z")),
            "traceparent": header_values,
        },
    ),
    st.just({"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"}),
)


def check_answer(body: bytes, given_headers: dict[str, str]) -> None:
    """For any input: an answer or an `EventError`, and every text in either can be sent on as UTF-8."""
    is_object_request(given_headers)
    looks_like_notification(body)
    try:
        for found in parse(body, given_headers):
            f"{found.ref} {found.name} {found.etag} {found.version_id} {found.sequencer} {found.time}".encode()
    except EventError as exc:
        str(exc).encode()
    try:
        parse_listen_line(body)
    except EventError as exc:
        str(exc).encode()
    try:
        for event in to_cloudevents(body):
            event.http_headers()
    except EventError as exc:
        str(exc).encode()


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)), headers)
def test_any_bytes_are_read_or_refused(body: bytes, given_headers: dict[str, str]) -> None:
    check_answer(body, given_headers)


@pytest.mark.long
@settings(deadline=None, max_examples=300)
@given(values, headers)
def test_any_json_is_read_or_refused(value: object, given_headers: dict[str, str]) -> None:
    check_answer(json.dumps(value).encode(), given_headers)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all members, at any depth."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, inner in items for place in places(inner, (*path, name)))]


@pytest.mark.long
@settings(deadline=None, max_examples=300)
@given(st.data(), values, headers, st.booleans())
def test_a_notification_with_anything_anywhere_is_read_or_refused(
    data: st.DataObject, value: object, given_headers: dict[str, str], wrapped: bool
) -> None:
    body: Any = notification("a b.csv")
    if wrapped:
        body = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": body}
    *path, last = data.draw(st.sampled_from(places(body)[1:]))
    parent = body
    for step in path:
        parent = parent[step]
    parent[last] = value
    check_answer(json.dumps(body).encode(), given_headers)


def nested(depth: int) -> tuple[bytes, bytes]:
    """A notification, and a CloudEvent around one, with a member nested to `depth`."""
    deep = '{"a":' * depth + "1" + "}" * depth
    text = json.dumps(notification("a")).replace('"eTag"', f'"userMetadata": {deep}, "eTag"')
    wrapped = f'{{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "x": {deep}, "data": {text}}}'
    return text.encode(), wrapped.encode()


@pytest.mark.parametrize("depth", [100, 5_000, 200_000])
def test_nesting_of_any_depth_is_read_or_refused(depth: int) -> None:
    plain, wrapped = nested(depth)
    check_answer(plain, {})
    check_answer(wrapped, {"content-type": "application/cloudevents+json"})


@pytest.mark.long
def test_nesting_that_can_be_read_but_not_written_is_refused() -> None:
    """Where Python's reader gives way and where its writer does are a few levels apart, so try them all."""
    for depth in range(800, 1000):
        plain, wrapped = nested(depth)
        check_answer(plain, {})
        check_answer(wrapped, {"content-type": "application/cloudevents+json"})
