"""The traceparent header, held against the cases of the specification, and read alike wherever it comes in."""

from __future__ import annotations

import pytest
from penstock.connect.bridge.messages import to_messages
from penstock.delivery.http import HttpTarget
from penstock.events import parse, read_traceparent

from tests.functional.test_app import notification, serve
from tests.lake import Lake
from tests.paths import EVENTS

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PLAIN = f"00-{TRACE}-{PARENT}-01"

# From https://www.w3.org/TR/trace-context-2/#traceparent-header-field-values: the header, and what is sent on.
CASES = {
    "version 00": (PLAIN, PLAIN),
    "not sampled": (f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-00"),
    "random flag of level 2": (f"00-{TRACE}-{PARENT}-03", f"00-{TRACE}-{PARENT}-03"),
    "version 00 is exactly 55 characters": (f"{PLAIN}-more", None),
    "version 00 with a dash at its end": (f"{PLAIN}-", None),
    "later version of the same length": (f"cc-{TRACE}-{PARENT}-01", PLAIN),
    "later version, longer": (f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like", PLAIN),
    "later version, longer without a dash": (f"cc-{TRACE}-{PARENT}-01.what", None),
    "version ff": (f"ff-{TRACE}-{PARENT}-01", None),
    "trace id of zeros": (f"00-{'0' * 32}-{PARENT}-01", None),
    "parent id of zeros": (f"00-{TRACE}-{'0' * 16}-01", None),
    "upper-case hex": (PLAIN.upper(), None),
    "one digit too few": (PLAIN[:-1], None),
    "not hex": (PLAIN.replace("b", "g"), None),
    "space before": (f" {PLAIN}", None),
    "empty": ("", None),
}
table = pytest.mark.parametrize(("header", "sent_on"), CASES.values(), ids=CASES)


@table
def test_header_is_read_as_the_specification_says(header: str, sent_on: str | None) -> None:
    found = read_traceparent(header)
    assert (str(found) if found else None) == sent_on


def test_parts_are_named() -> None:
    found = read_traceparent(PLAIN)
    assert found is not None
    assert (found.trace_id, found.parent_id, found.flags) == (TRACE, PARENT, "01")


@table
def test_function_event_and_bridge_read_it_alike(lake: Lake, header: str, sent_on: str | None) -> None:
    lake.put(b"one")
    answer = serve(lake).post("/event", json=notification("a.txt"), environ_overrides={"HTTP_TRACEPARENT": header})
    assert answer.headers.get("traceparent") == sent_on
    body = (EVENTS / "minio_put.json").read_bytes()
    assert [found.traceparent for found in parse(body, {"traceparent": header})] == [sent_on]
    [message] = to_messages(body, (HttpTarget("sink", "http://sink.example/"),), {}, header)
    assert message.headers.get("traceparent") == sent_on
