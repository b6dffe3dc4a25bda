"""Body mode: bytes in, bytes out, whole or not at all."""

from __future__ import annotations

import gzip
import inspect
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from penstock import Context, Event, Result, TemporaryError, UnsupportedInput
from penstock.process.metrics import Metrics
from penstock.serving.app import create_app
from penstock.serving.health import Health
from werkzeug.http import parse_options_header

from tests.functional.test_app import notification, raising, serve
from tests.lake import Lake, upper
from tests.paths import EVENTS

MakeLake = Callable[..., Lake]


def echo(event: Event[Any], _context: Context[Any]) -> Result:
    """What the handler was told, as its result."""
    told = {"name": event.name, "size": event.size, "type": event.content_type, "metadata": dict(event.metadata)}
    return Result(json.dumps(told).encode(), content_type="application/json")


@pytest.mark.parametrize("path", ["/two%0Alines.csv", "/two%0Dlines.csv", "/folder/two%0D%0A", "/event%0A"])
def test_line_end_in_a_path_is_a_bad_request_and_not_a_missing_page(path: str) -> None:
    response = serve(Lake()).post(path, data=b"x")
    assert response.status_code == 400
    assert "has the end of a line in it; leave out %0A" in response.get_json()["reason"]


def test_bytes_in_bytes_out(lake: Lake) -> None:
    response = serve(lake).post("/", data=b"one", content_type="text/x")
    assert (response.status_code, response.data) == (200, b"ONE")
    assert (response.headers["Content-Type"], response.headers["Content-Length"]) == ("text/x", "3")
    assert lake.requests == []


def test_notes_of_a_result_are_a_header(make_lake: MakeLake) -> None:
    def guessing(event: Event[Any], _context: Context[Any]) -> Result:
        return Result(event.body.read(), notes=["the encoding was guessed: größer", "two\nlines"])

    response = serve(make_lake(guessing)).post("/", data=b"one")
    assert response.data == b"one"
    assert json.loads(response.headers["x-penstock-notes"]) == ["the encoding was guessed: größer", "two\nlines"]
    assert "x-penstock-notes" not in serve(make_lake()).post("/", data=b"one").headers


def test_empty_body_is_an_empty_input(lake: Lake) -> None:
    response = serve(lake).post("/")
    assert (response.status_code, response.data) == (200, b"")


def test_function_without_a_store_serves_direct_calls(make_lake: MakeLake) -> None:
    from dataclasses import replace

    lake = make_lake()
    lake.runtime = replace(lake.runtime, store=None, sink=None)
    client = serve(lake)
    assert client.get("/_/ready").status_code == 200
    assert client.post("/", data=b"one").data == b"ONE"
    response = client.post("/event", json=notification("a.txt"))
    assert response.status_code == 503
    assert "set SOURCE, SINK and MINIO_ENDPOINT" in response.text


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/", {}, "input"),
        ("/rose.jpg", {}, "rose.jpg"),
        ("/a/b/rose.jpg", {}, "rose.jpg"),
        ("/my%20rose.jpg", {}, "my rose.jpg"),
        ("/%E6%97%A5.jpg", {}, "日.jpg"),
        ("/a%2Fb.jpg", {}, "b.jpg"),
        ("/folder/", {}, "input"),
        ("/", {"Content-Disposition": 'attachment; filename="rose.jpg"'}, "rose.jpg"),
        ("/", {"Content-Disposition": "attachment; filename=rose.jpg"}, "rose.jpg"),
        ("/", {"Content-Disposition": "attachment; filename*=UTF-8''%E6%97%A5.jpg"}, "日.jpg"),
        ("/", {"Content-Disposition": "attachment; filename=x; filename*=utf-8''%E6%97%A5.jpg"}, "日.jpg"),
        ("/", {"Content-Disposition": 'attachment; filename="a \\"quoted\\" name.jpg"'}, 'a "quoted" name.jpg'),
        ("/", {"Content-Disposition": 'attachment; filename="../../etc/passwd"'}, "passwd"),
        ("/", {"Content-Disposition": 'attachment; filename="C:\\\\Users\\\\rose.jpg"'}, "rose.jpg"),
        ("/", {"Content-Disposition": "attachment; filename="}, "input"),
        ("/", {"Content-Disposition": "nonsense"}, "input"),
    ],
)
def test_name_comes_from_the_path_or_the_disposition(
    make_lake: MakeLake, path: str, headers: Mapping[str, str], name: str
) -> None:
    response = serve(make_lake(echo)).post(path, data=b"x", headers=headers)
    assert response.json is not None
    assert response.json["name"] == name


def test_handler_is_told_size_and_type_and_no_metadata(make_lake: MakeLake) -> None:
    response = serve(make_lake(echo)).post("/a", data=b"12345", content_type="image/x", headers={"X-Amz-Meta-A": "b"})
    assert response.json == {"name": "a", "size": 5, "type": "image/x", "metadata": {}}


