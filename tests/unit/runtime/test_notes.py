"""What a handler assumed travels in the answer, and is stored nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from penstock import Context, Event, Result
from penstock.runtime.answers import notes_header, outcome_document
from penstock.runtime.outcome import Outcome
from penstock.sinks.sqlite import SqliteSink
from penstock.types import ObjectRef

from tests.lake import TARGET, Lake

MakeLake = Callable[..., Lake]
GUESSED = "the encoding was guessed"


def guessing(event: Event[Any], _context: Context[Any]) -> Result:
    return Result(event.body.read(), notes=[GUESSED, "a line was cut", GUESSED])


def notes_of(outcome: Outcome) -> list[Any]:
    return [target.get("notes") for target in outcome_document(outcome, "upper")["targets"]]


def test_notes_are_in_the_answer_once_each(make_lake: MakeLake) -> None:
    lake = make_lake(guessing)
    lake.put(b"one")
    assert notes_of(lake.agree()) == [[GUESSED, "a line was cut"]]


def test_notes_are_not_stored_and_a_redelivery_has_none(make_lake: MakeLake) -> None:
    lake = make_lake(guessing)
    lake.put(b"one")
    lake.agree()
    target = lake.state(TARGET)
    assert target is not None
    assert [name for name in target.metadata if not name.startswith("penstock-")] == []
    assert GUESSED not in str(target.metadata)
    assert notes_of(lake.agree()) == [None]


def test_result_without_notes_has_none_in_its_answer(lake: Lake) -> None:
    lake.put(b"one")
    assert notes_of(lake.agree()) == [None]


def test_notes_may_be_added_while_the_body_is_produced(make_lake: MakeLake) -> None:
    def late(event: Event[Any], _context: Context[Any]) -> Result:
        notes: list[str] = []

        def chunks() -> Iterator[bytes]:
            yield event.body.read()
            notes.append("the end was missing")

        return Result(chunks(), notes=notes)

    lake = make_lake(late)
    lake.put(b"one")
    assert notes_of(lake.agree()) == [["the end was missing"]]


def test_each_rendition_has_its_own_notes(make_lake: MakeLake) -> None:
    def noting(event: Event[Any], context: Context[Any]) -> Result:
        return Result(event.body.read(), notes=[f"made {context.rendition}"])

    lake = make_lake(noting, sink="s3://processed/{rendition}/{key}", renditions={"one": {}, "two": {}})
    lake.put(b"ab")
    assert notes_of(lake.agree()) == [["made one"], ["made two"]]


@pytest.mark.parametrize("number", [1, 3], ids=["alone", "in a batch"])
def test_notes_of_documents_are_in_their_answers_and_not_in_the_index(
    make_lake: MakeLake, tmp_path: Path, number: int
) -> None:
    def describe(event: Event[Any], _context: Context[Any]) -> Result:
        return Result({"text": event.name}, notes=[f"{event.name} was guessed"])

    sink = SqliteSink(tmp_path / "index.db", "upper")
    lake = make_lake(describe, sink=sink)
    refs = [ObjectRef("upload", f"{each}.txt") for each in range(number)]
    for ref in refs:
        lake.put(b"x", ref)
    ended = lake.runtime.agree_all(refs)
    assert [notes_of(one) for one in ended if isinstance(one, Outcome)] == [
        [[f"{each}.txt was guessed"]] for each in range(number)
    ]
    document = sink.document("upload", "0.txt")
    assert document is not None
    assert "notes" not in document
    sink.close()


def test_notes_are_few_and_short_and_can_be_encoded(make_lake: MakeLake) -> None:
    def chatty(event: Event[Any], _context: Context[Any]) -> Result:
        return Result(
            event.body.read(),
            notes=["\ud800", *("x" * 10_000 + str(number) for number in range(3)), *map(str, range(99))],
        )

    lake = make_lake(chatty)
    lake.put(b"one")
    [notes] = notes_of(lake.agree())
    assert notes[:2] == ["?", "x" * 500]
    assert len(notes) == 20


def test_single_sentence_given_as_notes_is_one_note(make_lake: MakeLake) -> None:
    lake = make_lake(lambda event, _context: Result(event.body.read(), notes=GUESSED))
    lake.put(b"one")
    assert notes_of(lake.agree()) == [[GUESSED]]


def test_header_of_notes_is_a_bounded_json_list_in_ascii() -> None:
    assert json.loads(notes_header(["Farbraum für „sRGB“ gehalten", "two\r\nlines"])) == [
        "Farbraum für „sRGB“ gehalten",
        "two\r\nlines",
    ]
    text = notes_header([f"{number} {'é' * 100}" for number in range(20)])
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= 2048
    assert json.loads(text)[0] == f"0 {'é' * 100}"
    assert notes_header(["😀" * 500]) == "[]"
