"""`POST /lambda`: MinIO's Object Lambda, against an S3 server that checks signatures, without MinIO itself."""

from __future__ import annotations

import json
import logging
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from minio import Minio
from penstock import Context, Event, PermanentError, Result, TemporaryError
from penstock.errors import ConfigError
from penstock.handler.loading import make_function
from penstock.local.store.server import EmbeddedStore
from penstock.process.metrics import Metrics
from penstock.runtime.runtime import Runtime
from penstock.serving.app import create_app
from penstock.serving.health import Health
from penstock.settings.config import Config, SourceRule
from penstock.settings.environment import load_config
from penstock.sinks.wiring import make_sink
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef
from werkzeug.test import TestResponse

from tests.lake import Options, upper

Handle = Callable[[Event[Any], Context[Any]], Result]
ODD_KEYS = ["a+b.txt", "100%.txt", "日本/ä b.txt", "a%2Fb.txt", "#?&=;.txt"]
ROUTE = {"outputRoute": "a-route", "outputToken": "a-token"}


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedStore]:
    made = EmbeddedStore(
        access_key="reader",
        secret_key="reader-secret",
        notify=lambda _ref, _document: None,
        wanted=lambda _name, _ref: False,
    )
    made.start()
    yield made
    made.stop()


@dataclass
class Reader:
    """A function over the server, and calls to it as MinIO makes them."""

    runtime: Runtime
    store: S3ObjectStore
    client: Minio

    def put(self, data: bytes, key: str = "a.txt", bucket: str = "upload", **how: Any) -> None:
        self.store.put(ObjectRef(bucket, key), [data], **{"content_type": "text/plain", "metadata": {}, **how})

    def url(self, key: str = "a.txt", bucket: str = "upload", **parameters: str) -> str:
        url: str = self.client.get_presigned_url(
            "GET", bucket_name=bucket, object_name=key, expires=timedelta(hours=1), extra_query_params=dict(parameters)
        )
        return url

    def post(self, document: Any, environ: Mapping[str, Any] | None = None) -> TestResponse:
        app = create_app(self.runtime, Health(self.runtime), Metrics("upper"))
        return app.test_client().post("/lambda", json=document, environ_overrides=dict(environ or {}))

    def call(self, url: str, query: str = "", headers: Mapping[str, str] | None = None) -> TestResponse:
        """One call of MinIO; Go writes the headers of the reader's request as lists."""
        user = {
            "url": f"/upload/a.txt?lambdaArn=arn&{query}",
            "headers": {name: [value] for name, value in (headers or {}).items()},
        }
        return self.post({"getObjectContext": {"inputS3Url": url, **ROUTE}, "userRequest": user})

    def read(self, query: str = "", key: str = "a.txt", **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call(self.url(key), query, named)


@pytest.fixture
def make_reader(server: EmbeddedStore) -> Callable[..., Reader]:
    def make(handle: Handle = upper, **more: Any) -> Reader:
        where = server.settings
        client = Minio(
            endpoint=where.endpoint.partition("//")[2],
            access_key=where.access_key,
            secret_key=where.secret_key,
            region="us-east-1",
            secure=False,
        )
        for bucket in ("upload", "processed", "other"):
            if not client.bucket_exists(bucket_name=bucket):
                client.make_bucket(bucket_name=bucket)
            for found in list(client.list_objects(bucket_name=bucket, recursive=True)):
                client.remove_object(bucket_name=bucket, object_name=str(found.object_name))
        store = S3ObjectStore(where)
        sink = "s3://processed/{rendition}/{key}" if "renditions" in more else "s3://processed/{key}"
        sources = more.pop("sources", (SourceRule("upload"),))
        config = Config("upper", sources, sink, where, **more)
        function = make_function(SimpleNamespace(__name__="handler", handle=handle, Options=Options), config)
        return Reader(Runtime(function, config, store, make_sink(config, store)), store, client)

    return make


def error_of(response: TestResponse) -> tuple[int, str, str]:
    """Status, S3 code and message, as MinIO passes them on."""
    found = response.headers
    assert found["x-amz-fwd-status"] == str(response.status_code)
    assert (found["x-amz-request-route"], found["x-amz-request-token"]) == ("a-route", "a-token")
    return response.status_code, found["x-amz-fwd-error-code"], found["x-amz-fwd-error-message"]


def test_read_gives_the_handlers_result_with_route_and_token(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader()
    reader.put(b"one")
    response = reader.read()
    told = response.headers
    assert (response.status_code, response.data) == (200, b"ONE")
    assert (told["x-amz-request-route"], told["x-amz-request-token"]) == ("a-route", "a-token")
    assert (told["x-amz-fwd-status"], told["x-amz-fwd-header-Content-Length"]) == ("200", "3")
    assert told["x-amz-fwd-header-Content-Type"] == "text/plain"
    assert re.fullmatch(r'"[0-9a-f]{32}"', told["x-amz-fwd-header-ETag"])
    assert reader.store.head(ObjectRef("processed", "a.txt")) is None


@pytest.mark.parametrize("key", ODD_KEYS)
def test_every_key_is_read_as_it_is(make_reader: Callable[..., Reader], key: str) -> None:
    reader = make_reader()
    reader.put(b"odd", key)
    assert reader.read(key=key).data == b"ODD"


def test_headers_of_the_source_are_those_that_its_target_would_have(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader()
    reader.put(b"one", headers={"cache-control": "max-age=60", "content-language": "de"})
    told = reader.read().headers
    assert told["x-amz-fwd-header-Cache-Control"] == "max-age=60"
    assert told["x-amz-fwd-header-Content-Language"] == "de"


# Options


def test_reader_may_set_an_open_option_up_to_its_ceiling(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader(open_options={"times": 2.0})
    reader.put(b"ab")
    plain, twice = reader.read(), reader.read("x-penstock-times=2")
    assert (plain.data, twice.data) == (b"AB", b"ABAB")
    assert plain.headers["ETag"] != twice.headers["ETag"]
    status, code, message = error_of(reader.read("x-penstock-times=3"))
    assert (status, code) == (400, "InvalidArgument")
    assert message == "option times='3': expected a number of at most 2"


@pytest.mark.parametrize("query", ["x-penstock-times=2", "x-penstock-nothing=1"])
def test_option_that_is_not_open_is_refused(make_reader: Callable[..., Reader], query: str) -> None:
    reader = make_reader()
    reader.put(b"ab")
    status, code, message = error_of(reader.read(query))
    assert (status, code) == (400, "InvalidArgument")
    assert "is not open to readers; open are: none" in message


def test_option_that_is_given_twice_is_refused(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader(open_options={"times": None})
    reader.put(b"ab")
    assert "given twice" in error_of(reader.read("x-penstock-times=1&x-penstock-times=2"))[2]


def test_reader_chooses_a_rendition(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader(renditions={"once": {"times": "1"}, "thrice": {"times": "3"}})
    reader.put(b"a")
    assert [reader.read(f"x-penstock-rendition={name}").data for name in ("once", "thrice")] == [b"A", b"AAA"]
    assert reader.read().data == b"A"
    assert "rendition 'none' is unknown" in error_of(reader.read("x-penstock-rendition=none"))[2]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nothing", "OPEN_OPTIONS: option 'nothing' is unknown; this function has: times"),
        ("times<=x", "OPEN_OPTIONS: 'times<=x': expected NAME or NAME<=NUMBER, each name once"),
        ("times times", "OPEN_OPTIONS: 'times': expected NAME or NAME<=NUMBER, each name once"),
    ],
)
def test_wrong_open_options_are_found_at_start(text: str, problem: str) -> None:
    module = SimpleNamespace(__name__="handler", handle=upper, Options=Options)
    with pytest.raises(ConfigError) as caught:
        make_function(module, load_config({"FUNCTION_NAME": "upper", "OPEN_OPTIONS": text}))
    assert caught.value.problems == (problem,)


# Conditions and ranges


def test_same_state_and_options_are_not_made_again(make_reader: Callable[..., Reader]) -> None:
    ran: list[str] = []

    def counting(event: Event[Any], context: Context[Any]) -> Result:
        ran.append(event.name)
        return upper(event, context)

    reader = make_reader(counting)
    reader.put(b"one")
    etag = reader.read().headers["ETag"]
    again = reader.read(If_None_Match=etag)
    assert (again.status_code, again.headers["x-amz-fwd-status"], again.data) == (304, "304", b"")
    assert ran == ["a.txt"]
    reader.put(b"two")
    new = reader.read(If_None_Match=etag)
    assert (new.status_code, new.data) == (200, b"TWO")
    assert error_of(reader.read(If_Match=etag))[:2] == (412, "PreconditionFailed")
    assert reader.read(If_Match=new.headers["ETag"]).data == b"TWO"


@pytest.mark.parametrize(
    ("asked", "data", "content_range"),
    [("bytes=0-1", b"ON", "bytes 0-1/3"), ("bytes=1-", b"NE", "bytes 1-2/3"), ("bytes=-1", b"E", "bytes 2-2/3")],
)
def test_one_range_of_the_result(
    make_reader: Callable[..., Reader], asked: str, data: bytes, content_range: str
) -> None:
    reader = make_reader()
    reader.put(b"one")
    response = reader.read(Range=asked)
    assert (response.status_code, response.data) == (206, data)
    assert response.headers["x-amz-fwd-header-Content-Range"] == content_range
    assert response.headers["x-amz-fwd-header-Content-Length"] == str(len(data))


@pytest.mark.parametrize("asked", ["bytes=9-", "bytes=0-0,2-2"])
def test_range_that_cannot_be_given_is_refused(make_reader: Callable[..., Reader], asked: str) -> None:
    reader = make_reader()
    reader.put(b"one")
    status, code, message = error_of(reader.read(Range=asked))
    assert (status, code) == (416, "InvalidRange")
    assert "ask for one range within 3 bytes" in message


def test_range_of_another_state_gives_the_whole(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader()
    reader.put(b"one")
    etag = reader.read().headers["ETag"]
    assert reader.read(Range="bytes=0-0", If_Range=etag).data == b"O"
    reader.put(b"two")
    assert reader.read(Range="bytes=0-0", If_Range=etag).data == b"TWO"


# Errors


def raising(error: Exception) -> Handle:
    def handle(_event: Event[Any], _context: Context[Any]) -> Result:
        raise error

    return handle


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (PermanentError("größer\nthan it may be"), 422, "UnprocessableObject", "gr??er than it may be"),
        (TemporaryError("later", retry_after=7), 503, "SlowDown", "later"),
        (ZeroDivisionError("secret"), 500, "InternalError", "unexpected error; the function's log has it under"),
    ],
)
def test_error_of_the_handler_is_an_s3_error(
    make_reader: Callable[..., Reader], error: Exception, status: int, code: str, message: str
) -> None:
    reader = make_reader(raising(error))
    reader.put(b"one")
    response = reader.read()
    found = error_of(response)
    assert found[:2] == (status, code)
    assert found[2].startswith(message)
    assert response.headers.get("x-amz-fwd-header-Retry-After") == ("7" if status == 503 else None)


def test_reader_is_told_to_wait_a_second_where_the_handler_says_at_once(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader(raising(TemporaryError("later", retry_after=0)))
    reader.put(b"one")
    assert reader.read().headers["x-amz-fwd-header-Retry-After"] == "1"


def test_input_that_the_function_does_not_read(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader()
    reader.put(b"bad")
    assert error_of(reader.read()) == (415, "UnsupportedMediaType", "a.txt: starts with bad")


def test_what_the_store_refuses_is_told_to_the_reader(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader()
    assert error_of(reader.read())[:2] == (404, "NoSuchKey")
    reader.put(b"one")
    forged = re.sub("X-Amz-Signature=.", "X-Amz-Signature=z", reader.url())
    assert error_of(reader.call(forged))[:2] == (403, "SignatureDoesNotMatch")


def test_too_large_an_object_is_refused_before_the_handler(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader(max_input_bytes=2)
    reader.put(b"one")
    assert error_of(reader.read())[:2] == (413, "EntityTooLarge")


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"getObjectContext": None}, {"getObjectContext": {"inputS3Url": 1, **ROUTE}}],
)
def test_what_is_no_call_is_a_bad_request(make_reader: Callable[..., Reader], document: Any) -> None:
    response = make_reader().post(document)
    assert response.status_code == 400
    assert "not a call of MinIO's Object Lambda" in response.get_json()["reason"]


@pytest.mark.parametrize("route", ["two\r\nlines", "", "ä", "x" * 2000])
def test_route_that_a_header_cannot_carry_is_a_bad_request(make_reader: Callable[..., Reader], route: str) -> None:
    context = {"inputS3Url": "http://127.0.0.1/a", "outputRoute": route, "outputToken": "t"}
    assert make_reader().post({"getObjectContext": context}).status_code == 400


def test_it_can_be_switched_off(make_reader: Callable[..., Reader]) -> None:
    response = make_reader(object_lambda=False).post({})
    assert (response.status_code, response.get_json()["error"]) == (403, "Forbidden")


# Only the configured store


def test_url_of_another_server_is_refused_and_never_called(make_reader: Callable[..., Reader], httpserver: Any) -> None:
    reader = make_reader()
    reader.put(b"one")
    elsewhere = httpserver.url_for("/upload/a.txt") + "?X-Amz-Signature=1"
    status, code, message = error_of(reader.call(elsewhere))
    assert (status, code) == (403, "AccessDenied")
    assert "STORE_URLS" in message
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda url: url.replace("http:", "https:"), 403),
        (lambda url: url.replace("http:", "file:"), 403),
        (lambda url: url.replace("127.0.0.1", "localhost"), 403),
        (lambda url: url.replace("127.0.0.1", "someone@127.0.0.1"), 403),
        (lambda url: re.sub(r":\d+/", "/", url), 403),
        (lambda url: re.sub(r":\d+/", ":99999/", url), 400),
        (lambda url: url.replace("/upload/", "/other/"), 403),
        (lambda url: url.replace("/upload/", "/upload%2F"), 400),
        (lambda url: url.replace("/a.txt", "/../other/a.txt"), 400),
        (lambda url: url.replace("/a.txt", "/%2e%2e/other/a.txt"), 400),
        (lambda url: url.replace("/a.txt", "/.penstock/check"), 403),
        (lambda url: url.replace("/upload/a.txt", "/upload"), 400),
        (lambda url: url.replace("/a.txt", "/%FF"), 400),
        (lambda url: url.partition("?")[0], 400),
        (lambda url: url + "#x", 400),
        (lambda url: url + "&acl", 400),
        (lambda url: url + "&partNumber=1", 400),
        (lambda url: url + "&response-content-type=text/html", 400),
        (lambda url: url + "\r\nX: y", 400),
        (lambda url: "x" * 20_000 + url, 400),
    ],
)
def test_changed_url_is_refused(make_reader: Callable[..., Reader], change: Callable[[str], str], status: int) -> None:
    reader = make_reader()
    reader.put(b"one")
    reader.put(b"secret", bucket="other")
    response = reader.call(change(reader.url()))
    assert (error_of(response)[0], response.data) == (status, b"")


def test_redirect_of_the_store_is_not_followed(make_reader: Callable[..., Reader], httpserver: Any) -> None:
    from dataclasses import replace

    from werkzeug import Response as Answer

    httpserver.expect_request("/upload/a.txt").respond_with_response(
        Answer(status=307, headers={"Location": httpserver.url_for("/upload/secret")})
    )
    reader = make_reader()
    place = replace(reader.runtime.config.store, endpoint=httpserver.url_for("").rstrip("/"))  # type: ignore[type-var]
    reader.runtime = replace(reader.runtime, config=replace(reader.runtime.config, store=place))
    url = httpserver.url_for("/upload/a.txt") + "?X-Amz-Signature=1"
    assert error_of(reader.call(url))[0] == 502
    assert [request.path for request, _ in httpserver.log] == ["/upload/a.txt"]


def test_url_for_another_name_of_the_store_goes_to_the_endpoint(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader(store_urls=("http://localhost:1",))
    reader.put(b"one")
    inside = Minio(
        endpoint="localhost:1", access_key="reader", secret_key="reader-secret", region="us-east-1", secure=False
    )
    url = inside.get_presigned_url("GET", bucket_name="upload", object_name="a.txt")
    assert reader.call(url).data == b"ONE"


# STORE_ON_READ


def test_first_read_writes_the_target_and_later_ones_give_it(make_reader: Callable[..., Reader]) -> None:
    ran: list[str] = []

    def counting(event: Event[Any], context: Context[Any]) -> Result:
        ran.append(event.name)
        return upper(event, context)

    reader = make_reader(counting, store_on_read=True, open_options={"times": 3.0})
    reader.put(b"one")
    first, second = reader.read(), reader.read()
    assert (first.data, second.data, ran) == (b"ONE", b"ONE", ["a.txt"])
    assert first.headers["ETag"] == second.headers["ETag"]
    assert second.headers["x-amz-fwd-header-Content-Type"] == "text/plain"
    assert reader.read(Range="bytes=1-1").data == b"N"
    assert reader.runtime.agree(ObjectRef("upload", "a.txt")).changed is False
    assert reader.read("x-penstock-times=2").data == b"ONEONE"
    assert reader.read().data == b"ONE"


def test_overwritten_source_gives_a_new_answer(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader(store_on_read=True)
    reader.put(b"one")
    reader.read()
    reader.put(b"two")
    assert reader.read().data == b"TWO"
    reader.put(b"bad")
    assert error_of(reader.read())[:2] == (415, "UnsupportedMediaType")
    assert reader.store.head(ObjectRef("processed", "a.txt")) is None
    reader.store.delete(ObjectRef("upload", "a.txt"))
    assert error_of(reader.read())[:2] == (404, "NoSuchKey")


def test_stored_target_needs_the_readers_own_right_to_the_source(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader(store_on_read=True)
    reader.put(b"one")
    reader.read()
    forged = re.sub("X-Amz-Signature=.", "X-Amz-Signature=z", reader.url())
    response = reader.call(forged)
    assert (error_of(response)[0], response.data) == (403, b"")


def test_foreign_target_is_neither_given_nor_overwritten(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader(store_on_read=True)
    reader.put(b"one")
    reader.put(b"theirs", bucket="processed")
    status, _, message = error_of(reader.read())
    assert (status, "will not overwrite it" in message) == (422, True)


def test_old_version_is_read_and_not_stored(make_reader: Callable[..., Reader]) -> None:
    from minio.commonconfig import ENABLED
    from minio.versioningconfig import SUSPENDED, VersioningConfig

    reader = make_reader(store_on_read=True)
    reader.client.set_bucket_versioning(bucket_name="upload", config=VersioningConfig(status=ENABLED))
    try:
        reader.put(b"old")
        old = reader.store.head(ObjectRef("upload", "a.txt"))
        assert old is not None
        assert old.version_id
        reader.put(b"new")
        assert reader.call(reader.url(versionId=old.version_id)).data == b"OLD"
        assert reader.store.head(ObjectRef("processed", "a.txt")) is None
        assert reader.read().data == b"NEW"
    finally:
        reader.client.set_bucket_versioning(bucket_name="upload", config=VersioningConfig(status=SUSPENDED))


def test_it_needs_a_bucket_for_what_it_stores() -> None:
    from penstock.sinks.wiring import contradictions

    config = load_config({"FUNCTION_NAME": "upper", "STORE_ON_READ": "on", "SINK": "sqlite:////tmp/index.db"})
    assert any(
        "STORE_ON_READ=on needs a bucket as SINK" in problem for problem in contradictions(config, has_store=True)
    )


def test_log_names_neither_url_nor_token(make_reader: Callable[..., Reader], caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    reader = make_reader()
    reader.put(b"one")
    reader.read()
    reader.call(reader.url().replace("/upload/", "/other/"))
    assert "s3://upload/a.txt: read" in caplog.text
    assert "X-Amz" not in caplog.text
    assert "a-token" not in caplog.text


def test_document_is_read_as_json(make_reader: Callable[..., Reader]) -> None:
    reader = make_reader(lambda event, _context: Result({"size": event.size}))
    reader.put(b"one")
    response = reader.read()
    assert json.loads(response.data) == {"size": 3}
    assert response.headers["x-amz-fwd-header-Content-Type"] == "application/json"


def test_source_is_read_no_further_once_the_store_waits_no_more(make_reader: Callable[..., Reader]) -> None:
    server, caller = socket.socketpair()
    made = 0

    def handle(event: Event[Any], context: Context[Any]) -> Result:
        def chunks() -> Iterator[bytes]:
            nonlocal made
            caller.close()
            for chunk in event.body:
                made += 1
                yield chunk

        return Result(chunks())

    with server:
        reader = make_reader(handle)
        reader.put(bytes(4 * 1024 * 1024))
        document = {"getObjectContext": {"inputS3Url": reader.url(), **ROUTE}, "userRequest": {"url": "/upload/a.txt"}}
        response = reader.post(document, {"gunicorn.socket": server})
    assert response.headers["x-amz-fwd-error-code"] == "SlowDown"
    assert "its caller closed the connection before the answer" in response.headers["x-amz-fwd-error-message"]
    assert made <= 2


@pytest.mark.parametrize("condition", ["type=image/*", "max=2", "tag.public=yes"])
def test_object_that_the_filters_of_source_leave_out_is_not_read(
    make_reader: Callable[..., Reader], condition: str
) -> None:
    reader = make_reader(sources=tuple(SourceRule.parse_all(f"s3://upload/*?{condition}")))
    reader.put(b"one")
    status, code, message = error_of(reader.read())
    assert (status, code) == (403, "AccessDenied")
    assert "SOURCE leaves it out" in message
