"""What the search server's answers mean; the answers are those that OpenSearch 2.19 and Elasticsearch 7.10 gave."""

import base64
import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from penstock.errors import ConfigError, EventError, PenstockError, PermanentError, TargetChanged, TemporaryError
from penstock.sinks.document import mark_field
from penstock.sinks.opensearch import OpenSearchSink
from penstock.sinks.search_server import MAPPING_VERSION, SearchIndex
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Result, Write
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.sink_contract import read, write

MARK = Mark(state="s1", function="index", options="o", source="digest")
SOURCE = ObjectState(ObjectRef("upload", "rose.jpg"), 12, "e1")
ADDRESS = SOURCE.ref.digest
PATH = f"/photos/_doc/{ADDRESS}"
MAPPING = {"photos": {"mappings": {"_meta": {"penstock": MAPPING_VERSION}}}}
STORED = {"_seq_no": 4, "_primary_term": 2, "result": "created"}
SEEN = Entry(ADDRESS, MARK, etag="3:1")


def error(kind: str, reason: str = "because") -> dict[str, object]:
    return {"error": {"type": kind, "reason": reason}, "status": 0}


@pytest.fixture
def sink(httpserver: HTTPServer) -> Iterator[OpenSearchSink]:
    httpserver.expect_request("/photos/_mapping").respond_with_json(MAPPING)
    with contextlib.closing(OpenSearchSink(httpserver.url_for(""), "photos", timeout=2)) as sink:
        yield sink


def put(sink: OpenSearchSink, previous: Entry | None = None) -> Entry:
    return write(sink, ADDRESS, Result({"kind": "image"}), MARK, SOURCE, previous)


def test_index_is_made_from_a_template_when_there_is_none(httpserver: HTTPServer) -> None:
    missing = error("index_not_found_exception")
    httpserver.expect_ordered_request("/photos/_mapping").respond_with_json(missing, status=404)
    httpserver.expect_ordered_request("/_index_template/penstock-photos", "PUT").respond_with_json(
        {"acknowledged": True}
    )
    httpserver.expect_ordered_request("/photos", "PUT").respond_with_json({"acknowledged": True})
    httpserver.expect_ordered_request("/_cluster/health/photos").respond_with_json({"status": "yellow"})
    OpenSearchSink(httpserver.url_for(""), "photos").check()
    httpserver.check()
    template = json.loads(httpserver.log[1][0].data)
    assert template["index_patterns"] == ["photos"]
    assert template["template"]["mappings"]["dynamic"] is False


def test_index_that_another_process_made_meanwhile_is_taken(httpserver: HTTPServer) -> None:
    exists = error("resource_already_exists_exception")
    httpserver.expect_request("/photos/_mapping").respond_with_json(error("index_not_found_exception"), status=404)
    httpserver.expect_request("/_index_template/penstock-photos").respond_with_json({"acknowledged": True})
    httpserver.expect_request("/photos", "PUT").respond_with_json(exists, status=400)
    httpserver.expect_request(PATH).respond_with_json({"found": False}, status=404)
    assert read(OpenSearchSink(httpserver.url_for(""), "photos"), ADDRESS, MARK) is None


def test_index_of_a_newer_version_is_left_alone(httpserver: HTTPServer) -> None:
    newer = {"photos": {"mappings": {"_meta": {"penstock": 99}}}}
    httpserver.expect_request("/photos/_mapping").respond_with_json(newer)
    with pytest.raises(TemporaryError, match="99"):
        OpenSearchSink(httpserver.url_for(""), "photos").check()


def test_credentials_are_sent_with_every_request(httpserver: HTTPServer) -> None:
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(request.headers["authorization"])
        return Response(json.dumps({"found": False}), status=404)

    httpserver.expect_request("/photos/_mapping").respond_with_json(MAPPING)
    httpserver.expect_request(PATH).respond_with_handler(answer)
    read(OpenSearchSink(httpserver.url_for(""), "photos", username="ann", password="pä:ss"), ADDRESS, MARK)
    assert base64.b64decode(seen[0].removeprefix("Basic ")).decode() == "ann:pä:ss"


