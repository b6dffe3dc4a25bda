"""Answers: the same for every delivery that finds the same state, and one status for several records."""

from __future__ import annotations

from typing import Any

import pytest
from penstock.errors import (
    ConfigError,
    EventError,
    Forbidden,
    HandlerError,
    InputTooLarge,
    NothingToDo,
    PenstockError,
    PermanentError,
    RequestTooSlow,
    SourceChanged,
    TargetChanged,
    TemporaryError,
    Unauthorized,
    UnsupportedInput,
)
from penstock.runtime.answers import Failure, failure_document, outcome_document, outcome_event, overall_status
from penstock.runtime.outcome import Outcome
from penstock.types import ObjectRef

from tests.lake import SOURCE, Lake

REF = ObjectRef("upload", "a.txt")

STATUSES: list[tuple[PenstockError, int, int]] = [
    (ConfigError("x"), 500, 78),
    (NothingToDo("x"), 200, 0),
    (PermanentError("x"), 422, 65),
    (EventError("x"), 400, 65),
    (Forbidden("x"), 403, 65),
    (InputTooLarge("x"), 413, 65),
    (Unauthorized("x"), 401, 65),
    (UnsupportedInput("x"), 415, 65),
    (HandlerError("x"), 422, 78),
    (TemporaryError("x"), 503, 75),
    (RequestTooSlow("x"), 408, 75),
    (SourceChanged("x"), 503, 75),
    (TargetChanged("x"), 503, 75),
]


@pytest.mark.parametrize(("error", "status", "exit_code"), STATUSES, ids=lambda value: type(value).__name__)
def test_error_has_its_status_and_exit_code(error: PenstockError, status: int, exit_code: int) -> None:
    assert (Failure(REF, error).status, error.exit_code) == (status, exit_code)


def test_permanent_errors_use_no_status_that_knative_retries() -> None:
    permanent = {status for error, status, _ in STATUSES if isinstance(error, PermanentError)}
    assert not permanent & {404, 408, 409, 429}
    assert max(permanent) < 500


def test_every_drawn_error_is_in_the_table() -> None:
    def below(kind: type[PenstockError]) -> set[type[PenstockError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__() if child.__module__ == "penstock.errors"))

    assert below(PenstockError) - {PenstockError} == {type(error) for error, _, _ in STATUSES}


def test_redelivery_gets_the_same_document_and_the_same_event(lake: Lake) -> None:
    lake.put(b"one", content_type="text/plain", metadata={"owner": "ann"})
    first, second = lake.agree(), lake.agree()
    assert first.changed is not second.changed
    assert outcome_document(first, "upper") == outcome_document(second, "upper")
    assert outcome_event(first, "upper", b"") == outcome_event(second, "upper", b"")


def test_new_state_is_a_new_event(lake: Lake) -> None:
    ids = []
    for data in (b"one", b"two", b"bad"):
        lake.put(data)
        ids.append(outcome_event(lake.agree(), "upper", b"").attributes["id"])
    assert len(set(ids)) == 3


def test_document_says_what_came_of_the_source(lake: Lake) -> None:
    state = lake.put(b"one")
    assert outcome_document(lake.agree(), "upper") == {
        "outcome": "processed",
        "function": "upper",
        "source": {"bucket": "upload", "key": "a.txt", "etag": state.etag, "size": 3},
        "targets": [{"address": "s3://processed/a.txt", "size": 3}],
    }


def test_document_of_a_refusal_says_why(lake: Lake) -> None:
    lake.put(b"bad")
    document = outcome_document(lake.agree(), "upper")
    assert (document["outcome"], document["reason"]) == ("refused", "a.txt: starts with bad")
    assert document["targets"] == [
        {"address": "s3://processed/a.txt", "error": "UnsupportedInput", "reason": "a.txt: starts with bad"}
    ]


def test_document_names_renditions_and_versions() -> None:
    from penstock.store.memory import MemoryStore

    lake = Lake(
        store=MemoryStore("upload", "processed", versioned=True),
        sink="s3://processed/{rendition}/{key}",
        renditions={"one": {}, "two": {"times": "2"}},
    )
    state = lake.put(b"ab")
    document = outcome_document(lake.agree(), "upper")
    assert document["source"]["version_id"] == state.version_id
    assert [target["rendition"] for target in document["targets"]] == ["one", "two"]


def test_event_has_the_attributes_of_its_kind(lake: Lake) -> None:
    lake.put(b"one")
    attributes = outcome_event(lake.agree(), "upper", b"").attributes
    assert attributes["type"] == "penstock.object.processed"
    assert attributes["source"] == "/penstock/functions/upper"
    assert attributes["subject"] == "upload/a.txt"


def test_failure_of_a_known_kind_says_what_and_why() -> None:
    assert failure_document(Failure(REF, Forbidden("not yours"))) == {
        "outcome": "failed",
        "status": 403,
        "source": {"bucket": "upload", "key": "a.txt"},
        "error": "Forbidden",
        "reason": "not yours",
    }


def test_unexpected_failure_says_where_to_look_and_nothing_else() -> None:
    document = failure_document(Failure(None, None, "abc123"))
    assert document == {
        "outcome": "failed",
        "status": 500,
        "error": "InternalError",
        "reason": "unexpected error; the log has it under incident abc123",
        "incident": "abc123",
    }


def outcome(status: int) -> Outcome:
    return Outcome("processed", SOURCE, status=status)


def failed(error: PenstockError | None) -> Failure:
    return Failure(SOURCE, error)


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([], 204),
        ([outcome(204)], 204),
        ([outcome(204), outcome(204)], 204),
        ([outcome(200)], 200),
        ([outcome(204), outcome(200)], 200),
        ([outcome(202)], 202),
        ([outcome(202), outcome(200)], 200),
        ([outcome(422), outcome(200)], 422),
        ([failed(Forbidden("x")), outcome(200)], 403),
        ([failed(Forbidden("x")), outcome(415)], 415),
        ([failed(TemporaryError("x"))], 503),
        ([failed(TemporaryError("x")), outcome(200)], 503),
        ([failed(TemporaryError("x")), failed(Forbidden("x"))], 503),
        ([failed(None)], 500),
        ([failed(None), outcome(200)], 503),
    ],
)
def test_one_status_for_all_is_retried_only_if_something_in_it_is(results: list[Any], status: int) -> None:
    assert overall_status(results) == status
