"""Hints as a store would send them, and what a target's answer means."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from penstock.connect.listing.hints import HintTarget, Taken, removed, written
from penstock.delivery.http import HttpTarget
from penstock.errors import ConfigError, TemporaryError
from penstock.events import Kind, parse, to_cloudevents
from penstock.types import ObjectRef, ObjectState
from pytest_httpserver import HTTPServer

REF = ObjectRef("upload", "dir/a+b 100%.csv")


def test_hint_is_a_notification_that_everything_reads() -> None:
    state = ObjectState(REF, 3, "abc", last_modified=datetime(2026, 11, 28, tzinfo=UTC))
    (found,) = parse(written([state]), {})
    assert (found.ref, found.kind, found.size, found.etag, found.other) == (REF, Kind.CREATED, 3, "abc", None)
    (gone,) = parse(removed([REF]), {})
    assert (gone.ref, gone.kind) == (REF, Kind.REMOVED)
    (event,) = to_cloudevents(written([state]))
    assert event.attributes["source"] == "minio:s3..upload"


def test_same_state_has_the_same_id() -> None:
    states = [ObjectState(REF, 3, "abc", last_modified=datetime(2026, 11, day, tzinfo=UTC)) for day in (27, 27, 28)]
    first, second, third = (parse(written([state]), {})[0].id for state in states)
    assert first == second != third


def test_target_that_cannot_be_reached_is_tried_again() -> None:
    with pytest.raises(TemporaryError, match="cannot be reached"):
        HintTarget(HttpTarget("compress", "http://127.0.0.1:9/event"), 1).send(b"{}")


def test_hint_is_signed_where_the_function_wants_it(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/event").respond_with_data("ok")
    target = HttpTarget("compress", httpserver.url_for("/event"), {"Authorization": "Bearer x"}, keys=(b"k" * 32,))
    assert HintTarget(target, 1).send(json.dumps({}).encode()) is Taken.TOLD
    ((request, _answer),) = httpserver.log
    assert request.headers["webhook-signature"].startswith("v1,")
    assert request.headers["Authorization"] == "Bearer x"


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        (200, Taken.TOLD),
        (204, Taken.TOLD),
        (422, TemporaryError),
        (400, TemporaryError),
        (413, Taken.STOPPED),
        (503, TemporaryError),
        (429, TemporaryError),
        (404, ConfigError),
        (401, ConfigError),
        (302, ConfigError),
    ],
)
def test_answer_says_whether_a_hint_was_taken(httpserver: HTTPServer, status: int, ended: Any) -> None:
    httpserver.expect_request("/event").respond_with_data("why", status=status)
    target = HintTarget(HttpTarget("compress", httpserver.url_for("/event")), 1)
    if isinstance(ended, Taken):
        assert target.send(b"{}") is ended
        return
    with pytest.raises(ended, match=f"why .answered {status}"):
        target.send(b"{}")


REFUSED = {"outcome": "refused", "source": {"bucket": "upload", "key": "a"}, "reason": "expected JPEG, got text"}


@pytest.mark.parametrize("answer", [REFUSED, {"results": [REFUSED, {"outcome": "processed"}]}], ids=["one", "many"])
@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_object_that_the_function_refuses_ends_no_watch(httpserver: HTTPServer, status: int, answer: Any) -> None:
    """415 is also what a path for files answers to a notification; here the function has looked at the object."""
    httpserver.expect_request("/event").respond_with_json(answer, status=status)
    target = HintTarget(HttpTarget("resize", httpserver.url_for("/event")), 1)
    assert target.send(b"{}") is Taken.REFUSED


FORBIDDEN = {
    "outcome": "failed",
    "status": 403,
    "source": {"bucket": "b", "key": "a"},
    "error": "Forbidden",
    "reason": "no",
}


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (403, FORBIDDEN),
        (403, {"results": [FORBIDDEN, {"outcome": "processed"}]}),
        (415, {"results": [FORBIDDEN, REFUSED]}),
        (415, {"outcome": "failed", "status": 415, "error": "UnsupportedInput", "reason": "send it to /event"}),
    ],
)
def test_function_whose_sources_are_others_is_a_wrong_target(httpserver: HTTPServer, status: int, answer: Any) -> None:
    httpserver.expect_request("/event").respond_with_json(answer, status=status)
    target = HintTarget(HttpTarget("resize", httpserver.url_for("/event")), 1)
    with pytest.raises(ConfigError, match="SOURCE"):
        target.send(b"{}")


@pytest.mark.parametrize("status", [400, 413, 422])
def test_function_that_refuses_the_request_as_a_whole_has_read_no_object(httpserver: HTTPServer, status: int) -> None:
    answer = {"outcome": "failed", "status": status, "error": "EventError", "reason": "names more than 5000 objects"}
    httpserver.expect_request("/event").respond_with_json(answer, status=status)
    target = HintTarget(HttpTarget("compress", httpserver.url_for("/event")), 1)
    assert target.send(b"{}") is Taken.UNREAD


@pytest.mark.parametrize("answer", [{"message": "Bad Request"}, {"error": "x"}, [], "no", {"reason": "x"}])
def test_json_of_a_gateway_refuses_no_object(httpserver: HTTPServer, answer: Any) -> None:
    httpserver.expect_request("/event").respond_with_json(answer, status=400)
    target = HintTarget(HttpTarget("compress", httpserver.url_for("/event")), 1)
    with pytest.raises(TemporaryError, match="as no function does"):
        target.send(b"{}")


def test_function_that_answers_for_each_object_has_read_the_hint(httpserver: HTTPServer) -> None:
    answer = {"results": [{"outcome": "refused"}, {"outcome": "processed"}]}
    httpserver.expect_request("/event").respond_with_json(answer, status=422)
    target = HintTarget(HttpTarget("compress", httpserver.url_for("/event")), 1)
    assert target.send(b"{}") is Taken.REFUSED


def test_page_is_no_answer_of_a_function(httpserver: HTTPServer) -> None:
    """A proxy that asks for a login answers 200: what was told would be lost."""
    httpserver.expect_request("/event").respond_with_data("<html>Log in</html>", content_type="text/html")
    target = HintTarget(HttpTarget("compress", httpserver.url_for("/event")), 1)
    with pytest.raises(TemporaryError, match="answered a page"):
        target.send(b"{}")


@pytest.mark.parametrize("status", [400, 409, 422, 431])
def test_page_of_a_proxy_refuses_no_object(httpserver: HTTPServer, status: int) -> None:
    """Such as nginx's about plain HTTP sent to a port with TLS: each object would count as refused for good."""
    page = "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>"
    httpserver.expect_request("/event").respond_with_data(page, status=status, content_type="text/html; charset=utf-8")
    target = HintTarget(HttpTarget("compress", httpserver.url_for("/event")), 1)
    with pytest.raises(TemporaryError, match=str(status)) as caught:
        target.send(b"{}")
    assert "<" not in str(caught.value)


def test_page_of_a_proxy_about_the_size_is_told_apart(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/event").respond_with_data("<html>", status=413, content_type="text/html")
    target = HintTarget(HttpTarget("compress", httpserver.url_for("/event")), 1)
    assert target.send(b"{}") is Taken.STOPPED


def test_empty_answer_has_the_type_that_a_server_gives_by_itself(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/event").respond_with_data(b"", status=204, content_type="text/html")
    target = HintTarget(HttpTarget("compress", httpserver.url_for("/event")), 1)
    assert target.send(b"{}") is Taken.TOLD


def test_answer_of_any_length_is_read_within_bounds(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.connect.listing.hints.MAX_ANSWER_BYTES", 10)
    httpserver.expect_request("/event").respond_with_data("x" * 1000, content_type="text/plain")
    target = HintTarget(HttpTarget("compress", httpserver.url_for("/event")), 1)
    assert [target.send(b"{}"), target.send(b"{}")] == [Taken.TOLD, Taken.TOLD]