def test_new_document_is_written_only_where_none_is(httpserver: HTTPServer, sink: OpenSearchSink) -> None:
    httpserver.expect_request(PATH, "PUT", query_string={"op_type": "create", "timeout": "10s"}).respond_with_json(
        STORED
    )
    assert put(sink) == Entry(ADDRESS, MARK, etag="4:2")


def test_replacement_names_the_version_it_replaces(httpserver: HTTPServer, sink: OpenSearchSink) -> None:
    condition = {"if_seq_no": "3", "if_primary_term": "1", "timeout": "10s"}
    httpserver.expect_request(PATH, "PUT", query_string=condition).respond_with_json(STORED)
    assert put(sink, SEEN).etag == "4:2"


CASES: list[tuple[int, object, type[PenstockError], str]] = [
    (409, error("version_conflict_engine_exception"), TargetChanged, "another program"),
    (429, error("circuit_breaking_exception"), TemporaryError, "overloaded"),
    (429, error("cluster_block_exception"), TemporaryError, "free space"),
    (403, error("cluster_block_exception"), TemporaryError, "free space"),
    (403, error("security_exception"), TemporaryError, "SINK_PASSWORD"),
    (401, "Unauthorized", TemporaryError, "SINK_PASSWORD"),
    (503, error("unavailable_shards_exception"), TemporaryError, "not whole"),
    (503, error("master_not_discovered_exception"), TemporaryError, "not whole"),
    (502, "<html>Bad Gateway</html>", TemporaryError, "Bad Gateway"),
    (404, error("index_not_found_exception"), TemporaryError, "deleted"),
    (404, "<html>no such page</html>", TemporaryError, "is this an OpenSearch"),
    (200, "<html>welcome</html>", TemporaryError, "check SINK"),
    (200, {}, TemporaryError, "check SINK"),
    (200, {"status": "ok", "result": "ok"}, TemporaryError, "check SINK"),
    (400, error("index_closed_exception"), TemporaryError, "it is closed; open it with POST"),
]


@pytest.mark.parametrize(("status", "answer", "expected", "text"), CASES)
def test_answers_to_a_write(
    httpserver: HTTPServer, sink: OpenSearchSink, status: int, answer: object, expected: type[PenstockError], text: str
) -> None:
    httpserver.expect_request(PATH, "PUT").respond_with_json(answer, status=status)
    with pytest.raises(expected, match=text) as failure:
        put(sink)
    assert type(failure.value) is expected


@pytest.mark.parametrize(("status", "answer", "expected", "text"), [case for case in CASES if case[0] != 409])
def test_no_answer_to_a_read_but_not_found_means_absence(
    httpserver: HTTPServer, sink: OpenSearchSink, status: int, answer: object, expected: type[PenstockError], text: str
) -> None:
    httpserver.expect_request(PATH, "GET").respond_with_json(answer, status=status)
    with pytest.raises(expected, match=text):
        read(sink, ADDRESS, MARK)


@pytest.mark.parametrize(("status", "answer", "expected", "text"), [case for case in CASES if case[0] != 409])
def test_no_answer_to_a_removal_but_gone_means_removed(
    httpserver: HTTPServer, sink: OpenSearchSink, status: int, answer: object, expected: type[PenstockError], text: str
) -> None:
    httpserver.expect_request(PATH, "DELETE").respond_with_json(answer, status=status)
    with pytest.raises(expected, match=text):
        sink.remove(ADDRESS, MARK, SEEN)


def test_document_that_the_server_refuses_is_a_permanent_error(httpserver: HTTPServer, sink: OpenSearchSink) -> None:
    refusal = error("mapper_parsing_exception", "failed to parse field [image.width]")
    httpserver.expect_request(PATH, "PUT").respond_with_json(refusal, status=400)
    with pytest.raises(PermanentError, match=r"rose\.jpg.*image\.width"):
        put(sink)