def test_body_of_unknown_length_is_measured(make_lake: MakeLake) -> None:
    response = serve(make_lake(echo)).post(
        "/a",
        input_stream=io.BytesIO(b"12345"),
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert response.json is not None
    assert response.json["size"] == 5
    assert response.json["type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "name", ["rose.txt", "日本.txt", 'a"b.txt', "a;b.txt", "two\nlines.txt", "tab\t.txt", "a\\b", "é\ufffd.txt"]
)
def test_result_s_name_is_given_back(make_lake: MakeLake, name: str) -> None:
    response = serve(make_lake(lambda _event, _context: Result(b"x", name=name))).post("/", data=b"x")
    assert response.status_code == 200
    disposition = response.headers["Content-Disposition"]
    # gunicorn answers 500 for a header that is not Latin-1 or holds control characters; ASCII is safe everywhere.
    assert disposition.isascii()
    assert disposition.isprintable()
    _, given = parse_options_header(disposition)
    assert given["filename"] == name.replace("\n", "_").replace("\t", "_")


def test_result_without_a_name_has_no_disposition(make_lake: MakeLake) -> None:
    response = serve(make_lake(lambda _event, _context: Result(b"x"))).post("/", data=b"x")
    assert "Content-Disposition" not in response.headers


@pytest.mark.parametrize("content_type", ["text/x\nX-Evil: 1", "日本"])
def test_content_type_that_no_header_can_carry_is_no_answer(make_lake: MakeLake, content_type: str) -> None:
    lake = make_lake(lambda _event, _context: Result(b"x", content_type=content_type))
    response = serve(lake).post("/", data=b"x")
    assert response.status_code == 422
    assert "an HTTP header cannot carry it" in response.text


def test_document_is_sent_as_json(make_lake: MakeLake) -> None:
    response = serve(make_lake(lambda _event, _context: Result({"b": 1, "a": "日"}))).post("/", data=b"x")
    assert response.headers["Content-Type"] == "application/json"
    assert response.json == {"a": "日", "b": 1}


# Options


def test_option_of_the_query_overrides_the_deployment_s(make_lake: MakeLake) -> None:
    client = serve(make_lake(config_options={"times": "2"}))
    assert client.post("/", data=b"a").data == b"AA"
    assert client.post("/?times=3", data=b"a").data == b"AAA"
    assert client.post("/", data=b"a").data == b"AA"


def test_option_in_an_event_s_query_is_never_heeded(lake: Lake) -> None:
    lake.put(b"a")
    assert serve(lake).post("/event?times=3", json=notification("a.txt")).status_code == 200
    assert lake.read() == b"A"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("times=4", "option times='4': expected a whole number from 1 to 3"),
        ("times=x", "option times='x': expected a whole number from 1 to 3"),
        ("tmies=1", "option 'tmies' is unknown; this function has: times"),
        ("times=1&times=2", "option 'times' is given twice"),
        ("rendition=thumb", "rendition 'thumb' is unknown; upper has: none; set RENDITIONS"),
    ],
)
def test_wrong_option_is_a_400_that_names_it_and_its_range(lake: Lake, query: str, says: str) -> None:
    response = serve(lake).post(f"/?{query}", data=b"a")
    assert response.status_code == 400
    assert response.json is not None
    assert says in response.get_json()["reason"]


def test_rendition_is_chosen_by_name(make_lake: MakeLake) -> None:
    client = serve(make_lake(sink="s3://processed/{rendition}/{key}", renditions={"one": {}, "two": {"times": "2"}}))
    assert client.post("/?rendition=two", data=b"a").data == b"AA"
    assert client.post("/?rendition=two&times=3", data=b"a").data == b"AAA"
    assert client.post("/", data=b"a").data == b"A"


# Misdirected events


@pytest.mark.parametrize(
    "file",
    [
        "minio_put.json",
        "minio_delete.json",
        "minio_complete_multipart.json",
        "elasticsearch_document.json",
        "aws_put.json",
        "kafka_value.json",
        "several_records.json",
    ],
)
@pytest.mark.parametrize("path", ["/", "/some/path"])
def test_notification_that_came_as_a_file_is_pointed_to_event(lake: Lake, file: str, path: str) -> None:
    response = serve(lake).post(path, data=(EVENTS / file).read_bytes(), content_type="application/json")
    assert response.status_code == 415
    assert "POST it to /event" in response.text


def test_file_that_only_mentions_records_is_a_file(lake: Lake) -> None:
    assert serve(lake).post("/", data=b'{"Records": [1, 2]}').status_code == 200


# Limits


