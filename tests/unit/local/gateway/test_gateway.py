"""The gateway speaks OpenFaaS's paths: what goes in comes out at the function, as it was."""

import base64
import http.client
import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from penstock.connect.edition import Edition
from penstock.delivery.attempts import Attempts
from penstock.delivery.deliverer import DeliveryOutcome, Message, Policy, Verdict
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import InboxSender
from penstock.local.functions.crashes import CrashLog
from penstock.local.functions.functions import LocalFunctions
from penstock.local.functions.secret_files import SecretFiles
from penstock.local.gateway.access import Access
from penstock.local.gateway.console import make_console
from penstock.local.gateway.deployments import Deployments
from penstock.local.gateway.gateway import Gateway
from penstock.local.gateway.invocations import Invocation, InvocationLog
from penstock.local.gateway.router import Router
from penstock.local.http_server import HttpServer
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef
from pytest_httpserver import HTTPServer as Peer

from tests.unit.local.conftest import Bench, until

STACK = """\
functions:
  echo:
    handler: ./echo
    image: example/echo:1
    environment: {SOURCE: s3://upload/*.csv, SINK: "s3://processed/{key}.gz", KEPT: "${KEPT:-here}", EXIT: "${EXIT:-}"}
  another:
    handler: ./another
    image: example/another:1
"""


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Running:
    """A gateway on a port, with delivery, over functions of the bench."""

    def __init__(self, bench: Bench, functions: LocalFunctions, access: Access, edition: Edition = Edition.CE) -> None:
        self.bench, self.functions = bench, functions
        self.inbox = Inbox(bench.folder / "inbox.sqlite")
        self.router = Router(self.inbox)
        self.invocations = InvocationLog()
        self.store = MemoryStore("upload", "processed")
        self.crashes, self.attempts = CrashLog(), Attempts(2)
        self.changes = 0
        self.secrets = SecretFiles(bench.folder / "secrets", {"minio-access-key": "own"})
        stack_file = bench.folder / "stack.yml"
        stack_file.write_text(STACK)
        for name in ("echo", "another"):
            (bench.folder / name).mkdir()
        self.gateway = Gateway(
            functions=functions,
            deployments=Deployments(stack_file, functions, {"KEPT": "ours"}, self._changed, edition, self.secrets),
            inbox=self.inbox,
            router=self.router,
            invocations=self.invocations,
            healthy=lambda: "",
            console=make_console(
                functions, self.invocations, self.inbox, self.router, self.store, self.crashes, self.attempts
            ),
            access=access,
            secrets=self.secrets,
        )
        self.router.configure([function.spec for function in functions])
        self.server = HttpServer(self.gateway)
        self.server.start()
        policy = Policy(attempts=2, min_wait_seconds=0.01, max_wait_seconds=0.01)
        self.pump: InboxSender[None] = InboxSender(
            self.inbox,
            self.router.targets(self.server.url),
            policy,
            poll_seconds=0.05,
            observe=self.attempts.observe,
            waits=self.attempts.waits,
        )
        self.pump.start()

    def _changed(self, specs: list[Any]) -> None:
        self.router.configure(specs)
        self.changes += 1

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        data = json.dumps(body) if isinstance(body, dict) else body
        connection.request(method, path, data, fields)
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return answer

    def close(self) -> None:
        self.pump.stop(2)
        self.server.stop()
        self.inbox.close()


@pytest.fixture(name="functions")
def functions_fixture(bench: Bench) -> LocalFunctions:
    return bench.functions(
        bench.spec(zero="15m", SOURCE="s3://upload/*.csv", SINK="s3://processed/{key}.gz"),
        bench.spec("broken", EXIT="78"),
    )


@pytest.fixture(name="gateway")
def gateway_fixture(bench: Bench, functions: LocalFunctions) -> Iterator[Running]:
    running = Running(bench, functions, Access(token="secret"))
    yield running
    running.close()