def test_retry_after_of_the_server_is_passed_on(httpserver: HTTPServer, sink: OpenSearchSink) -> None:
    httpserver.expect_request(PATH).respond_with_json(error("x"), status=429, headers={"retry-after": "17"})
    with pytest.raises(TemporaryError) as failure:
        read(sink, ADDRESS, MARK)
    assert failure.value.retry_after == 17


@pytest.mark.parametrize("wait", [b"\xb2", b"Wed, 21 Oct 2026 07:28:00 GMT", b"-1", b"1.5"])
def test_a_retry_after_that_is_no_number_of_seconds_is_left_out(
    httpserver: HTTPServer, sink: OpenSearchSink, wait: bytes
) -> None:
    headers = {"retry-after": wait.decode("latin-1")}
    httpserver.expect_request(PATH).respond_with_json(error("x"), status=429, headers=headers)
    with pytest.raises(TemporaryError) as failure:
        read(sink, ADDRESS, MARK)
    assert failure.value.retry_after == 2


def test_removal_of_what_is_gone_is_no_error(httpserver: HTTPServer, sink: OpenSearchSink) -> None:
    httpserver.expect_request(PATH, "DELETE").respond_with_json({"result": "not_found"}, status=404)
    sink.remove(ADDRESS, MARK, SEEN)


def test_removal_after_a_change_is_a_conflict(httpserver: HTTPServer, sink: OpenSearchSink) -> None:
    conflict = error("version_conflict_engine_exception")
    httpserver.expect_request(PATH, "DELETE").respond_with_json(conflict, status=409)
    found = {"found": True, "_seq_no": 9, "_primary_term": 1, "_source": {}}
    httpserver.expect_request(PATH, "GET").respond_with_json(found)
    with pytest.raises(TargetChanged):
        sink.remove(ADDRESS, MARK, SEEN)


def test_bulk_gives_each_document_its_own_outcome(httpserver: HTTPServer, sink: OpenSearchSink) -> None:
    items = [
        {"create": {"status": 201, **STORED}},
        {"index": {"status": 409, **error("version_conflict_engine_exception")}},
        {"create": {"status": 429, **error("es_rejected_execution_exception")}},
        {"create": {"status": 400, **error("mapper_parsing_exception")}},
    ]
    items = [{kind: {**item, "status": item["status"]} for kind, item in one.items()} for one in items]
    for one, status in zip(items, (201, 409, 429, 400), strict=True):
        next(iter(one.values()))["status"] = status
    httpserver.expect_request("/photos/_bulk", "POST").respond_with_json({"errors": True, "items": items})
    writes = [Write(ADDRESS, Result({}), MARK, SOURCE, previous) for previous in (None, SEEN, None, None)]
    outcomes = sink.write_many(writes)
    assert [type(outcome) for outcome in outcomes] == [Entry, TargetChanged, TemporaryError, PermanentError]
    lines = [json.loads(line) for line in httpserver.log[-1][0].data.splitlines()]
    assert lines[0] == {"create": {"_id": ADDRESS}}
    assert lines[2] == {"index": {"_id": ADDRESS, "if_seq_no": 3, "if_primary_term": 1}}
    assert httpserver.log[-1][0].headers["content-type"] == "application/x-ndjson"


def test_bulk_that_fails_as_a_whole_fails_for_each(httpserver: HTTPServer, sink: OpenSearchSink) -> None:
    httpserver.expect_request("/photos/_bulk").respond_with_json(error("x"), status=503)
    outcomes = sink.write_many([Write(ADDRESS, Result({}), MARK, SOURCE, None)] * 3)
    assert [type(outcome) for outcome in outcomes] == [TemporaryError] * 3


