"""docs/events.md: each shape on it is read as it says, each answer on it is the code's, and its lists are whole."""

import json
import re
from typing import Any

import pytest
from penstock import Context, Event, Result, UnsupportedInput
from penstock.connect.kafka.dead_letter_topic import HEADERS, OWN_HEADERS
from penstock.events import parse
from penstock.events.names import ACCESSED, ACTED_ON, IGNORED, kind_of
from penstock.serving.routes import MAX_EVENT_BYTES, MAX_EVENT_OBJECTS
from penstock.testing import Lake, deliver
from penstock.types import ObjectRef

from tests.paths import DOCS

PAGE = (DOCS / "events.md").read_text(encoding="utf-8")
SECTIONS = {text.partition("\n")[0]: text for text in re.split(r"^## ", PAGE, flags=re.M)[1:]}
SHAPES = re.findall(r"^```json\n(.*?)^```", SECTIONS["Shapes that are read"], re.S | re.M)
ANSWERS = [
    json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", SECTIONS["What a function answers"], re.S | re.M)
]
OBJECT = ObjectRef("upload", "dir/日本 x+y.csv")


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape[:24])
def test_shape_of_the_page_names_its_object(shape: str) -> None:
    assert [found.ref for found in parse(shape.encode(), {})] == [OBJECT]


def test_page_has_each_shape_that_is_json() -> None:
    assert [shape.lstrip("[{\n ").partition('"')[2].partition('"')[0] for shape in SHAPES] == [
        "bucket",
        "bucket",
        "EventName",
        "eventName",
        "specversion",
    ]


def test_shape_in_binary_mode_names_its_object() -> None:
    (request,) = re.findall(r"^```text\n(.*?)^```", SECTIONS["Shapes that are read"], re.S | re.M)
    head, _, body = request.partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    (found,) = parse(body.encode(), headers)
    assert found.ref == OBJECT


def test_batch_and_list_may_hold_each_shape() -> None:
    assert [found.ref for found in parse(f"[{','.join(SHAPES[2:])}]".encode(), {})] == [OBJECT] * 3
    batch = {"Content-Type": "application/cloudevents-batch+json"}
    assert [found.ref for found in parse(f"[{SHAPES[4]}]".encode(), batch)] == [OBJECT]


def test_limits_of_the_page_are_those_of_the_code() -> None:
    assert f"At most {MAX_EVENT_OBJECTS:,} objects and {MAX_EVENT_BYTES >> 20} MiB" in PAGE


def test_names_of_the_page_are_those_of_the_code() -> None:
    rows = [line.split(" | ") for line in SECTIONS["Names of events"].splitlines() if line.startswith("| `")]
    told: dict[str, str] = {}
    for names, what in rows:
        family, *actions = re.findall(r"`([^`]+)`", names)
        told.update({f"{family}{action}": what for action in actions} if actions else {family: what})
    acted_on = {name for name, what in told.items() if what.startswith("looks")}
    assert acted_on == {f"s3:{family}:{action}" for family, (_, words) in ACTED_ON.items() for action in words.split()}
    assert {name.removesuffix(":") for name in told} - acted_on == {f"s3:{family}" for family in IGNORED}
    assert ACCESSED in IGNORED
    assert kind_of("s3:ObjectTagging:Put").value == "other"


def shout(event: Event[Any], context: Context[Any]) -> Result:
    data = event.body.read()
    if not data:
        raise UnsupportedInput(f"{event.name}: is empty")
    return Result(data.upper())


def test_answers_of_the_page_are_those_of_the_code() -> None:
    lake = Lake(shout)
    lake.put("notes.txt", b"hello")
    lake.put("empty.txt", b"")
    events = (lake.event("notes.txt"), lake.event("empty.txt"), {"bucket": "other", "key": "a.txt"})
    given = [deliver(lake, event).document for event in events]
    assert json.loads(json.dumps(given).replace("tested", "shout")) == ANSWERS


def test_answer_to_a_cloudevent_is_one_with_the_attributes_of_the_page() -> None:
    lake = Lake(shout)
    lake.put("notes.txt", b"hello")
    first, again = (deliver(lake, lake.event("notes.txt"), as_cloudevent=True).headers for _ in range(2))
    assert first["ce-type"] == "penstock.object.processed"
    assert f"`{first['ce-source'].replace('tested', 'FUNCTION')}`" in PAGE
    assert first["ce-subject"] == "upload/notes.txt"
    assert first["ce-id"] == again["ce-id"]


def test_headers_of_dead_letters_are_those_of_the_code() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \|", SECTIONS["What a connector adds"], re.M)
    assert tuple(told) == HEADERS + OWN_HEADERS