def test_request_reaches_the_function_as_it_was(gateway: Running) -> None:
    answer = gateway.request("PATCH", "/function/echo/a%2Fb//c?x=1&y=%20", b"hello", X_Own="value", Content_Type="a/b")

    seen = answer.json
    assert (seen["method"], seen["path"], seen["body"]) == ("PATCH", "/a%2Fb//c?x=1&y=%20", "hello")
    assert seen["headers"]["x-own"] == "value"
    assert seen["headers"]["content-type"] == "a/b"
    assert seen["headers"]["x-call-id"] == answer.headers["X-Call-Id"]
    assert float(answer.headers["X-Duration-Seconds"]) > 0
    assert answer.headers["X-Penstock-Cold-Start"] == "true"
    assert gateway.request("GET", "/function/echo.openfaas-fn").headers["X-Penstock-Cold-Start"] == "false"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_every_method_goes_through(gateway: Running, method: str) -> None:
    assert gateway.request(method, "/function/echo").json["method"] == method


def test_head_has_a_length_and_no_body(gateway: Running) -> None:
    answer = gateway.request("HEAD", "/function/echo")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


def test_body_without_length_is_passed_on_in_chunks(gateway: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.server.port, timeout=30)
    connection.request("POST", "/function/echo", iter([b"one", b"two" * 100_000]), encode_chunked=True)
    seen = json.load(connection.getresponse())
    connection.close()
    assert seen["size"] == 300_003
    assert seen["headers"]["transfer-encoding"] == "chunked"


def test_answer_is_passed_on_while_it_is_made(gateway: Running) -> None:
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30) as raw:
        raw.sendall(b"GET /function/echo/drip HTTP/1.1\r\nHost: localhost\r\n\r\n")
        seen = b""
        while b"one" not in seen:
            seen += raw.recv(1000)
        assert b"two" not in seen
        gateway.bench.mark.touch()  # lets the function go on
        while chunk := raw.recv(1000):
            seen += chunk
    assert b"two" in seen


def test_answer_before_the_end_of_the_body_counts(gateway: Running) -> None:
    answer = gateway.request("POST", "/function/echo/refuse-early", b"x" * 8_000_000)
    assert (answer.status, answer.text) == (413, "too large\n")


def test_crash_in_the_middle_is_a_502_and_the_next_request_starts_it_anew(gateway: Running) -> None:
    first = gateway.request("GET", "/function/echo").json["pid"]
    crashed = gateway.request("GET", "/function/echo/crash")
    assert crashed.status == 502
    assert "broke off before it answered" in crashed.text
    until(lambda: gateway.functions.get("echo").replicas == 0)
    assert gateway.request("GET", "/function/echo").json["pid"] != first


def test_function_that_cannot_start_is_a_503_with_its_log(gateway: Running) -> None:
    answer = gateway.request("GET", "/function/broken")
    assert answer.status == 503
    assert "exited with code 78" in answer.text
    assert "hello from broken" in answer.text
    assert answer.headers["Retry-After"] == "5"


def test_unknown_function_is_a_404(gateway: Running) -> None:
    answer = gateway.request("POST", "/function/nope", b"")
    assert (answer.status, answer.text) == (404, "function 'nope' is not deployed; deployed: broken, echo\n")


def test_invocations_are_recorded_with_the_functions_own_answer(gateway: Running) -> None:
    gateway.request("POST", "/function/echo/event", b"{}")
    gateway.request("POST", "/function/echo/other", b"abc")

    until(lambda: len(gateway.invocations.recent()) == 2)  # recorded when the answer is through
    other, event = gateway.invocations.recent()
    assert (event.function, event.status, event.cold, event.bytes_in) == ("echo", 200, True, 2)
    assert event.answer is not None
    assert event.answer["outcome"] == "processed"
    assert (other.path, other.bytes_in, other.cold, other.answer) == ("/other", 3, False, None)


def test_asynchronous_call_is_answered_at_once_and_its_result_called_back(gateway: Running, httpserver: Peer) -> None:
    httpserver.expect_oneshot_request("/done", method="POST").respond_with_data("thanks")
    callback = httpserver.url_for("/done")

    with httpserver.wait(timeout=20):
        answer = gateway.request("POST", "/async-function/echo/x?y=1", b"later", X_Callback_Url=callback)
        assert answer.status == 202

    [(request, _)] = httpserver.log
    assert request.headers["X-Call-Id"] == answer.headers["X-Call-Id"]
    assert request.headers["X-Function-Name"] == "echo"
    assert request.headers["X-Function-Status"] == "200"
    seen = request.get_json()
    assert (seen["path"], seen["body"], seen["method"]) == ("/x?y=1", "later", "POST")