def test_bulk_that_is_refused_as_a_whole_is_no_refusal_of_its_documents(
    httpserver: HTTPServer, sink: OpenSearchSink
) -> None:
    httpserver.expect_request("/photos/_bulk").respond_with_data("<html>Too Large</html>", status=413)
    httpserver.expect_request(PATH, "PUT").respond_with_json(STORED)
    httpserver.expect_request("/photos/_doc/b", "PUT").respond_with_data("<html>Too Large</html>", status=413)
    stored, refused = sink.write_many([Write(address, Result({}), MARK, SOURCE, None) for address in (ADDRESS, "b")])
    assert stored == Entry(ADDRESS, MARK, etag="4:2")
    assert type(refused) is PermanentError


def test_batch_of_questions_is_one_call(httpserver: HTTPServer, sink: OpenSearchSink) -> None:
    docs = [
        {"_id": "a", "found": False},
        {"_id": ADDRESS, "found": True, "_source": {"penstock": mark_field(MARK, None)}, **STORED},
    ]
    httpserver.expect_request("/photos/_mget", "POST").respond_with_json({"docs": docs})
    absent, present = sink.read_many([("a", MARK), (ADDRESS, MARK)])
    assert absent is None
    assert present is not None
    assert (present.address, present.etag) == (ADDRESS, "4:2")
    assert json.loads(httpserver.log[-1][0].data) == {"ids": ["a", ADDRESS]}
    assert sink.read_many([]) == []


@pytest.mark.parametrize("kind", ["index_not_found_exception", "no_shard_available_action_exception"])
def test_document_that_could_not_be_asked_for_is_not_absent(
    httpserver: HTTPServer, sink: OpenSearchSink, kind: str
) -> None:
    docs = [{"_id": "a", "found": False}, {"_id": ADDRESS, **error(kind)}]
    httpserver.expect_request("/photos/_mget", "POST").respond_with_json({"docs": docs})
    with pytest.raises(TemporaryError):
        sink.read_many([("a", MARK), (ADDRESS, MARK)])


def test_search_of_which_a_shard_is_missing_is_no_answer(httpserver: HTTPServer, sink: OpenSearchSink) -> None:
    half = {"timed_out": False, "_shards": {"total": 2, "failed": 1}, "hits": {"hits": []}}
    httpserver.expect_request("/photos/_search").respond_with_json(half)
    with pytest.raises(TemporaryError, match="1 shards"):
        sink.search("rose")


@pytest.mark.parametrize(
    "said", [{}, {"status": "ok"}, {"items": [], "docs": [], "hits": [], "_shards": {}}, {"items": [{}], "docs": [1]}]
)
def test_json_of_another_program_with_status_200_is_no_answer(
    httpserver: HTTPServer, sink: OpenSearchSink, said: dict[str, object]
) -> None:
    httpserver.expect_request(re.compile("/photos/_(bulk|mget|search|refresh)")).respond_with_json(said)
    stored = sink.write_many([Write(ADDRESS, Result({}), MARK, SOURCE, None)] * 2)
    assert [(type(each), "check SINK" in str(each)) for each in stored] == [(TemporaryError, True)] * 2
    asks: list[Callable[[], object]] = [
        lambda: sink.read_many([("a", MARK), (ADDRESS, MARK)]),
        lambda: sink.search("rose"),
        lambda: list(sink.entries("upload")),
    ]
    for ask in asks:
        with pytest.raises(TemporaryError, match="check SINK"):
            ask()


@pytest.mark.parametrize("path", ["/photos/_mapping", "/_cluster/health/photos"])
def test_json_of_another_program_is_no_index(httpserver: HTTPServer, path: str) -> None:
    answers = {"/photos/_mapping": MAPPING, "/_cluster/health/photos": {"status": "green"}} | {path: {"service": "up"}}
    for each, answer in answers.items():
        httpserver.expect_request(each).respond_with_json(answer)
    with (
        contextlib.closing(OpenSearchSink(httpserver.url_for(""), "photos", timeout=2)) as sink,
        pytest.raises(TemporaryError, match="SINK"),
    ):
        sink.check()


