"""Each event goes to every function whose SOURCE takes the object, and is on disk before it is acknowledged."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.delivery.inbox import Inbox
from penstock.errors import ConfigError
from penstock.local.gateway.router import UNREADABLE_TARGET, Router, Routes
from penstock.settings.stackfile import FunctionSpec
from penstock.types import ObjectRef


def spec(name: str, source: str, sink: str = "sqlite:///x.db", **more: str) -> FunctionSpec:
    return FunctionSpec(name, Path(), environment={"SOURCE": source, "SINK": sink, **more})


@pytest.fixture(name="inbox")
def inbox_fixture(tmp_path: Path) -> Iterator[Inbox]:
    inbox = Inbox(tmp_path / "inbox.sqlite")
    yield inbox
    inbox.close()


@pytest.fixture(name="router")
def router_fixture(inbox: Inbox) -> Router:
    router = Router(inbox)
    router.configure(
        [
            spec("compress", "s3://upload/*.csv", "s3://processed/{key}.gz"),
            spec("resize", "s3://images/*.jpg", "s3://processed/{key}"),
            spec("index", "s3://processed s3://upload"),
            FunctionSpec("idle", Path()),
        ]
    )
    return router


def keys(inbox: Inbox, target: str) -> list[str]:
    return [
        str(message.key, "utf-8") if isinstance(message.key, bytes) else message.key
        for message in inbox.claim(target, 10)
    ]


def test_event_goes_to_every_function_that_takes_the_object(router: Router, inbox: Inbox) -> None:
    document = {"EventName": "s3:ObjectCreated:Put", "Key": "upload/a b.csv"}
    router.accept(ObjectRef("upload", "a b.csv"), document)

    assert keys(inbox, "index") == ["upload/a b.csv"]
    [message] = inbox.claim("compress", 10)
    assert json.loads(message.value) == document
    assert message.origin == "s3:ObjectCreated:Put s3://upload/a b.csv"
    assert inbox.claim("resize", 10) == []


@pytest.mark.parametrize(
    ("name", "ref", "wanted"),
    [
        ("s3:ObjectCreated:Put", ObjectRef("upload", "a.csv"), True),
        ("s3:ObjectRemoved:Delete", ObjectRef("images", "x/y.jpg"), True),
        ("s3:ObjectAccessed:Get", ObjectRef("upload", "a.csv"), False),
        ("s3:ObjectCreated:Put", ObjectRef("images", "a.png"), False),
        ("s3:ObjectCreated:Put", ObjectRef("other", "a.csv"), False),
        ("s3:ObjectCreated:Put", ObjectRef("processed", ".penstock/refused/compress/1.json"), False),
    ],
)
def test_store_is_asked_only_for_what_somebody_takes(router: Router, name: str, ref: ObjectRef, wanted: bool) -> None:
    assert router.wanted(name, ref) is wanted


def test_webhook_body_is_stored_for_its_functions(router: Router, inbox: Inbox) -> None:
    body = json.dumps(
        {
            "EventName": "s3:ObjectCreated:Put",
            "Key": "images/a+b.jpg",
            "Records": [
                {
                    "eventName": "s3:ObjectCreated:Put",
                    "eventSource": "minio:s3",
                    "s3": {"bucket": {"name": "images"}, "object": {"key": "a%2Bb.jpg", "sequencer": "1"}},
                }
            ],
        }
    ).encode()
    assert router.accept_body(body, {"Content-Type": "application/json"}) == 1
    assert keys(inbox, "resize") == ["images/a+b.jpg"]


def test_body_with_several_objects_becomes_one_message_for_each(router: Router, inbox: Inbox) -> None:
    body = b'[{"bucket": "upload", "key": "1.csv"}, {"bucket": "upload", "key": "2.csv"}]'
    router.accept_body(body, {})
    values = [json.loads(message.value) for message in inbox.claim("compress", 10)]
    assert values == [{"bucket": "upload", "key": "1.csv"}, {"bucket": "upload", "key": "2.csv"}]


@pytest.mark.parametrize("body", [b"", b"{", b'{"hello": 1}', b"\xff\xfe"])
def test_unreadable_body_is_kept_as_a_dead_letter(router: Router, inbox: Inbox, body: bytes) -> None:
    assert router.accept_body(body, {"Content-Type": "application/json"}) == 0
    [letter] = inbox.dead_letters()
    assert (letter.message.target, letter.message.value, letter.code) == (UNREADABLE_TARGET, body, 400)


def test_buckets_and_rules_come_from_the_functions(router: Router) -> None:
    assert router.buckets() == ["images", "processed", "upload"]
    assert [str(rule) for rule in router.rules()] == [
        "s3://images/*.jpg",
        "s3://processed/*",
        "s3://upload/*",
        "s3://upload/*.csv",
    ]


def test_objects_that_options_name_have_their_buckets(inbox: Inbox) -> None:
    router = Router(inbox)
    plain = spec("resize", "s3://images", "s3://made/{key}", OPTION_WATERMARK="s3://assets/logo.png", OPTION_WIDTH="8")
    several = spec(
        "thumbs",
        "s3://images",
        "s3://small/{rendition}/{key}",
        RENDITIONS="a?width=8&watermark=s3://marks/a.png b?width=9",
        OPTION_NOTE="s3://nowhere",
    )
    router.configure([plain, several])
    assert router.buckets() == ["assets", "images", "made", "marks", "small"]


def test_functions_that_feed_each_other_in_a_circle_are_refused(inbox: Inbox) -> None:
    circle = [spec("there", "s3://one", "s3://two/{key}"), spec("back", "s3://two", "s3://one/{key}")]
    with pytest.raises(ConfigError, match="there -> back -> there: an endless loop"):
        Router(inbox).configure(circle)


def test_refused_change_leaves_the_routes_as_they_were(router: Router) -> None:
    with pytest.raises(ConfigError, match="SOURCE"):
        router.configure([spec("x", "upload/*.csv")])
    assert len(router.routes) == 4


def test_events_carry_the_first_token_that_their_function_wants(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "tokens.db")
    router = Router(inbox)
    router.configure([spec("guarded", "s3://upload/*", FUNCTION_TOKEN="new old"), spec("open", "s3://upload/*")])
    headers = {target.name: dict(target.headers) for target in router.targets("http://127.0.0.1:8080")}
    assert headers["guarded"] == {"Authorization": "Bearer new"}
    assert headers["open"] == {}
    inbox.close()


def test_a_function_whose_settings_cannot_be_read_is_named_and_the_others_have_routes() -> None:
    specs = [spec("good", "s3://upload/*.csv"), spec("bad", "http://upload"), spec("last", "s3://images/*")]
    routes, problems = Routes.of_readable(specs)
    assert [route.name for route in routes.routes] == ["good", "last"]
    (problem,) = problems
    assert problem.startswith("bad: ")
    assert "SOURCE" in problem
