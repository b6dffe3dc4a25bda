"""`penstock watch`: what is told, when, and what a failure or a kill leaves to be told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from penstock.connect.listing.hints import HintTarget, Taken
from penstock.connect.listing.rounds import ListingWatch
from penstock.connect.listing.seen import SeenObjects
from penstock.delivery.http import HttpTarget
from penstock.errors import TemporaryError
from penstock.events import Kind, parse
from penstock.settings.config import RESERVED_PREFIX, SourceRule
from penstock.types import ObjectRef, ObjectState
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.functional.test_app import serve
from tests.lake import Lake
from tests.store_contract import KEYS
from tests.watched_keys import memory_of_two_rounds

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Listing:
    """A store whose listing is a dict: what is told of it is all that a watch uses."""

    def __init__(self) -> None:
        self.objects: dict[str, ObjectState] = {}
        self.cut_after: int | None = None

    def put(self, key: str, etag: str = "1", at: datetime = NOW) -> None:
        self.objects[key] = ObjectState(ObjectRef("upload", key), 1, etag, last_modified=at)

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        for number, key in enumerate(sorted(self.objects)):
            if self.cut_after is not None and number >= self.cut_after:
                raise TemporaryError("the listing was cut off")
            if key.startswith(prefix):
                yield self.objects[key]


class Target:
    """Takes hints and remembers them; fails where it is told to."""

    def __init__(self) -> None:
        self.told: list[tuple[Kind, str]] = []
        self.error: Exception | None = None
        self.answer = Taken.TOLD
        self._lock = threading.Lock()

    def send(self, body: bytes) -> Taken:
        if self.error is not None:
            raise self.error
        with self._lock:
            self.told += [(each.kind, each.ref.key) for each in parse(body, {})]
        return self.answer

    def take(self) -> list[tuple[Kind, str]]:
        """What was told since the last call, by key."""
        found, self.told = sorted(self.told, key=lambda each: each[1]), []
        return found


Make = Callable[..., ListingWatch]


@pytest.fixture
def listing() -> Listing:
    return Listing()


@pytest.fixture
def target() -> Target:
    return Target()


@pytest.fixture
def make(listing: Listing, target: Target, tmp_path: Path) -> Iterator[Make]:
    made: list[SeenObjects] = []

    def of(source: str = "s3://upload/", **options: Any) -> ListingWatch:
        for each in made:
            each.close()
        made.append(SeenObjects(tmp_path / "watch.db", source))
        options = {"batch": 2, "concurrency": 2} | options
        return ListingWatch(listing, SourceRule.parse_all(source), made[-1], target.send, **options)

    yield of
    for each in made:
        each.close()


def test_each_object_is_told_once(make: Make, listing: Listing, target: Target) -> None:
    for key in ("a", "b", "c"):
        listing.put(key)
    watch = make()
    report = watch.round()
    assert target.take() == [(Kind.CREATED, "a"), (Kind.CREATED, "b"), (Kind.CREATED, "c")]
    assert (report.listed, report.changed, report.told, report.failed) == (3, 3, 3, 0)
    assert watch.round().told == 0
    assert target.take() == []


@pytest.mark.parametrize(
    "change", [{"etag": "2"}, {"at": NOW + timedelta(seconds=1)}], ids=["other bytes", "other metadata"]
)
def test_object_that_was_overwritten_is_told_again(
    make: Make, listing: Listing, target: Target, change: dict[str, Any]
) -> None:
    watch = make()
    listing.put("a")
    watch.round()
    listing.put("a", **change)
    target.take()
    watch.round()
    assert target.take() == [(Kind.CREATED, "a")]


def test_object_that_is_gone_is_told_once(make: Make, listing: Listing, target: Target) -> None:
    watch = make()
    for key in ("a", "b"):
        listing.put(key)
    watch.round()
    target.take()
    del listing.objects["a"]
    assert watch.round().gone == 1
    assert target.take() == [(Kind.REMOVED, "a")]
    assert watch.round().gone == 0
    listing.put("a")
    watch.round()
    assert target.take() == [(Kind.CREATED, "a")]


def test_hint_that_was_not_taken_is_told_in_the_next_round(make: Make, listing: Listing, target: Target) -> None:
    watch = make()
    listing.put("a")
    target.error = TemporaryError("busy")
    report = watch.round()
    assert (report.told, report.failed, report.problems) == (0, 1, ["busy"])
    target.error = None
    assert watch.round().told == 1
    del listing.objects["a"]
    target.error = TemporaryError("busy")
    assert watch.round().failed == 1
    target.error = None
    target.take()
    watch.round()
    assert target.take() == [(Kind.REMOVED, "a")]


def test_hint_that_was_refused_for_good_is_not_told_again(make: Make, listing: Listing, target: Target) -> None:
    watch = make()
    listing.put("a")
    target.answer = Taken.REFUSED
    assert watch.round().refused == 1
    assert watch.round().refused == 0


@pytest.mark.parametrize("limit", [1, 3, 19])
def test_request_that_names_too_many_objects_is_told_in_parts(
    make: Make, listing: Listing, target: Target, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Its refusal (413) is of the request: no object in it was looked at."""
    for number in range(20):
        listing.put(f"{number:02}")
    send = target.send

    def at_most(body: bytes) -> Taken:
        return send(body) if len(parse(body, {})) <= limit else Taken.UNREAD

    monkeypatch.setattr(target, "send", at_most)
    report = make(batch=20).round()
    assert [key for _, key in target.take()] == [f"{number:02}" for number in range(20)]
    assert (report.told, report.refused, report.failed) == (20, 0, 0)