def test_asynchronous_call_that_is_refused_becomes_a_dead_letter(gateway: Running) -> None:
    gateway.request("POST", "/async-function/echo/refuse-early", b"x", X_Call_Id="call-1")
    until(gateway.inbox.dead_letters)
    [letter] = gateway.inbox.dead_letters()
    assert (letter.code, letter.data) == (413, b"too large\n")
    assert "call-1" in letter.message.origin


@pytest.mark.parametrize(
    ("method", "path", "size", "headers", "status"),
    [
        ("GET", "/async-function/echo", 0, {}, 405),
        ("POST", "/async-function/nope", 0, {}, 404),
        ("POST", "/async-function/echo", 1024 * 1024 + 1, {}, 413),
        ("POST", "/async-function/echo", 1, {"X-Callback-Url": "file:///etc/passwd"}, 400),
    ],
)
def test_asynchronous_calls_that_cannot_work_are_refused_at_once(
    gateway: Running, method: str, path: str, size: int, headers: dict[str, str], status: int
) -> None:
    assert gateway.request(method, path, b"x" * size, **headers).status == status
    assert gateway.inbox.counts().pending == 0


def test_functions_are_listed_as_faas_cli_reads_them(gateway: Running) -> None:
    listed = gateway.request("GET", "/system/functions").json
    assert [entry["name"] for entry in listed] == ["broken", "echo"]
    echo = listed[1]
    assert echo["replicas"] == echo["availableReplicas"] == echo["invocationCount"] == 0
    assert echo["labels"] == {"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": "15m"}
    assert echo["envVars"]["SOURCE"] == "s3://upload/*.csv"
    assert echo["createdAt"].endswith("Z")
    assert gateway.request("GET", "/system/functions?namespace=other").json == []


def test_description_counts_and_measures(gateway: Running) -> None:
    gateway.request("GET", "/function/echo")
    found = gateway.request("GET", "/system/function/echo?usage=1").json
    assert (found["invocationCount"], found["replicas"]) == (1, 1)
    assert found["usage"]["totalMemoryBytes"] > 1_000_000
    assert gateway.request("GET", "/system/function/nope").status == 404


def test_scaling_starts_and_stops(bench: Bench, functions: LocalFunctions) -> None:
    gateway = Running(bench, functions, Access(token="secret"), Edition.PRO)
    try:
        _scale_up_and_down(gateway)
    finally:
        gateway.close()


def _scale_up_and_down(gateway: Running) -> None:
    assert gateway.request("POST", "/system/scale-function/echo", {"serviceName": "echo", "replicas": 1}).status == 202
    assert gateway.functions.get("echo").replicas == 1
    assert gateway.request("POST", "/system/scale-function/echo", {"serviceName": "echo", "replicas": 0}).status == 202
    assert gateway.functions.get("echo").replicas == 0
    assert gateway.request("POST", "/system/scale-function/echo", {"replicas": -1}).status == 400


def test_logs_come_as_lines_of_json(gateway: Running) -> None:
    gateway.request("GET", "/function/echo")
    gateway.functions.get("echo").stop()

    lines = [json.loads(line) for line in gateway.request("GET", "/system/logs?name=echo").body.splitlines()]
    texts = [line["text"] for line in lines]
    assert [text for text in texts if not text.startswith("GET ")] == ["hello from echo", "goodbye"]
    # A direct call that went well says so too.
    [call] = [text for text in texts if text.startswith("GET ")]
    assert re.fullmatch(r"GET / - 200 - [0-9]+ bytes \([0-9.]+ s\)", call)
    assert lines[0].keys() == {"name", "namespace", "instance", "timestamp", "text"}
    assert len({line["instance"] for line in lines}) == 1
    assert gateway.request("GET", "/system/logs?name=echo&tail=1").body.count(b"\n") == 1
    assert gateway.request("GET", "/system/logs?name=echo&since=1h").body.count(b"\n") == 3
    assert gateway.request("GET", "/system/logs?name=echo&since=soon").status == 400


def test_tail_that_is_no_number_is_refused_with_words(gateway: Running) -> None:
    answer = gateway.request("GET", "/system/logs?name=echo&tail=few")

    assert (answer.status, answer.text) == (400, "tail='few': expected a whole number of lines, or -1 for all\n")