def test_search_text_reaches_the_server_as_words_only(httpserver: HTTPServer, sink: OpenSearchSink) -> None:
    whole = {"timed_out": False, "_shards": {"failed": 0}, "hits": {"hits": []}}
    httpserver.expect_request("/photos/_search").respond_with_json(whole)
    assert sink.search('rose.jpg" | -x ~2 (y*', limit=5, offset=3) == []
    asked = json.loads(httpserver.log[-1][0].data)
    assert asked["query"]["simple_query_string"]["query"] == "rose jpg x 2 y*"
    assert (asked["from"], asked["size"]) == (3, 5)
    with pytest.raises(EventError, match="no word"):
        sink.search("***")


@pytest.mark.parametrize(("status", "body"), [(200, {"status": "red"}), (408, {"status": "red", "timed_out": True})])
def test_red_index_fails_the_check(
    httpserver: HTTPServer, sink: OpenSearchSink, status: int, body: dict[str, object]
) -> None:
    httpserver.expect_request("/_cluster/health/photos").respond_with_json(body, status=status)
    with pytest.raises(TemporaryError, match="allocation/explain"):
        sink.check()


def test_template_that_may_not_be_made_is_a_matter_of_credentials(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/photos/_mapping").respond_with_json(error("index_not_found_exception"), status=404)
    httpserver.expect_request("/_index_template/penstock-photos").respond_with_json(
        error("security_exception"), status=403
    )
    with pytest.raises(TemporaryError, match="manage its template"):
        OpenSearchSink(httpserver.url_for(""), "photos").check()


def test_index_that_cannot_be_made_is_a_configuration_error(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/photos/_mapping").respond_with_json(error("index_not_found_exception"), status=404)
    httpserver.expect_request("/_index_template/penstock-photos").respond_with_json(
        error("parse_exception"), status=400
    )
    with pytest.raises(ConfigError, match="cannot be made"):
        OpenSearchSink(httpserver.url_for(""), "photos").check()


def test_server_that_is_down_is_a_temporary_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        sink = OpenSearchSink(f"http://127.0.0.1:{taken.getsockname()[1]}", "photos")
        with pytest.raises(TemporaryError, match="cannot be reached") as failure:
            read(sink, ADDRESS, MARK)
        assert failure.value.retry_after == 2
        assert [type(outcome) for outcome in sink.write_many([Write(ADDRESS, Result({}), MARK, SOURCE, None)])] == [
            TemporaryError
        ]


def test_server_that_does_not_answer_is_a_temporary_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sink = OpenSearchSink(f"http://127.0.0.1:{silent.getsockname()[1]}", "photos", timeout=0.2)
        with pytest.raises(TemporaryError, match="cannot be reached"):
            sink.check()


def test_rendition_is_refused(sink: OpenSearchSink) -> None:
    with pytest.raises(PermanentError, match="RENDITIONS"):
        sink.address(SOURCE.ref, "thumb")


def test_many_threads_at_once_fill_no_log_with_warnings(caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 warns about each connection that it cannot keep, and opens a new one for the next request."""
    threads = 40
    together = threading.Barrier(threads)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = b"{}"
            if "_count" in self.path:
                together.wait(60)
            elif "_mapping" in self.path:
                body = json.dumps({"i": MAPPING["photos"]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = threads

    with Server(("127.0.0.1", 0), Handler) as http, ThreadPoolExecutor(threads) as pool:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        server = SearchIndex(
            f"http://127.0.0.1:{http.server_port}", "i", username="", password="", ca_file=None, timeout_seconds=60
        )
        answers = list(pool.map(lambda _: server.call("GET", "/_count").status, range(threads)))
        server.close()
        http.shutdown()
    assert answers == [200] * threads
    assert caplog.messages == []
