"""What the views read and do, over a running gateway."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest
from penstock.delivery.deliverer import Message
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.access import Access
from penstock.types import ObjectRef

from tests.unit.local.conftest import Bench, until
from tests.unit.local.gateway.conftest import Running


@pytest.fixture(name="functions")
def functions_fixture(bench: Bench) -> LocalFunctions:
    secrets = {"FUNCTION_TOKEN": "s3cret", "SMTP_PASSWORD": "s3cret", "ORIGIN": "http://me:s3cret@host"}
    settings = {"SOURCE": "s3://upload/*.csv", "SINK": "s3://processed/{key}.gz", "OPTION_LEVEL": "3"}
    return bench.functions(bench.spec(**settings, **secrets))


@pytest.fixture(name="gateway")
def gateway_fixture(bench: Bench, functions: LocalFunctions) -> Iterator[Running]:
    running = Running(bench, functions, Access(token="secret"))
    yield running
    running.close()


def put(gateway: Running, bucket: str, key: str, body: bytes = b"a,b\n1,2\n") -> None:
    gateway.store.put(ObjectRef(bucket, key), [body], content_type="text/csv", metadata={})


def lines(gateway: Running, last_id: str = "") -> Iterator[str]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.server.port, timeout=30)
    connection.request("GET", "/ui/feed", headers={"Last-Event-ID": last_id} if last_id else {})
    response = connection.getresponse()
    assert response.getheader("Content-Type") == "text/event-stream"
    try:
        while True:
            yield response.readline().decode().strip()
    finally:
        connection.close()


def heard(stream: Iterator[str], event: str) -> str:
    """The data of the next message of this kind."""
    for line in stream:
        if line == f"event: {event}":
            return next(stream).removeprefix("data: ")
    raise AssertionError("the feed ended")


def test_the_feed_tells_the_state_and_what_happens(gateway: Running) -> None:
    stream = lines(gateway)
    state = json.loads(heard(stream, "state"))
    assert [each["name"] for each in state["functions"]] == ["echo"]
    assert state["buckets"] == ["processed", "upload"]

    gateway.request("POST", "/function/echo/event", b"{}")
    [record] = json.loads(heard(stream, "records"))
    assert (record["object"], record["outcome"]) == ("upload/a.csv", "processed")
    last_id = gateway.request("GET", "/ui/events").json["last_id"]
    gateway.request("POST", "/function/echo/event", b"{}")
    [missed] = json.loads(heard(lines(gateway, last_id), "records"))
    assert missed["n"] == record["n"] + 1


def test_events_are_filtered(gateway: Running) -> None:
    gateway.request("POST", "/function/echo/event", b"{}")
    gateway.request("POST", "/function/echo/refuse-early", b"x")
    until(lambda: len(gateway.invocations.recent()) == 2)

    def found(query: str) -> list[str]:
        return [each["object"] for each in gateway.request("GET", f"/ui/events?{query}").json["records"]]

    assert found("") == ["POST /refuse-early", "upload/a.csv"]
    assert found("outcome=processed") == found("words=A.CSV") == ["upload/a.csv"]
    assert found("function=none") == []
    assert len(found("limit=1")) == 1
    assert gateway.request("GET", "/ui/events?limit=-1").status == 400


def test_the_flow_is_drawn_from_what_is_deployed(gateway: Running) -> None:
    flow = gateway.request("GET", "/ui/flow").json
    assert [(each["kind"], each["name"]) for each in flow["places"]] == [
        ("bucket", "upload"),
        ("function", "echo"),
        ("bucket", "processed"),
    ]
    assert [(each["from"], each["to"], each["label"]) for each in flow["steps"]] == [
        (0, 1, "*.csv"),
        (1, 2, "{key}.gz"),
    ]
    assert all(each["path"].startswith("M") for each in flow["steps"])


def test_an_objects_page_has_its_attempts_outputs_and_log_lines(gateway: Running) -> None:
    put(gateway, "upload", "a.csv")
    gateway.request("POST", "/function/echo/event", b"{}")
    until(gateway.invocations.recent)

    page = gateway.request("GET", "/ui/about?bucket=upload&key=a.csv").json
    [attempt] = page["attempts"]
    assert (attempt["outcome"], attempt["notes"]) == ("processed", ["The encoding was guessed."])
    assert "hello from echo" in [line["text"] for line in attempt["lines"]]
    assert attempt["log"].endswith("echo.log")
    assert page["outputs"] == [{"function": "echo", "bucket": "processed", "key": "a.csv.gz"}]
    made = gateway.request("GET", "/ui/about?bucket=processed&key=a.csv.gz").json
    assert made["made_from"] == [{"bucket": "upload", "key": "a.csv", "function": "echo"}]
    assert (made["attempts"], made["takers"]) == ([], [])


def test_an_objects_page_has_the_trace_of_a_crash(gateway: Running) -> None:
    answer = {
        "outcome": "failed",
        "status": 500,
        "source": {"bucket": "upload", "key": "a.csv"},
        "incident": "abc123",
        "reason": "unexpected error; the log has it under incident abc123",
    }
    line = json.dumps({"message": "unexpected error", "incident": "abc123", "trace": "Traceback\nKeyError: 'x'"})
    gateway.request("POST", "/function/echo/event", b"{}")
    until(gateway.invocations.recent)
    [entry] = gateway.invocations.recent()
    gateway.crashes.read("echo", gateway.bench.folder / "echo.log", line)
    gateway.invocations.add(replace(entry, answer=answer, status=500))

    attempt = gateway.request("GET", "/ui/about?bucket=upload&key=a.csv").json["attempts"][-1]
    assert attempt["trace"] == "Traceback\nKeyError: 'x'"
    assert attempt["reason"] == "unexpected error; KeyError: 'x' (incident abc123)"


def test_an_object_is_sent_again_to_those_that_take_it(gateway: Running) -> None:
    assert gateway.request("POST", "/ui/rerun", {"bucket": "upload", "key": "a.csv"}).json == {"sent_to": ["echo"]}
    until(gateway.invocations.recent)
    refused = gateway.request("POST", "/ui/rerun", {"bucket": "upload", "key": "a.txt"})
    assert (refused.status, "no function takes it" in refused.text) == (400, True)
    assert gateway.request("POST", "/ui/rerun", {"bucket": 7, "key": "a.csv"}).status == 400


@pytest.mark.parametrize("key", ["folder/日本語.csv", "<img src=x>.csv", "a&b=c#d.csv", "x\ny.csv"])
def test_objects_of_any_name_are_listed_previewed_and_deleted(gateway: Running, key: str) -> None:
    put(gateway, "upload", key)
    name = quote(key, safe="")
    prefix = key.rpartition("/")[0]
    folder = gateway.request("GET", f"/ui/folder?bucket=upload&prefix={prefix}{'/' if prefix else ''}").json
    assert [each["key"] for each in folder["objects"]] == [key]
    preview = gateway.request("GET", f"/ui/preview?bucket=upload&key={name}").json
    assert (preview["columns"], preview["size"]) == (["a", "b"], 8)

    assert gateway.request("DELETE", f"/ui/object?bucket=upload&key={name}").status == 200
    assert gateway.request("GET", f"/ui/preview?bucket=upload&key={name}").status == 404


def test_only_what_functions_read_or_write_is_deleted(gateway: Running) -> None:
    gateway.store.buckets["elsewhere"] = {}
    put(gateway, "elsewhere", "a.csv")
    answer = gateway.request("DELETE", "/ui/object?bucket=elsewhere&key=a.csv")
    assert (answer.status, answer.text) == (400, "bucket 'elsewhere': expected one of processed, upload\n")
    assert gateway.store.head(ObjectRef("elsewhere", "a.csv"))


def test_what_is_penstocks_own_is_not_deleted(gateway: Running) -> None:
    put(gateway, "processed", ".penstock/refused/x")
    assert gateway.request("DELETE", "/ui/object?bucket=processed&key=.penstock/refused/x").status == 400
    assert gateway.store.stat(ObjectRef("processed", ".penstock/refused/x")) is not None


def test_dead_letters_are_dropped_and_restored(gateway: Running) -> None:
    gateway.inbox.store_dead_letter(Message("upload/a.csv", b"{}", {}, "origin", "echo"), 415, "no table")
    [letter] = gateway.request("GET", "/ui/dead").json["letters"]
    assert (letter["object"], letter["reason"]) == ("upload/a.csv", "no table")
    about = gateway.request("GET", "/ui/about?bucket=upload&key=a.csv").json
    assert [each["id"] for each in about["dead_letters"]] == [letter["id"]]

    done = gateway.request("POST", "/ui/dismiss", {"ids": [letter["id"]]}).json
    assert (done["dropped"], gateway.inbox.counts().dead) == (1, 0)
    assert gateway.request("POST", "/ui/restore", {"undo": done["undo"]}).json == {"restored": 1}
    assert gateway.request("POST", "/ui/restore", {"undo": done["undo"]}).status == 400
    assert gateway.request("POST", "/ui/dismiss", {"ids": ["1"]}).status == 400


def test_a_function_is_shown_without_its_secrets(gateway: Running) -> None:
    (gateway.bench.folder / "handler.py").write_text('class O:\n    level: int = option(1, "how hard", ge=0, le=9)\n')
    answer = gateway.request("GET", "/ui/function?name=echo")
    found = answer.json
    [option] = found["options"]
    assert (option["name"], option["value"], option["meaning"], option["accepts"]) == (
        "level",
        "3",
        "how hard",
        "0 to 9",
    )
    assert found["environment"]["SOURCE"] == "s3://upload/*.csv"
    assert not {"MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"} & set(found["environment"])
    assert {"FUNCTION_TOKEN", "SMTP_PASSWORD", "ORIGIN"} <= found["environment"].keys()
    assert "s3cret" not in answer.text
    assert gateway.request("GET", "/ui/function?name=none").status == 404


def test_the_meter_counts_what_was_saved(gateway: Running) -> None:
    gateway.request("POST", "/function/echo/event", b"{}")
    until(lambda: gateway.request("GET", "/ui/meter").json["functions"])
    total = gateway.request("GET", "/ui/meter").json["functions"]["echo"]["total"]
    assert (total["count"], total["bytes_in"], total["bytes_out"]) == (1, 8, 4)