def test_followed_logs_end_with_the_function(gateway: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.server.port, timeout=30)
    connection.request("GET", "/system/logs?name=echo&follow=1")
    response = connection.getresponse()
    gateway.request("GET", "/function/echo")
    gateway.request("DELETE", "/system/functions", {"functionName": "echo"})
    texts = [json.loads(line)["text"] for line in response.read().splitlines() if line]
    connection.close()
    assert [text for text in texts if not text.startswith("GET ")] == ["hello from echo", "goodbye"]


def test_deploying_maps_the_name_to_its_folder_and_says_so(gateway: Running) -> None:
    document = {
        "service": "another",
        "image": "registry/another:2",
        "envVars": {"OPTION_NEW": "yes"},
        "labels": {"a": "b"},
    }
    assert gateway.request("PUT", "/system/functions", document).status == 404
    answer = gateway.request("POST", "/system/functions", document)

    assert answer.status == 202
    assert f"runs from {gateway.bench.folder / 'another'}" in answer.text
    assert "image registry/another:2 is not pulled" in answer.text
    assert gateway.changes == 1
    spec = gateway.functions.get("another").spec
    assert (spec.environment["OPTION_NEW"], spec.labels) == ("yes", {"a": "b"})


def test_deploying_keeps_what_only_this_stack_knows(gateway: Running) -> None:
    document = {"service": "echo", "image": "x", "envVars": {"KEPT": "here", "OPTION_LEVEL": "3"}}
    assert gateway.request("PUT", "/system/functions", document).status == 202
    environment = gateway.functions.get("echo").spec.environment
    assert (environment["KEPT"], environment["OPTION_LEVEL"]) == ("ours", "3")


def test_image_may_name_the_folder(gateway: Running) -> None:
    document = {"service": "copy", "image": "registry.example.com/penstock-another:0.1.0"}
    assert gateway.request("POST", "/system/functions", document).status == 202
    assert gateway.functions.get("copy").spec.handler == gateway.bench.folder / "another"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "service: missing"),
        ({"service": "x", "image": "nginx"}, "neither the name nor the image 'nginx' is in"),
        ({"service": "another", "envVars": {"A": 1}}, "envVars: expected an object whose values are text"),
        ({"service": "another", "envVars": {"SOURCE": "upload"}}, "SOURCE: 'upload'"),
    ],
)
def test_deployment_that_cannot_work_is_refused(gateway: Running, document: dict[str, Any], reason: str) -> None:
    answer = gateway.request("POST", "/system/functions", document)
    assert answer.status == 400
    assert reason in answer.text
    assert len(list(gateway.functions)) == 2


def test_removed_function_is_gone(gateway: Running) -> None:
    assert gateway.request("DELETE", "/system/functions", {"functionName": "echo"}).status == 202
    assert gateway.request("GET", "/function/echo").status == 404
    assert gateway.request("DELETE", "/system/functions", {"functionName": "echo"}).status == 404
    assert not gateway.router.wanted("s3:ObjectCreated:Put", ObjectRef("upload", "a.csv"))


def test_info_and_namespaces(gateway: Running) -> None:
    info = gateway.request("GET", "/system/info").json
    assert info["provider"]["provider"] == "penstock"
    assert info["version"]["release"]
    assert gateway.request("GET", "/system/namespaces").json == ["openfaas-fn"]


def test_health_and_metrics(gateway: Running) -> None:
    gateway.request("GET", "/function/echo")
    until(gateway.invocations.recent)
    assert gateway.request("GET", "/healthz").text == "OK\n"
    text = gateway.request("GET", "/metrics").text
    assert 'gateway_function_invocation_total{code="200",function_name="echo"} 1.0' in text
    assert 'gateway_service_count{function_name="echo"} 1.0' in text
    assert 'gateway_service_count{function_name="broken"} 0.0' in text


def test_webhook_event_reaches_the_function(gateway: Running) -> None:
    body = b'{"bucket": "upload", "key": "a.csv"}'
    assert gateway.request("POST", "/events", body, Authorization="Bearer secret").status == 202
    until(lambda: [entry.path for entry in gateway.invocations.recent()] == ["/event"])
    until(lambda: gateway.inbox.counts().pending == 0)


def test_webhook_without_the_token_is_refused(gateway: Running) -> None:
    assert gateway.request("POST", "/events", b"{}").status == 401
    assert gateway.request("POST", "/events", b"{}", Authorization="Bearer guess").status == 401


