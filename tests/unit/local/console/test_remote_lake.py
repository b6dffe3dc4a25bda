"""The console of a lake on a platform: the same views, from the gateway's and the bridge's public APIs."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from penstock.connect.openfaas import OpenFaasGateway
from penstock.local.gateway.access import Access
from penstock.types import ObjectRef

from tests.remote_console import RemoteConsole
from tests.unit.local.conftest import Bench, until
from tests.unit.local.gateway.conftest import Running

ROWS = b"a,b\n1,2\n"
REF = ObjectRef("upload", "a.csv")
MakeConsole = Callable[..., RemoteConsole]


@pytest.fixture(name="gateway")
def gateway_fixture(bench: Bench) -> Iterator[Running]:
    functions = bench.functions(
        bench.spec(SOURCE="s3://upload/*.csv", SINK="s3://processed/{key}.gz", OPTION_LEVEL="3"),
        bench.spec("plain", FUNCTION_TOKEN="s3cret", OPTION_API_KEY="s3cret", ORIGIN="http://me:s3cret@host"),
    )
    handler = 'class Options:\n    level: int = option(1, "how hard to try", ge=0, le=9)\n'
    (bench.folder / "handler.py").write_text(handler)
    running = Running(bench, functions, Access())
    yield running
    running.close()


@pytest.fixture(name="make")
def make_fixture(gateway: Running) -> Iterator[MakeConsole]:
    made: list[RemoteConsole] = []

    def make(**settings: Any) -> RemoteConsole:
        made.append(RemoteConsole(gateway, **settings))
        return made[-1]

    yield make
    for console in made:
        console.close()


def put(gateway: Running, bucket: str, key: str) -> None:
    gateway.store.put(ObjectRef(bucket, key), [ROWS], content_type="text/csv", metadata={})


def events(console: RemoteConsole) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = console.request("GET", "/ui/events").json["records"]
    return found


def test_an_event_that_the_bridge_delivers_is_seen_with_its_object(gateway: Running, make: MakeConsole) -> None:
    put(gateway, "upload", "a.csv")
    console = make()
    state = console.request("GET", "/ui/state").json
    assert [(each["name"], each["replicas"]) for each in state["functions"]] == [("echo", 0), ("plain", 0)]
    assert (state["buckets"], state["writes"]) == (["processed", "upload"], False)
    console.happens(REF)
    until(lambda: events(console))

    [record] = events(console)
    assert (record["function"], record["object"], record["outcome"]) == ("echo", "upload/a.csv", "processed")
    assert (record["in"], record["stored"]) == (8, 4)
    meter = console.request("GET", "/ui/meter").json["functions"]["echo"]
    assert (meter["total"]["bytes_in"], meter["total"]["bytes_out"]) == (8, 4)
    until(lambda: console.request("GET", "/ui/state").json["functions"][0]["replicas"] == 1)
    page = console.request("GET", "/ui/about?bucket=upload&key=a.csv").json
    assert page["outputs"] == [{"function": "echo", "bucket": "processed", "key": "a.csv.gz"}]
    assert [each["text"] for each in page["attempts"][0]["lines"]] == ["hello from echo"]
    assert page["attempts"][0]["log"].startswith("faas-cli logs echo --gateway http://")


def test_the_log_is_read_once_for_all_attempts_of_a_function(
    gateway: Running, make: MakeConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(gateway, "upload", "a.csv")
    console = make()
    for count in (1, 2, 3):
        console.happens(REF)
        until(lambda count=count: len(events(console)) == count)  # type: ignore[misc]
    asked: list[str] = []
    logs = OpenFaasGateway.logs

    def counted(self: OpenFaasGateway, name: str, **how: Any) -> Any:
        asked.append(name)
        return logs(self, name, **how)

    monkeypatch.setattr(OpenFaasGateway, "logs", counted)
    page = console.request("GET", "/ui/about?bucket=upload&key=a.csv").json
    assert len(page["attempts"]) == 3
    assert [each["text"] for each in page["attempts"][0]["lines"]] == ["hello from echo"]
    assert asked == ["echo"]


def test_what_is_given_up_is_listed_replayed_dropped_and_brought_back(gateway: Running, make: MakeConsole) -> None:
    gateway.functions.remove("echo")
    console = make(allows_writes=True)
    console.happens(REF)
    until(lambda: console.request("GET", "/ui/dead").json["letters"])
    [letter] = console.request("GET", "/ui/dead").json["letters"]
    assert (letter["function"], letter["object"], letter["code"]) == ("echo", "upload/a.csv", 404)
    until(lambda: len(events(console)) == 2)
    assert {each["outcome"] for each in events(console)} == {"failed"}

    dropped = console.request("POST", "/ui/dismiss", {"ids": [letter["id"]]}).json
    assert dropped["dropped"] == 1
    assert console.request("GET", "/ui/dead").json["letters"] == []
    assert console.request("POST", "/ui/restore", {"undo": dropped["undo"]}).json == {"restored": 1}
    [back] = console.request("GET", "/ui/dead").json["letters"]
    assert console.request("POST", "/ui/replay", {"ids": [back["id"]]}).json == {"replayed": 1}
    assert console.request("POST", "/ui/restore", {"undo": dropped["undo"]}).status == 400


def test_it_only_reads_unless_it_may_write(gateway: Running, make: MakeConsole) -> None:
    put(gateway, "upload", "a.csv")
    console = make()
    for method, path, body in (
        ("PUT", "/ui/object?bucket=upload&key=b.csv", b"x"),
        ("DELETE", "/ui/object?bucket=upload&key=a.csv", None),
        ("POST", "/ui/rerun", {"bucket": "upload", "key": "a.csv"}),
        ("POST", "/ui/replay", {"ids": [1]}),
        ("POST", "/ui/dismiss", {"ids": [1]}),
        ("POST", "/ui/restore", {"undo": "x"}),
        ("POST", "/function/echo/event", {"bucket": "upload", "key": "a.csv"}),
    ):
        answer = console.request(method, path, body)
        assert answer.status == 403, path
        assert "--allow-writes" in answer.text
    assert console.request("GET", "/ui/object?bucket=upload&key=a.csv").body == ROWS
    assert gateway.store.stat(ObjectRef("upload", "b.csv")) is None

    writing = make(allows_writes=True, bridge=False)
    assert writing.request("PUT", "/ui/object?bucket=upload&key=b.csv", b"x").status == 200
    assert writing.request("POST", "/ui/rerun", {"bucket": "upload", "key": "a.csv"}).json == {"sent_to": ["echo"]}
    assert [each["outcome"] for each in events(writing)] == ["processed"]
    assert writing.request("DELETE", "/ui/object?bucket=upload&key=b.csv").status == 200
    assert gateway.store.stat(ObjectRef("upload", "b.csv")) is None


def test_a_function_is_told_with_its_options_log_and_environment(make: MakeConsole) -> None:
    found = make(bridge=False).request("GET", "/ui/function?name=echo").json
    assert found["options"][0]["meaning"] == "how hard to try"
    assert (found["environment"]["SOURCE"], found["environment"]["KEPT"]) == ("s3://upload/*.csv", "here")
    assert make(bridge=False).request("GET", "/ui/function?name=none").status == 400


def test_a_secret_that_was_set_as_a_plain_variable_is_not_shown(make: MakeConsole) -> None:
    answer = make(bridge=False).request("GET", "/ui/function?name=plain")
    assert {"FUNCTION_TOKEN", "OPTION_API_KEY", "ORIGIN"} <= answer.json["environment"].keys()
    assert [each["name"] for each in answer.json["options"]] == ["api_key"]
    assert "s3cret" not in answer.text


def test_what_the_platform_does_not_tell_is_said_in_words(make: MakeConsole) -> None:
    notes = make(bridge=False).request("GET", "/ui/state").json["notes"]
    assert {"flow", "events", "dead", "object", "savings"} == notes.keys()
    assert all("--bridge" in text for text in notes.values())
    assert "penstock dlq list" in make().request("GET", "/ui/state").json["notes"]["dead"]


def test_what_does_not_answer_is_named_and_the_rest_goes_on(gateway: Running, make: MakeConsole) -> None:
    put(gateway, "upload", "a.csv")
    console = make()
    assert console.bridge is not None
    console.bridge.server.stop()
    gateway.server.stop()
    until(lambda: len(console.request("GET", "/ui/state").json["problems"]) == 3)
    state = console.request("GET", "/ui/state").json
    assert [each["name"] for each in state["functions"]] == ["echo", "plain"]
    assert any("gateway" in each for each in state["problems"])
    assert console.request("GET", "/ui/folder?bucket=upload").json["total"] == 1


def test_a_queue_is_told_from_the_metrics_of_its_connector(make: MakeConsole) -> None:
    queues = make().request("GET", "/ui/state").json["queues"]
    assert [(each["count"], each["what"]) for each in queues] == [(0, "events wait")]


def test_the_feed_tells_of_a_lake_elsewhere(make: MakeConsole) -> None:
    console = make()
    document = json.loads(json.dumps(console.lake.overview()))
    assert document["where"].startswith("OpenFaaS at http://")
    assert document["waiting"] == []
