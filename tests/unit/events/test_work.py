"""How the work of each parser grows with its input: twice the input is at most about twice the steps.

Steps are counted, not timed: comparisons of names, and each time that a parser touches a member or an item.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from penstock.errors import EventError
from penstock.events import cloudevent, parse, parse_each, parse_listen_line, parsing, to_cloudevents, wrapped
from penstock.events.record import load_json, unique_members

from tests.unit.events.test_record import record


class Steps:
    """Counts, and makes values that count how often they are touched."""

    def __init__(self) -> None:
        self.taken = 0

    def counted(self, value: Any) -> Any:
        """The same JSON value, in containers that count."""
        steps = self

        class Members(dict[str, Any]):
            def __getitem__(self, name: str) -> Any:
                steps.taken += 1
                return super().__getitem__(name)

            def get(self, name: str, default: Any = None) -> Any:
                steps.taken += 1
                return super().get(name, default)

            def __iter__(self) -> Iterator[str]:
                for name in super().__iter__():
                    steps.taken += 1
                    yield name

            def items(self) -> Any:
                steps.taken += len(self)
                return super().items()

        class Items(list[Any]):
            def __iter__(self) -> Iterator[Any]:
                for item in super().__iter__():
                    steps.taken += 1
                    yield item

            def count(self, item: Any) -> int:
                steps.taken += len(self)
                return super().count(item)

            def index(self, item: Any, *where: Any) -> int:
                steps.taken += len(self)
                return super().index(item, *where)

        if isinstance(value, dict):
            return Members((name, self.counted(member)) for name, member in value.items())
        if isinstance(value, list):
            return Items(self.counted(item) for item in value)
        return value


class Name(str):
    """A member's name that counts its comparisons."""

    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Name.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def comparisons(names: int) -> int:
    """Comparisons until an object with `names` different members and one more, given twice, is refused."""
    Name.comparisons = 0
    members = [(Name(f"member {number}"), 0) for number in range(names)]
    with pytest.raises(EventError, match="twice"):
        unique_members([*members, (Name("last"), 0), (Name("last"), 0)])
    return Name.comparisons


def test_member_given_twice_is_found_in_time_that_grows_with_the_object() -> None:
    assert comparisons(4000) <= 2.5 * comparisons(2000) + 10


STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"}
ATTRIBUTES = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}


def references(size: int) -> list[Any]:
    return [{"bucket": "upload", "key": str(number)} for number in range(size)]


def records(size: int) -> dict[str, Any]:
    return {"Records": [record(str(number)) for number in range(size)]}


def members(size: int) -> dict[str, Any]:
    return {f"member {number}": number for number in range(size)}


def messages(size: int) -> dict[str, Any]:
    """Messages of SQS, each with one of SNS in it, as Lambda hands them over."""
    inner = {"Type": "Notification", "TopicArn": "arn", "Message": json.dumps(records(1))}
    return {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(inner)} for _ in range(size)]}


def details(size: int) -> list[Any]:
    """Events of EventBridge."""
    detail = {"bucket": {"name": "upload"}, "object": {"key": "a"}}
    return [{"source": "aws.s3", "detail-type": "Object Created", "detail": detail} for _ in range(size)]


def each(body: bytes, headers: dict[str, str]) -> object:
    return parse_each(body, headers, 100_000)


PARSERS: dict[str, tuple[Callable[[bytes, dict[str, str]], object], Callable[[int], Any], dict[str, str]]] = {
    "references": (parse, references, {}),
    "references, each": (each, references, {}),
    "odd references, each": (each, lambda size: [{"bucket": 1, "key": number} for number in range(size)], {}),
    "records": (parse, records, {}),
    "odd records, each": (each, lambda size: {"Records": [{}] * size}, {}),
    "notifications": (parse, lambda size: [records(1) for _ in range(size)], {}),
    "members of an object": (parse, members, {}),
    "members of a record": (parse, lambda size: {"Records": [record("a") | members(size)]}, {}),
    "structured": (parse, lambda size: {**ATTRIBUTES, "data": records(size)}, STRUCTURED),
    "attributes": (parse, lambda size: {**ATTRIBUTES, **{f"a{n}": "x" for n in range(size)}}, STRUCTURED),
    "batch": (parse, lambda size: [{**ATTRIBUTES, "data": records(1)} for _ in range(size)], BATCH),
    "binary": (parse, records, BINARY),
    "listen stream": (lambda body, _: parse_listen_line(body), records, {}),
    "bridge": (lambda body, _: to_cloudevents(body), records, {}),
    "messages": (parse, messages, {}),
    "messages, each": (each, messages, {}),
    "messages at the bridge": (lambda body, _: to_cloudevents(body), messages, {}),
    "one message": (parse, lambda size: {"MessageId": "1", "Body": json.dumps(records(size))}, {}),
    "details": (parse, details, {}),
    "details as CloudEvents": (
        parse,
        lambda size: [{**ATTRIBUTES, "type": "aws.s3.object.created", "data": details(1)[0]["detail"]}] * size,
        BATCH,
    ),
    "members of a detail": (parse, lambda size: details(1)[0] | members(size), {}),
}


@pytest.mark.long
@pytest.mark.parametrize(("parser", "value", "headers"), PARSERS.values(), ids=PARSERS)
def test_steps_of_every_parser_grow_with_its_input(
    monkeypatch: pytest.MonkeyPatch,
    parser: Callable[[bytes, dict[str, str]], object],
    value: Callable[[int], Any],
    headers: dict[str, str],
) -> None:
    def steps(size: int) -> int:
        taken = Steps()

        def load_counted(text: bytes | str) -> Any:
            return taken.counted(load_json(text))

        monkeypatch.setattr(parsing, "load_json", load_counted)
        monkeypatch.setattr(cloudevent, "load_json", load_counted)
        monkeypatch.setattr(wrapped, "load_json", load_counted)
        with contextlib.suppress(EventError):  # the work of a refusal counts too
            parser(json.dumps(value(size)).encode(), dict(headers))
        return taken.taken

    one, two = steps(50), steps(100)
    assert one > 0
    assert two <= 2.2 * one + 20


def test_each_header_is_read_a_bounded_number_of_times() -> None:
    class Headers(dict[str, str]):
        def items(self) -> Any:
            read.__next__()
            return super().items()

    read = count()
    parse(json.dumps(references(10)).encode(), Headers({f"x-{number}": "y" for number in range(1000)}))
    assert next(read) <= 2
