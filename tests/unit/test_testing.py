"""The public test support does what a deployment does: the same checks, the runtime itself, a connector's verdicts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from penstock import (
    Body,
    Context,
    Event,
    EventError,
    NothingToDo,
    PermanentError,
    Result,
    TemporaryError,
    UnsupportedInput,
    option,
)
from penstock.errors import ConfigError, HandlerError
from penstock.events import parse
from penstock.handler.hooks import HOOKS
from penstock.testing import Lake, deliver, notification, run
from penstock.types import ObjectRef

from tests.paths import ROOT
from tests.served import served


@dataclass(frozen=True)
class Options:
    times: int = option(1, "how often the input is repeated", ge=1, le=3)
    upper: bool = option(False, "whether to write in capitals")
    end: str | None = option(None, "what comes last")


def handle(event: Event[Options], context: Context[Options]) -> Result:
    """Uses all that an event, a context and a result have."""
    head = event.body.peek(4)
    if head.startswith(b"bad"):
        raise UnsupportedInput(f"{event.name}: starts with bad")
    if head.startswith(b"done"):
        raise NothingToDo(f"{event.name}: is done already")
    if head.startswith(b"wait"):
        raise TemporaryError(f"{event.name}: not yet", retry_after=5)
    if head.startswith(b"bug"):
        raise ZeroDivisionError
    options = event.options
    data = event.body.read() * options.times + (options.end or "").encode()
    metadata = {**event.metadata, "size": str(event.size), "rendition": str(context.rendition)}
    return Result(data.upper() if options.upper else data, event.content_type, metadata, name=f"{event.name}.out")


# run


def test_output_has_all_that_the_result_has() -> None:
    made = run(handle, b"abc", name="a.txt", content_type="text/plain", metadata={"owner": "ann"})
    assert (made.data, made.text, made.content_type, made.name) == (b"abc", "abc", "text/plain", "a.txt.out")
    assert made.metadata == {"owner": "ann", "size": "3", "rendition": "None"}
    assert made.document is None


def test_options_are_given_as_values_and_checked_as_text_is() -> None:
    assert run(handle, b"ab", times=2, upper=True, end="c").data == b"ABABC"
    assert run(handle, b"ab", end=None).data == b"ab"
    assert run(handle, b"ab", times="2", upper="yes").data == b"ABAB"
    with pytest.raises(EventError, match="option times='4': expected a whole number from 1 to 3"):
        run(handle, b"", times=4)
    with pytest.raises(EventError, match="option 'tmies' is unknown; this function has: end, times, upper"):
        run(handle, b"", tmies=1)


def test_input_may_come_in_chunks() -> None:
    made = run(handle, (part for part in (b"a", b"", b"bc")))
    assert (made.data, made.metadata["size"]) == (b"abc", "-1")
    assert run(handle, [b"a", b"bc"]).data == b"abc"
    assert run(handle, Body.of(b"abc")).data == b"abc"
    with pytest.raises(TypeError, match=r'the input is a str; give bytes: b"\.\.\." or text\.encode\(\)'):
        run(handle, "abc")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"bad", UnsupportedInput), (b"done", NothingToDo), (b"wait", TemporaryError), (b"bug", ZeroDivisionError)],
)
def test_run_raises_what_the_handler_raises(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        run(handle, data)


def test_mistake_of_the_handler_is_told_as_in_a_deployment() -> None:
    with pytest.raises(HandlerError, match=r"handle returned dict; return penstock\.Result"):
        run(lambda _event, _context: {}, b"")  # type: ignore[arg-type, return-value]
    with pytest.raises(ConfigError, match=r"cannot be called with event and context"):
        run(lambda event: event, b"")  # type: ignore[arg-type, misc]


def broken() -> Iterator[bytes]:
    yield b"first"
    raise ConnectionError("the store went away")


def swallows(event: Event[Options], context: Context[Options]) -> Result:
    """Takes a broken connection for the end of the input, as some decoders do."""
    got = b""
    try:
        for chunk in event.body:
            got += chunk
    except OSError:
        pass
    return Result(got)


def blames(event: Event[Options], context: Context[Options]) -> Result:
    try:
        return Result(event.body.read())
    except OSError as exc:
        raise PermanentError("the input is damaged") from exc


@pytest.mark.parametrize("careless", [handle, swallows, blames])
def test_source_that_breaks_off_is_never_taken_for_its_end(careless: Any) -> None:
    with pytest.raises(ConnectionError, match="the store went away"):
        run(careless, broken())


def test_rendition_is_made_by_its_name() -> None:
    renditions: dict[str, dict[str, object]] = {"small": {"upper": True}, "large": {"times": 3}}
    assert run(handle, b"ab", renditions=renditions).data == b"AB"
    made = run(handle, b"ab", renditions=renditions, rendition="large")
    assert (made.data, made.metadata["rendition"]) == (b"ababab", "large")
    assert run(handle, b"ab", renditions=renditions, rendition="large", upper=True).data == b"ABABAB"
    with pytest.raises(EventError, match="rendition 'huge' is unknown"):
        run(handle, b"", renditions=renditions, rendition="huge")
    with pytest.raises(ConfigError, match="RENDITIONS: small: option times='9'"):
        run(handle, b"", renditions={"small": {"times": 9}})


def documents(event: Event[Options], _context: Context[Options]) -> Result:
    return Result({"kind": "text", "size": len(event.body.read())})


def test_document_is_there_as_a_mapping_and_as_json() -> None:
    made = run(documents, b"abc")
    assert made.document == {"kind": "text", "size": 3}
    assert (made.data, made.content_type) == (b'{"kind": "text", "size": 3}\n', "application/json")


def test_body_of_the_result_is_read_to_its_end_and_closed() -> None:
    closed: list[str] = []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
            raise PermanentError("half-way")
        finally:
            closed.append("result")

    def source() -> Iterator[bytes]:
        try:
            yield b"x"
        finally:
            closed.append("source")

    def lazy(event: Event[Options], _context: Context[Options]) -> Result:
        event.body.peek(1)
        return Result(pieces())

    with pytest.raises(PermanentError, match="half-way"):
        run(lazy, source())
    assert closed == ["result", "source"]


def test_renditions_and_their_options_are_in_the_context() -> None:
    def names(_event: Event[Options], context: Context[Options]) -> Result:
        return Result(" ".join(f"{name}:{given.times}" for name, given in context.renditions.items()).encode())

    assert run(names, b"", renditions={"a": {"times": 2}, "b": {}}).data == b"a:2 b:1"


# Lake


def test_object_that_is_put_becomes_a_target() -> None:
    lake = Lake(handle, sink="s3://processed/{key}.out", times=2)
    outcome = lake.put("notes/a.txt", b"ab", content_type="text/plain", metadata={"owner": "ann"})
    assert (outcome.kind, outcome.changed) == ("processed", True)
    assert lake.outputs() == {"notes/a.txt.out": b"abab"}
    again = lake.notify("notes/a.txt")
    assert (again.kind, again.changed) == ("processed", False)


def test_refusal_says_why_and_leaves_no_target() -> None:
    lake = Lake(handle)
    lake.put("a.txt", b"good")
    outcome = lake.put("a.txt", b"bad")
    assert (outcome.kind, outcome.status, outcome.reason) == ("refused", 415, "a.txt: starts with bad")
    assert lake.outputs() == {}
    assert lake.put("b.txt", b"done").status == 200


def test_what_may_work_later_is_raised() -> None:
    with pytest.raises(TemporaryError, match="not yet"):
        Lake(handle).put("a.txt", b"wait")


def test_removed_object_takes_its_target_along_where_that_is_set() -> None:
    for remove, left in ((True, {}), (False, {"a.txt": b"ab"})):
        lake = Lake(handle, remove_with_source=remove)
        lake.put("a.txt", b"ab")
        lake.remove("a.txt")
        assert lake.outputs() == left


def test_renditions_are_all_made() -> None:
    lake = Lake(
        handle, sink="s3://processed/{rendition}/{key}", renditions={"loud": {"upper": True}, "long": {"times": 3}}
    )
    lake.put("a", b"x")
    assert lake.outputs() == {"loud/a": b"X", "long/a": b"xxx"}


def test_new_version_works_on_the_targets_of_the_old_one() -> None:
    old = Lake(handle)
    old.put("a", b"x")
    assert not Lake(handle, store=old.store).notify("a").changed
    new = Lake(handle, store=old.store, times=2)
    assert new.notify("a").changed
    assert old.outputs() == new.outputs() == {"a": b"xx"}


def test_source_pattern_and_loops_are_checked_as_in_a_deployment() -> None:
    lake = Lake(handle, source="s3://upload/*.csv", sink="s3://processed/{key}")
    assert lake.put("a.txt", b"x").kind == "ignored"
    with pytest.raises(ConfigError, match="an endless loop"):
        Lake(handle, source="s3://upload/*", sink="s3://upload/{key}.out")
    with pytest.raises(ConfigError, match="option times='9'"):
        Lake(handle, times=9)
    with pytest.raises(ConfigError, match="bucket 'in': expected 3 to 63 lower-case letters"):
        Lake(handle, source="s3://in/*")


calls: list[str] = []


def start(config: Any) -> None:
    calls.append(f"start {config.function}")


def stop() -> None:
    calls.append("stop")


def query(parameters: Mapping[str, str], sink: Any) -> Mapping[str, Any] | None:
    return {"found": [document["key"] for document in sink.search(parameters["q"])]}


def test_documents_go_to_an_index_and_are_found(tmp_path: Path) -> None:
    calls.clear()
    with Lake(documents, sink=f"sqlite://{tmp_path}/index.db", function="catalogue") as lake:
        assert calls == ["start catalogue"]
        lake.put("notes/rose.txt", b"abc", content_type="text/plain")
        document = lake.document("notes/rose.txt")
        assert document is not None
        assert (document["size"], document["kind"], document["content_type"]) == (3, "text", "text/plain")
        assert lake.query(q="rose") == {"found": ["notes/rose.txt"]}
        lake.remove("notes/rose.txt")
        assert lake.document("notes/rose.txt") is None
    assert calls == ["start catalogue", "stop"]


def test_lake_says_what_it_does_not_have() -> None:
    with pytest.raises(TypeError, match=r"this sink is a bucket: see `outputs`"):
        Lake(handle).document("a")


def test_app_answers_direct_calls() -> None:
    answer = Lake(handle).app.test_client().post("/a.txt?times=2", data=b"ab", content_type="text/plain")
    assert (answer.status_code, answer.data) == (200, b"abab")


def test_hooks_beside_the_handler_are_all_found() -> None:
    lake = Lake(documents)
    found = {hook.name for hook in HOOKS if getattr(lake.function, hook.name) is not None}
    assert found == {"start", "stop", "query"}


# deliver


def test_event_is_delivered_once_when_all_is_well() -> None:
    lake = Lake(handle)
    lake.store.put(ObjectRef("upload", "a b/猫+.txt"), [b"ab"])
    delivery = deliver(lake, lake.event("a b/猫+.txt"))
    assert (delivery.outcome, delivery.status, delivery.attempts, delivery.reason) == ("delivered", 200, 1, "")
    assert delivery.document["outcome"] == "processed"
    assert lake.outputs() == {"a b/猫+.txt": b"ab"}


@pytest.mark.parametrize(
    ("data", "status", "attempts", "reason"),
    [
        (b"bad", 415, 1, "a.txt: starts with bad"),
        (b"wait", 503, 10, "a.txt: not yet"),
        (b"bug", 500, 10, "unexpected error; the log has it under incident "),
    ],
)
def test_event_becomes_a_dead_letter_as_with_a_connector(data: bytes, status: int, attempts: int, reason: str) -> None:
    lake = Lake(handle)
    lake.store.put(ObjectRef("upload", "a.txt"), [data])
    delivery = deliver(lake, lake.event("a.txt"))
    assert (delivery.outcome, delivery.status, delivery.attempts) == ("dead", status, attempts)
    assert delivery.reason.startswith(reason)


def test_event_is_tried_again_until_it_works() -> None:
    tries: list[int] = []

    def third_time(_event: Event[Any], _context: Context[Any]) -> Result:
        tries.append(1)
        if len(tries) < 3:
            raise TemporaryError("not yet")
        return Result(b"at last")

    lake = Lake(third_time)
    lake.store.put(ObjectRef("upload", "a.txt"), [b""])
    delivery = deliver(lake, {"bucket": "upload", "key": "a.txt"})
    assert (delivery.outcome, delivery.attempts, lake.outputs()) == ("delivered", 3, {"a.txt": b"at last"})
    lake.store.put(ObjectRef("upload", "a.txt"), [b"new"])
    tries.clear()
    assert deliver(lake, lake.event("a.txt"), attempts=2).outcome == "dead"


def test_cloudevent_is_answered_with_one() -> None:
    lake = Lake(handle)
    lake.store.put(ObjectRef("upload", "a.txt"), [b"ab"])
    delivery = deliver(lake.app, lake.event("a.txt"), as_cloudevent=True)
    assert delivery.headers["ce-type"] == "penstock.object.processed"
    with pytest.raises(EventError):
        deliver(lake, {"bucket": "upload", "key": "a.txt"}, as_cloudevent=True)


def test_event_may_go_to_a_served_function(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(
        "from penstock import Result\n\ndef handle(event, context):\n    return Result(event.body.read())\n"
    )
    with served(tmp_path, {"FUNCTION_NAME": "f"}) as running:
        delivery = deliver(running.url, notification("upload", "a.txt"), attempts=2)
    assert (delivery.outcome, delivery.status, delivery.attempts) == ("dead", 503, 2)
    assert "set SOURCE, SINK and MINIO_ENDPOINT" in delivery.reason
    gone = deliver(running.url, notification("upload", "a.txt"), attempts=1)
    assert (gone.status, gone.document) == (502, None)


def test_notification_is_what_the_reader_of_events_reads() -> None:
    for key in ("a.txt", "a b/猫+%.txt", "deep/er/x"):
        (read,) = parse(json.dumps(notification("upload", key)).encode(), {})
        assert (read.ref, read.kind.name) == (ObjectRef("upload", key), "CREATED")


# What it is not


def test_nothing_of_penstock_imports_the_test_support() -> None:
    package = ROOT / "shared" / "penstock"
    names = [".".join(("penstock", *path.relative_to(package).with_suffix("").parts)) for path in package.rglob("*.py")]
    others = [name for name in names if not name.startswith("penstock.testing") and not name.endswith("__init__")]
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "sys.exit(any(name.startswith('penstock.testing') for name in sys.modules))"
    )
    assert len(others) > 50
    assert subprocess.run([sys.executable, "-c", program, *others]).returncode == 0