def test_pages_of_other_servers_may_not_call(gateway: Running) -> None:
    assert gateway.request("GET", "/function/echo", Origin="http://evil.example").status == 403
    assert gateway.request("GET", "/function/echo", Host="evil.example").status == 403
    own = f"http://127.0.0.1:{gateway.server.port}"
    assert gateway.request("GET", "/function/echo", Origin=own).status == 200


def test_password_guards_system_and_console_but_not_functions(bench: Bench, functions: LocalFunctions) -> None:
    gateway = Running(bench, functions, Access(password="letmein"))
    try:
        asked = gateway.request("GET", "/system/functions")
        assert (asked.status, asked.headers["WWW-Authenticate"]) == (401, 'Basic realm="penstock"')
        assert gateway.request("GET", "/ui/state").status == 401
        right = base64.b64encode(b"admin:letmein").decode()
        assert gateway.request("GET", "/system/functions", Authorization=f"Basic {right}").status == 200
        assert gateway.request("GET", "/function/echo").status == 200
    finally:
        gateway.close()


def test_console_shows_functions_calls_and_dead_letters(gateway: Running) -> None:
    gateway.request("POST", "/function/echo/event", b"{}")
    gateway.request("POST", "/async-function/echo/refuse-early", b"x")
    until(gateway.inbox.dead_letters)
    until(lambda: len(gateway.invocations.recent()) == 2)

    state = gateway.request("GET", "/ui/state").json
    echo = next(entry for entry in state["functions"] if entry["name"] == "echo")
    assert (echo["replicas"], echo["sources"], echo["sink"]) == (1, ["s3://upload/*.csv"], "s3://processed/{key}.gz")
    assert state["invocations"][-1]["object"] == "upload/a.csv"
    assert state["buckets"] == ["processed", "upload"]
    [letter] = state["dead_letters"]
    assert gateway.request("POST", "/ui/replay", {"ids": [letter["id"]]}).json == {"replayed": 1}
    until(gateway.inbox.dead_letters)
    [again] = gateway.inbox.dead_letters()
    assert gateway.request("POST", "/ui/drop", {"ids": [int(again.id)]}).json == {"dropped": 1}
    assert gateway.inbox.counts().dead == 0


def test_console_shows_what_a_function_assumed(gateway: Running) -> None:
    gateway.request("POST", "/function/echo/event", b"{}")
    sent = {
        "[": [],
        '["First page of 3.", "first of many"]': ["First page of 3.", "first of many"],
        "7": [],
        '["a", 1]': ["a"],
    }
    for header in sent:
        gateway.request("POST", "/function/echo/notes", b"x", X_Want_Notes=header)
    until(lambda: len(gateway.invocations.recent()) == 1 + len(sent))

    *direct, event = gateway.request("GET", "/ui/state").json["invocations"]
    assert event["notes"] == ["The encoding was guessed."]
    assert [entry["notes"] for entry in reversed(direct)] == list(sent.values())
    assert "each.notes.map(note => html" in gateway.request("GET", "/ui/files/events.js").text


def test_console_page_is_complete_in_itself(gateway: Running) -> None:
    assert gateway.request("GET", "/").headers["Location"] == "/ui/"
    page = gateway.request("GET", "/ui/")
    assert page.status == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for loaded in ('src="http', 'href="http', "@import", "innerHTML"):
        assert loaded not in page.text


def test_file_uploaded_in_the_console_can_be_listed_and_read_back(gateway: Running) -> None:
    put = gateway.request("PUT", "/ui/object?bucket=upload&key=a%20b%2Bc.csv", b"a,b\n", Content_Type="text/csv")
    assert put.json == {"bucket": "upload", "key": "a b+c.csv", "size": 4}
    assert [entry["key"] for entry in gateway.request("GET", "/ui/objects?bucket=upload").json["objects"]] == [
        "a b+c.csv"
    ]
    got = gateway.request("GET", "/ui/object?bucket=upload&key=a%20b%2Bc.csv")
    assert (got.body, got.headers["Content-Type"]) == (b"a,b\n", "text/csv")
    assert got.headers["Content-Security-Policy"].startswith("sandbox")
    assert gateway.request("GET", "/ui/object?bucket=upload&key=none").status == 404
    assert gateway.request("PUT", "/ui/object?bucket=elsewhere&key=x", b"x").status == 400