@pytest.mark.parametrize(("limit", "told"), [(3, 10), (0, 0)])
def test_request_that_a_proxy_refuses_for_its_size_leaves_no_object_out(
    make: Make, listing: Listing, target: Target, monkeypatch: pytest.MonkeyPatch, limit: int, told: int
) -> None:
    for number in range(10):
        listing.put(f"{number:02}")
    send = target.send

    def at_most(body: bytes) -> Taken:
        return send(body) if len(parse(body, {})) <= limit else Taken.STOPPED

    with monkeypatch.context() as patch:
        patch.setattr(target, "send", at_most)
        report = make(batch=10).round()
    assert (report.told, report.refused, report.failed) == (told, 0, 10 - told)
    assert bool(report.problems) is (told == 0)
    assert make(batch=10).round().told == 10 - told, "what was stopped is told once the proxy lets it pass"


def test_one_object_that_spoils_a_request_is_left_alone(
    make: Make, listing: Listing, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        listing.put(f"{number:02}")
    send = target.send

    def without_seven(body: bytes) -> Taken:
        return Taken.UNREAD if any(each.ref.key == "07" for each in parse(body, {})) else send(body)

    monkeypatch.setattr(target, "send", without_seven)
    watch = make(batch=20)
    report = watch.round()
    assert (report.told, report.refused) == (19, 1)
    assert watch.round().refused == 0, "it is not told for ever"


def test_bucket_that_cannot_be_listed_keeps_no_other_from_being_told(
    make: Make, listing: Listing, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("in/a", "in/b", "out/a", "out/b"):
        listing.put(key)
    watch = make("s3://upload/in/* s3://upload/out/*")
    watch.round()
    target.take()
    listing.put("out/c")
    for key in ("in/a", "out/a"):
        del listing.objects[key]
    rows = listing.list

    def broken(bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        if prefix == "in/":
            raise TemporaryError("access denied")
        return rows(bucket, prefix, start_after)

    monkeypatch.setattr(listing, "list", broken)
    with pytest.raises(TemporaryError, match="access denied"):
        watch.round()
    assert target.take() == [(Kind.REMOVED, "out/a"), (Kind.CREATED, "out/c")]
    monkeypatch.setattr(listing, "list", rows)
    watch.round()
    assert target.take() == [(Kind.REMOVED, "in/a")]


def test_listing_that_fails_removes_nothing(make: Make, listing: Listing, target: Target) -> None:
    watch = make()
    for key in ("a", "b", "c"):
        listing.put(key)
    watch.round()
    target.take()
    listing.cut_after = 1
    with pytest.raises(TemporaryError, match="cut off"):
        watch.round()
    assert target.take() == []


def test_what_was_told_before_an_end_is_not_told_after_it(
    make: Make, listing: Listing, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.connect.listing.rounds.PAGE_KEYS", 2)
    for number in range(10):
        listing.put(f"{number}")
    listing.cut_after = 7
    with pytest.raises(TemporaryError):
        make(batch=1, concurrency=1).round()
    first = [key for _, key in target.take()]
    assert first
    listing.cut_after = None
    make(batch=1, concurrency=1).round()
    second = [key for _, key in target.take()]
    assert sorted(first + second) == [str(number) for number in range(10)]


def test_first_round_may_leave_out_what_is_old(make: Make, listing: Listing, target: Target) -> None:
    listing.put("old", at=NOW - timedelta(days=2))
    listing.put("new", at=NOW)
    watch = make(since=NOW - timedelta(days=1))
    watch.round()
    assert target.take() == [(Kind.CREATED, "new")]
    listing.put("late", at=NOW - timedelta(days=2))  # copied with its time
    watch.round()
    assert target.take() == [(Kind.CREATED, "late")]
    del listing.objects["old"]
    watch.round()
    assert target.take() == [(Kind.REMOVED, "old")]


def test_only_what_the_sources_name_is_told(make: Make, listing: Listing, target: Target) -> None:
    for key in ("in/a.csv", "in/b.txt", "in/c/", "out.csv", ".penstock/refused/x.csv"):
        listing.put(key)
    make("s3://upload/in/*.csv").round()
    assert target.take() == [(Kind.CREATED, "in/a.csv")]


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_every_key_arrives_as_it_is(make: Make, listing: Listing, target: Target, key: str) -> None:
    listing.put(key)
    make().round()
    assert target.take() == [(Kind.CREATED, key)]


def test_functions_targets_agree_after_a_round(tmp_path: Path) -> None:
    lake = Lake(remove_with_source=True)
    client = serve(lake)

    def send(body: bytes) -> Taken:
        assert client.post("/event", data=body).status_code == 200
        return Taken.TOLD

    for key in ("a+b.csv", "100%.csv", "日本.csv"):
        lake.put(b"one", ObjectRef("upload", key))
    seen = SeenObjects(tmp_path / "watch.db", "x")
    watch = ListingWatch(lake.store, SourceRule.parse_all("s3://upload/"), seen, send, batch=20, concurrency=1)
    watch.round()
    assert lake.keys() == ["100%.csv", "a+b.csv", "日本.csv"]
    lake.store.delete(ObjectRef("upload", "100%.csv"))
    watch.round()
    assert lake.keys() == ["a+b.csv", "日本.csv"]
    seen.close()


@pytest.mark.parametrize("batch", [1, 2, 10])
def test_objects_that_a_function_refuses_are_told_once_and_keep_no_other_back(
    tmp_path: Path, httpserver: HTTPServer, batch: int
) -> None:
    """Over HTTP, with the function's own answers: 415 for a refused object ended the watch."""
    lake = Lake()
    functions = serve(lake)

    def forward(request: Request) -> Response:
        answer = functions.post("/event", data=request.get_data(), content_type=request.content_type)
        return Response(answer.data, answer.status_code, content_type=answer.content_type)

    httpserver.expect_request("/event").respond_with_handler(forward)
    for number in range(6):
        lake.put(b"bad" if number % 3 == 0 else b"good", ObjectRef("upload", f"{number}.txt"))
    seen = SeenObjects(tmp_path / "watch.db", "upload")
    target = HintTarget(HttpTarget("upper", httpserver.url_for("/event")), 1)
    watch = ListingWatch(lake.store, [SourceRule("upload")], seen, target.send, batch=batch, concurrency=1)
    report = watch.round()
    assert (report.failed, report.told + report.refused) == (0, 6)
    kept = lake.keys()
    assert [key for key in kept if not key.startswith(RESERVED_PREFIX)] == ["1.txt", "2.txt", "4.txt", "5.txt"]
    assert watch.round().changed == 0
    seen.close()


@pytest.mark.long
def test_watch_of_many_keys_takes_no_memory_for_each(tmp_path: Path) -> None:
    """Some 50 bytes a key would show; a million keys are watched in the tests with real servers."""
    assert memory_of_two_rounds(tmp_path, 100_000) < 10 * 1024
