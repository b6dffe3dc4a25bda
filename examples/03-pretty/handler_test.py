import pytest
from penstock import NothingToDo, UnsupportedInput
from penstock.testing import Lake, deliver, run

from .handler import handle


def test_json_is_indented() -> None:
    assert run(handle, b'{"a":1}').text == '{\n  "a": 1\n}\n'


def test_other_input_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedInput, match=r"notes\.txt: expected JSON"):
        run(handle, b"hello", name="notes.txt")


def test_pretty_json_needs_nothing() -> None:
    with pytest.raises(NothingToDo):
        run(handle, run(handle, b"[1, 2]").data)


def test_refused_object_becomes_a_dead_letter_at_once() -> None:
    lake = Lake(handle)
    assert lake.put("notes.txt", b"hello").kind == "refused"
    delivery = deliver(lake, lake.event("notes.txt"))
    assert (delivery.outcome, delivery.status, delivery.attempts) == ("dead", 415, 1)
    assert "expected JSON" in delivery.reason