def test_body_over_the_limit_is_a_413_that_names_it(make_lake: MakeLake) -> None:
    client = serve(make_lake(max_body_bytes=10))
    assert client.post("/", data=b"x" * 10).status_code == 200
    response = client.post("/", data=b"x" * 11)
    assert response.status_code == 413
    assert "11 bytes; MAX_BODY_BYTES is 10" in response.text


def test_body_of_unknown_length_over_the_limit_is_a_413(make_lake: MakeLake) -> None:
    response = serve(make_lake(max_body_bytes=10)).post(
        "/",
        input_stream=io.BytesIO(b"x" * 1000),
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert response.status_code == 413
    assert "10 bytes" in response.text


def test_input_limit_holds_for_bodies_too(make_lake: MakeLake) -> None:
    response = serve(make_lake(max_input_bytes=10)).post("/", data=b"x" * 11)
    assert response.status_code == 413
    assert "MAX_INPUT_BYTES is 10" in response.text


def test_request_that_breaks_off_is_temporary(lake: Lake) -> None:
    class Broken(io.RawIOBase):
        def readinto(self, _buffer: Any) -> int:
            raise OSError("connection reset")

        def readable(self) -> bool:
            return True

    response = serve(lake).post("/", environ_overrides={"wsgi.input": Broken(), "CONTENT_LENGTH": "100"})
    assert response.status_code == 503
    assert "broke off" in response.text


def test_request_shorter_than_it_said_is_not_taken_for_whole(lake: Lake) -> None:
    body = io.BytesIO(b"only this")
    response = serve(lake).post("/", environ_overrides={"wsgi.input": body, "CONTENT_LENGTH": "100"})
    assert response.status_code == 503
    assert "broke off" in response.text


def test_body_that_was_packed_on_the_way_is_not_taken_as_it_is(lake: Lake) -> None:
    packed = gzip.compress(b"a,b")
    headers = {"Transfer-Encoding": "gzip, chunked"}
    response = serve(lake).post("/", data=packed, headers=headers, environ_overrides={"wsgi.input_terminated": True})
    assert response.status_code == 400
    assert "Transfer-Encoding 'gzip, chunked'" in response.text


# Whole or not at all


@pytest.mark.parametrize(
    ("error", "status"), [(UnsupportedInput("half"), 415), (TemporaryError("later"), 503), (ZeroDivisionError(), 500)]
)
def test_failure_in_the_middle_of_the_result_is_seen(make_lake: MakeLake, error: Exception, status: int) -> None:
    def late(_event: Event[Any], _context: Context[Any]) -> Result:
        def chunks() -> Iterator[bytes]:
            yield b"first half"
            raise error

        return Result(chunks())

    response = serve(make_lake(late)).post("/", data=b"x")
    assert response.status_code == status
    assert b"first half" not in response.data


def test_result_is_closed_after_it_was_copied(make_lake: MakeLake) -> None:
    closed: list[int] = []

    class File(io.BytesIO):
        def close(self) -> None:
            closed.append(1)
            super().close()

    response = serve(make_lake(lambda _event, _context: Result(File(b"abc")))).post("/", data=b"x")
    assert response.data == b"abc"
    assert closed


def test_handler_that_returns_nothing_is_told_what_to_return(make_lake: MakeLake) -> None:
    response = serve(make_lake(lambda _event, _context: None)).post("/", data=b"x")
    assert response.status_code == 422
    assert response.json is not None
    assert response.json["error"] == "HandlerError"
    assert response.json["reason"].startswith("handle returned None; return penstock.Result(...)")


def test_large_result_is_sent_whole_with_its_length(make_lake: MakeLake) -> None:
    size = 20 * 1024 * 1024
    lake = make_lake(lambda _event, _context: Result(b"x" * 1024 * 1024 for _ in range(20)))
    response = serve(lake).post("/", data=b"x")
    assert response.headers["Content-Length"] == str(size)
    assert len(response.data) == size


def test_nothing_to_do_is_no_file() -> None:
    from penstock import NothingToDo

    response = serve(Lake(raising(NothingToDo("is compressed already")))).post("/", data=b"x")
    assert response.status_code == 200
    assert response.json == {"outcome": "refused", "error": "NothingToDo", "reason": "is compressed already"}


def client_of(lake: Lake, metrics: Metrics) -> FlaskClient:
    return create_app(lake.runtime, Health(lake.runtime), metrics).test_client()


def test_requests_in_flight_come_back_to_none(make_lake: MakeLake) -> None:
    metrics = Metrics("upper")
    client = client_of(make_lake(), metrics)
    for path in ("/", "/event", "/_/health", "/nowhere"):
        client.post(path, data=b"x")
        client.get(path)
    assert metrics.in_flight == 0


def test_upper_is_what_the_other_tests_take_it_for(lake: Lake) -> None:
    assert inspect.unwrap(lake.function.handle) is upper
