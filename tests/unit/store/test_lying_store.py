"""An answer with status 200 is not an object for that alone: what does not fit is temporary, and nothing is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from penstock import Result, TemporaryError
from penstock.handler.loading import make_function
from penstock.runtime.runtime import Runtime
from penstock.settings.config import Config, SourceRule, StoreSettings
from penstock.sinks import Sink
from penstock.sinks.sqlite import SqliteSink
from penstock.sinks.wiring import make_sink
from penstock.store.s3 import S3ObjectStore
from penstock.types import Entry, Mark, ObjectRef, ObjectState
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.lake import Options, upper
from tests.lying_store import LyingStore, half, page
from tests.sink_contract import write as write_one
from tests.store_contract import MIB, read, write
from tests.unit.runtime.test_batches import describe

REF = ObjectRef("upload", "a.txt")
SOURCE, TARGET = "/upload/a.txt", "/processed/a.txt"
of_each_key = pytest.mark.parametrize("key", ["a", "odd\nkey"], ids=["plain", "odd"])
of_each_page = pytest.mark.parametrize(
    "etag", ["", '"656f3c2a-267"', 'W/"267-5e8b"'], ids=["no ETag", "nginx's ETag", "weak ETag"]
)


@pytest.fixture
def server(httpserver: HTTPServer) -> LyingStore:
    lying = LyingStore()
    httpserver.expect_request(re.compile(r"(?s).*")).respond_with_handler(lying.answer)
    return lying


@pytest.fixture
def settings(httpserver: HTTPServer) -> StoreSettings:
    return StoreSettings(httpserver.url_for("").rstrip("/"), "reader", "reader-secret")


@pytest.fixture
def store(server: LyingStore, settings: StoreSettings) -> S3ObjectStore:
    return S3ObjectStore(settings)


@pytest.fixture
def make_runtime(store: S3ObjectStore, settings: StoreSettings) -> Callable[..., Runtime]:
    def make(sink: Sink | None = None) -> Runtime:
        config = Config("upper", (SourceRule("upload"),), "s3://processed/{key}", settings)
        module = SimpleNamespace(__name__="handler", handle=upper if sink is None else describe, Options=Options)
        return Runtime(make_function(module, config), config, store, sink or make_sink(config, store))

    return make


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    return make_runtime()


def for_source(request: Request) -> bool:
    return request.path.startswith("/upload/")


@of_each_key
@of_each_page
def test_page_with_status_200_is_not_an_object(server: LyingStore, store: S3ObjectStore, etag: str, key: str) -> None:
    ref = ObjectRef("upload", key)
    server.lie = lambda _request, _answer: page(etag)
    for act in (store.head, store.stat, store.open):
        with pytest.raises(TemporaryError, match="what answers there is not an S3 server"):
            act(ref)


@of_each_key
def test_page_in_a_bucket_is_an_object(server: LyingStore, store: S3ObjectStore, key: str) -> None:
    ref = ObjectRef("upload", key)
    store.put(ref, [b"<html>mine</html>"], content_type="text/html; charset=utf-8", metadata={})
    state = store.stat(ref)
    assert state is not None
    assert state.content_type == "text/html; charset=utf-8"
    assert read(store, ref) == b"<html>mine</html>"


@of_each_key
def test_page_that_answers_a_write_is_no_success(server: LyingStore, store: S3ObjectStore, key: str) -> None:
    server.lie = lambda _request, _answer: page()
    with pytest.raises(TemporaryError):
        write(store, ObjectRef("upload", key), b"one")
    with pytest.raises(TemporaryError):
        write(store, ObjectRef("upload", key), b"x" * 6 * MIB)


def test_page_that_answers_a_listing_is_temporary(server: LyingStore, store: S3ObjectStore) -> None:
    server.lie = lambda _request, _answer: page()
    with pytest.raises(TemporaryError, match="what answers there is not an S3 server"):
        list(store.list("upload"))


@of_each_key
def test_object_that_ends_early_is_a_temporary_error(server: LyingStore, store: S3ObjectStore, key: str) -> None:
    ref = ObjectRef("upload", key)
    write(store, ref, b"x" * 100)

    def ends_early(request: Request, answer: Response) -> Response:
        if request.method == "GET":
            answer.response = [answer.get_data()[:50]]  # the length is that of the whole
        return answer

    server.lie = ends_early
    opened = store.open(ref)
    assert opened is not None
    assert opened[0].size == 100
    with pytest.raises(TemporaryError, match="the connection broke while it was read"):
        list(opened[1])


# The runtime on a store that lies about the source


@of_each_page
def test_page_in_the_place_of_the_source_leaves_the_good_target(
    server: LyingStore, runtime: Runtime, etag: str
) -> None:
    server.put(SOURCE, b"one")
    runtime.agree(REF)
    good = server.objects[TARGET]
    server.put(SOURCE, b"two")
    for methods in (("GET", "HEAD"), ("GET",)):
        server.lie = lambda request, answer, methods=methods: (  # type: ignore[misc]
            page(etag) if for_source(request) and request.method in methods else answer
        )
        with pytest.raises(TemporaryError):
            runtime.agree(REF)
        assert server.objects[TARGET] == good


@of_each_page
def test_page_in_the_place_of_a_new_source_writes_nothing(server: LyingStore, runtime: Runtime, etag: str) -> None:
    server.lie = lambda request, answer: page(etag) if for_source(request) else answer
    with pytest.raises(TemporaryError):
        runtime.agree(REF)
    assert server.objects == {}


def cut_while_it_is_read(request: Request, answer: Response) -> Response:
    """GET gives a half, with the ETag of the whole; HEAD tells the truth."""
    return half(answer) if for_source(request) and request.method == "GET" and answer.status_code == 200 else answer


@pytest.mark.parametrize("data", [b"good bytes", b"bad bytes."], ids=["processed", "refused"])
def test_half_of_a_new_source_is_taken_back_and_is_temporary(server: LyingStore, runtime: Runtime, data: bytes) -> None:
    server.put(SOURCE, data)
    server.lie = cut_while_it_is_read
    with pytest.raises(TemporaryError, match="5 bytes were read and 10 are there"):
        runtime.agree(REF)
    assert list(server.objects) == [SOURCE]
    server.lie = lambda _request, answer: answer
    runtime.agree(REF)
    assert (TARGET in server.objects) == (data == b"good bytes")


def test_half_of_a_new_source_is_taken_back_from_an_index(
    server: LyingStore, make_runtime: Callable[..., Runtime], tmp_path_factory: pytest.TempPathFactory
) -> None:
    sink = SqliteSink(tmp_path_factory.mktemp("index") / "index.db", "upper")
    server.put(SOURCE, b"good bytes")
    server.lie = cut_while_it_is_read
    with pytest.raises(TemporaryError, match="5 bytes were read and 10 are there"):
        make_runtime(sink).agree(REF)
    assert sink.document(REF.bucket, REF.key) is None
    sink.close()


def test_half_of_a_changed_source_leaves_the_good_target(server: LyingStore, runtime: Runtime) -> None:
    server.put(SOURCE, b"one")
    runtime.agree(REF)
    good = server.objects[TARGET]
    server.put(SOURCE, b"two two")
    server.lie = cut_while_it_is_read
    with pytest.raises(TemporaryError):
        runtime.agree(REF)
    assert server.objects[TARGET] == good


# A target that is stored in part


def stored_in_part(request: Request, answer: Response) -> Response:
    """What is written in parts is a megabyte shorter afterwards."""
    if request.method == "HEAD" and answer.status_code == 200:
        answer.content_length = max(0, (answer.content_length or 0) - MIB)
    return answer


def large(runtime: Runtime, key: str) -> Entry:
    """Write a result of 6 MiB."""
    ref = ObjectRef("upload", key)
    sink, mark = runtime.sink, Mark("s1", "upper", "o", ref.digest)
    assert sink is not None
    return write_one(sink, sink.address(ref, None), Result(b"x" * 6 * MIB), mark, ObjectState(ref, 1, "e1"))


@of_each_key
def test_large_target_that_is_stored_in_part_is_removed_and_temporary(
    server: LyingStore, runtime: Runtime, key: str
) -> None:
    server.lie = stored_in_part
    with pytest.raises(TemporaryError, match="6291456 bytes were written and 5242880 are there"):
        large(runtime, key)
    assert server.objects == {}


@of_each_key
def test_large_target_that_is_stored_whole_has_its_etag(server: LyingStore, runtime: Runtime, key: str) -> None:
    entry = large(runtime, key)
    assert (entry.size, len(entry.etag or "")) == (6 * MIB, 32)


def test_object_of_another_program_in_the_place_of_a_large_target_is_not_removed(
    server: LyingStore, runtime: Runtime
) -> None:
    def overtaken(request: Request, answer: Response) -> Response:
        if request.method == "POST" and "uploadId" in request.args:
            server.put("/processed/a", b"foreign")
        return answer

    server.lie = overtaken
    large(runtime, "a")
    assert server.objects["/processed/a"][0] == b"foreign"
