"""Which way in carries which key: each key by each way, sent by the deliverer's own client to a server, and read there.

docs/ways-in.md says the same. Records have keys as MinIO writes them (`url.QueryEscape` of Go), unless a way says
otherwise.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import pytest
from penstock.connect.bridge.messages import to_messages
from penstock.connect.kafka import records
from penstock.connect.listing.hints import removed, written
from penstock.connect.messages import make_messages
from penstock.connect.redis.access_format import as_notification
from penstock.delivery.deliverer import Message
from penstock.delivery.http import HttpTarget, HttpTransport
from penstock.delivery.verdict import TargetAnswer
from penstock.errors import EventError
from penstock.events import parse
from penstock.types import ObjectRef, ObjectState
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.paths import DOCS
from tests.store_contract import KEYS

CARRIED = KEYS | {
    "carriage return": "a\rb.csv",
    "line end": "a\r\nb.csv",
    "control": "a\x01b.csv",
    "escape": "\x1b[31mred.csv",
    "delete": "a\x7fb.csv",
    "next line": "a\x85b.csv",
    "line separator": "a\u2028b.csv",
    "byte order mark": "\ufeffa.csv",
    "no character": "a\uffffb.csv",
    "beyond the first plane": "📷/🖼️.jpg",
    "1024 bytes": "/".join(["x" * 204] * 5),
    "1024 bytes of escapes": "\n" * 1024,
    "two slashes": "a//b.csv",
    "folder marker": "a/",
    "plus alone": "+",
    "percent alone": "%",
    "broken escape": "%zz%",
    "escape of an escape": "%252F",
    "JSON inside": '{"Records": []}',
    "a header inside": "a\r\nX-Topic: other\r\n\r\nbody",
}
REFUSED = {
    # MinIO has none of these: it refuses them, or drops the slash.
    **{
        name: quote_plus(key)
        for name, key in {
            "dots": "../../etc/passwd",
            "dot": "./a.csv",
            "leading slash": "/a.csv",
            "NUL": "a\0b.csv",
            "empty": "",
        }.items()
    },
    # What Go writes for bytes that are not UTF-8.
    "not UTF-8": "a%FFb.csv",
    "half a surrogate pair": "a\\ud800b.csv",
    "half a surrogate pair, escaped": "a%ED%A0%80b.csv",
    "broken escape": "100%.csv",
}


def record(encoded: str) -> dict[str, Any]:
    return {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "eventName": "s3:ObjectCreated:Put",
        "s3": {"bucket": {"name": "upload"}, "object": {"key": encoded, "size": 1, "eTag": "e"}},
    }


def notification(key: str, encoded: str) -> bytes:
    """As MinIO sends it; `Key` is as it is."""
    return as_json({"EventName": "s3:ObjectCreated:Put", "Key": f"upload/{key}", "Records": [record(encoded)]})


def as_json(document: Any) -> bytes:
    """Half a surrogate pair stands in JSON as an escape alone."""
    return json.dumps(document).replace("\\\\ud800", "\\ud800").encode()


class KafkaRecord(NamedTuple):
    """A record whose key is `bucket/key` as it is, as MinIO writes it."""

    keyed: bytes
    body: bytes

    def topic(self) -> str:
        return "upload"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 1

    def key(self) -> bytes:
        return self.keyed

    def value(self) -> bytes:
        return self.body

    def headers(self) -> None:
        return None


def queue(kind: str, *, cloudevents: bool) -> Callable[[str, str], Sequence[Message[None]]]:
    def way(key: str, encoded: str) -> Sequence[Message[None]]:
        body = notification(key, encoded)
        if kind == "redis":
            body = as_notification(as_json([{"Event": [record(encoded)], "EventTime": ""}]))
        if kind == "sqs":
            body = json.dumps({"Type": "Notification", "TopicArn": "arn:x", "Message": body.decode()}).encode()
        return make_messages("a/topic", body, "f", "here", None, kind=kind, cloudevents=cloudevents)

    return way


def kafka(make: records.Make) -> Callable[[str, str], Sequence[Message[None]]]:
    def way(key: str, encoded: str) -> Sequence[Message[None]]:
        keyed = f"upload/{key}".encode("utf-8", "surrogatepass")
        return make(KafkaRecord(keyed, notification(key, encoded)), "f", None)

    return way


def bridge(key: str, encoded: str) -> Sequence[Message[Any]]:
    return to_messages(notification(key, encoded), [HttpTarget("f", "http://f/")], {})


def posted(body: bytes, **headers: str) -> Sequence[Message[None]]:
    return [Message("", body, {"Content-Type": "application/json", **headers}, "here", "f", None)]


WAYS: dict[str, Callable[[str, str], Sequence[Message[Any]]]] = {
    "bridge": bridge,
    "connect kafka": kafka(records.openfaas("text/plain")),
    "connect kafka --cloudevents": kafka(records.cloudevents("group")),
    **{
        f"connect {kind}{' --cloudevents' if cloudevents else ''}": queue(kind, cloudevents=cloudevents)
        for kind in ("mqtt", "nats", "amqp", "redis", "sqs")
        for cloudevents in (False, True)
    },
    "/event": lambda key, encoded: posted(notification(key, encoded)),
}
RAW: dict[str, Callable[[str], Sequence[Message[Any]]]] = {
    # Ways that have the key as it is, and so carry what a store's encoding cannot break.
    "watch": lambda key: posted(written([ObjectState(ObjectRef("upload", key), 1, "e")])),
    "watch, gone": lambda key: posted(removed([ObjectRef("upload", key)])),
    "/event, a reference": lambda key: posted(json.dumps({"bucket": "upload", "key": key}).encode()),
}


@pytest.fixture
def send(httpserver: HTTPServer) -> Callable[[Sequence[Message[Any]]], list[str]]:
    """Sends messages with the deliverer's client; the keys that a function reads, in order."""
    found: list[str] = []

    def read(request: Request) -> Response:
        try:
            keys = [each.ref.key for each in parse(request.get_data(), dict(request.headers))]
        except EventError:
            return Response(status=400)
        found.extend(keys)
        return Response(status=200)

    httpserver.expect_request("/f").respond_with_handler(read)

    def send(messages: Sequence[Message[Any]]) -> list[str]:
        async def run() -> list[int]:
            loop = asyncio.get_running_loop()
            transport = HttpTransport(HttpTarget("f", httpserver.url_for("/f")), timeout_seconds=30, loop=loop)
            statuses = []
            for message in messages:
                answered: asyncio.Future[TargetAnswer] = loop.create_future()
                transport.send(message, answered.set_result)
                statuses.append((await answered).status)
            transport.close()
            return statuses

        found.clear()
        statuses = asyncio.run(run())
        assert len(statuses) == len(messages)
        assert set(statuses) <= {200, 400}, "neither the client nor the server's HTTP refuses it"
        return list(found)

    return send


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_way_carries_each_key_as_it_is(way: str, send: Callable[[Sequence[Message[Any]]], list[str]]) -> None:
    made = [message for key in CARRIED.values() for message in WAYS[way](key, quote_plus(key))]
    assert send(made) == list(CARRIED.values())


@pytest.mark.parametrize("way", RAW)
def test_way_without_a_stores_encoding_carries_each_key_as_it_is(
    way: str, send: Callable[[Sequence[Message[Any]]], list[str]]
) -> None:
    assert send([message for key in CARRIED.values() for message in RAW[way](key)]) == list(CARRIED.values())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("encoded", REFUSED.values(), ids=REFUSED)
def test_what_is_no_key_becomes_no_other_key(
    way: str, encoded: str, send: Callable[[Sequence[Message[Any]]], list[str]]
) -> None:
    """A function refuses it (400), which makes it a dead letter; the bridge refuses it itself, and keeps it so."""
    if way == "bridge":
        with pytest.raises(EventError):
            WAYS[way](encoded, encoded)
        return
    made = WAYS[way](encoded, encoded)
    assert made
    assert send(made) == []


def test_docs_name_each_way() -> None:
    text = (DOCS / "ways-in.md").read_text()
    table = text.partition("## Which keys they carry")[2].partition("\n## ")[0]
    named = {cell.strip() for line in table.splitlines() for cell in line.split("|")[1:2] for cell in cell.split(",")}
    assert {f"`{way.partition(' --')[0]}`" for way in WAYS} | {"`watch`", "KafkaSource"} <= named