@pytest.mark.parametrize(
    "name", ["日本語.jpg", "猫 100%.jpg", 'a"b.jpg', "é.jpg", "x\ny.csv", "\x1b[2J.csv", "a;b=c.csv"]
)
def test_every_name_can_be_read_back_in_the_console(gateway: Running, name: str) -> None:
    gateway.store.put(ObjectRef("upload", f"folder/{name}"), [b"bytes"], content_type="image/jpeg")

    for show in ("", "&show="):
        answer = gateway.request("GET", f"/ui/object?bucket=upload&key={quote(f'folder/{name}', safe='')}{show}")
        assert (answer.status, answer.body) == (200, b"bytes")
        assert answer.headers["Content-Disposition"].startswith("inline" if show else "attachment")


def test_the_console_does_not_write_what_is_penstocks_own(gateway: Running) -> None:
    answer = gateway.request("PUT", "/ui/object?bucket=upload&key=.penstock/refused/x", b"x")

    assert answer.status == 400
    assert ".penstock/" in answer.text


def test_what_was_tried_with_an_object_is_shown_with_its_trace(gateway: Running) -> None:
    trace = 'Traceback (most recent call last):\n  File "handler.py", line 3, in handle\nKeyError: 7'
    answer = {
        "outcome": "failed",
        "status": 500,
        "source": {"bucket": "upload", "key": "a b.csv"},
        "reason": "unexpected error",
        "incident": "abc",
    }
    gateway.invocations.add(Invocation("echo", "POST", "/event", 500, False, 0.1, 1034, 80, "id", answer))
    line = json.dumps({"message": "unexpected error", "incident": "abc", "trace": trace})
    gateway.crashes.read("echo", gateway.functions.get("echo").logs.path, line)
    message = Message("upload/a b.csv", b"{}", {}, "event", "echo", 1)
    gateway.attempts.waits(message, Verdict(DeliveryOutcome.RETRY, 500, "answered 500"), 1, 20.0)

    found = gateway.request("GET", "/ui/history?bucket=upload&key=a%20b.csv").json
    [tried] = found["attempts"]
    assert tried["crashes"] == [{"trace": trace, "log": str(gateway.functions.get("echo").logs.path)}]
    assert (tried["reason"], tried["bytes_in"]) == ("unexpected error", None)
    assert (found["waiting"][0]["attempt"], found["waiting"][0]["attempts"]) == (2, 2)
    assert list(found["logs"]) == ["echo"]
    assert gateway.request("GET", "/ui/state").json["waiting"] == found["waiting"]
    assert gateway.request("GET", "/ui/history?bucket=upload&key=other.csv").json["attempts"] == []


def test_a_function_that_does_not_start_says_why_in_the_record(bench: Bench) -> None:
    gateway = Running(bench, bench.functions(bench.spec(EXIT="3")), Access())
    try:
        assert gateway.request("POST", "/function/echo/event", b"{}").status == 503
        until(gateway.invocations.recent)
        [entry] = gateway.invocations.recent()
        assert "exited with code 3 instead of starting" in entry.why
        assert str(gateway.functions.get("echo").logs.path) in entry.why
    finally:
        gateway.close()


def test_a_function_that_breaks_off_has_its_log_named(gateway: Running) -> None:
    answer = gateway.request("POST", "/function/echo/crash", b"x")
    assert answer.status == 502
    assert str(gateway.functions.get("echo").logs.path) in answer.text


def test_searches_are_not_among_the_invocations_of_the_console(gateway: Running) -> None:
    gateway.request("GET", "/function/echo/?q=words")
    gateway.request("POST", "/function/echo/event", b"{}")
    until(lambda: len(gateway.invocations.recent()) == 2)
    assert [entry["object"] for entry in gateway.request("GET", "/ui/state").json["invocations"]] == ["upload/a.csv"]


def test_the_console_says_which_function_takes_a_file(gateway: Running) -> None:
    taken = gateway.request("GET", "/ui/place?key=donors.csv").json
    assert (taken["bucket"], taken["takers"]) == ("upload", {"upload": ["echo"]})
    assert gateway.request("GET", "/ui/place?key=photo.xyz").json == {
        "bucket": "",
        "takers": {},
        "wants": [["echo", "s3://upload/*.csv"]],
    }
