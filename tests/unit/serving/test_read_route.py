"""`GET /read/BUCKET/KEY`: one object through the handler, by a signed URL."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from penstock.errors import ConfigError
from penstock.serving.signed_urls import signed_path
from penstock.settings.config import SourceRule
from penstock.settings.environment import load_config
from penstock.types import ObjectRef

from tests.functional.test_app import serve
from tests.lake import SOURCE, Lake

MakeLake = Callable[..., Lake]
SECRETS = {"SIGNED_URL_KEY": "the-key-of-the-page an-older-key-that-is-kept"}
KEYS = SECRETS["SIGNED_URL_KEY"].split()


def path_of(ref: ObjectRef = SOURCE, *, key: str = KEYS[0], seconds: float = 600, **options: str) -> str:
    return signed_path(key, ref, options, int(time.time() + seconds))


@pytest.fixture
def make_open(make_lake: MakeLake) -> Callable[..., tuple[Lake, FlaskClient]]:
    def make(*args: Any, **more: Any) -> tuple[Lake, FlaskClient]:
        lake = make_lake(*args, secrets=SECRETS, **more)
        return lake, serve(lake)

    return make


MakeOpen = Callable[..., tuple[Lake, FlaskClient]]


def test_signed_url_opens_an_object(make_open: MakeOpen) -> None:
    lake, client = make_open()
    lake.put(b"one", content_type="text/plain", metadata={})
    response = client.get(path_of())
    assert (response.status_code, response.data) == (200, b"ONE")
    told = response.headers
    assert (told["Content-Type"], told["Content-Length"]) == ("text/plain", "3")
    assert told["Cache-Control"] == "private, no-cache"
    assert (told["X-Content-Type-Options"], told["Content-Security-Policy"]) == ("nosniff", "sandbox")
    assert lake.keys() == []


def test_options_are_those_that_were_signed(make_open: MakeOpen) -> None:
    lake, client = make_open()
    lake.put(b"ab")
    path = path_of(times="2")
    assert client.get(path).data == b"ABAB"
    assert client.get(path.replace("times=2", "times=3")).status_code == 403
    assert client.get(path + "&times=3").status_code == 400
    assert client.get(path_of(times="9")).status_code == 400


@pytest.mark.parametrize("key", ["a+b.txt", "100%.txt", "日本/ä b.txt", "a%2Fb.txt", "two//slashes.txt", "#?&=;.txt"])
def test_every_key_is_read_as_it_is(make_open: MakeOpen, key: str) -> None:
    lake, client = make_open()
    ref = ObjectRef("upload", key)
    lake.put(b"odd", ref)
    assert client.get(path_of(ref)).data == b"ODD"


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.replace("/a.txt", "/b.txt"),
        lambda path: path.replace("/upload/", "/other/"),
        lambda path: path.replace("expires=1", "expires=2"),
        lambda path: path.partition("&signature")[0],
        lambda path: path.partition("?")[0],
        lambda path: path + "0",
        lambda path: path.replace("expires=", "expires=%20"),
    ],
)
def test_changed_url_opens_nothing(make_open: MakeOpen, change: Callable[[str], str]) -> None:
    lake, client = make_open()
    for key in ("a.txt", "b.txt"):
        lake.put(b"one", ObjectRef("upload", key))
    lake.requests.clear()
    response = client.get(change(path_of()))
    assert (response.status_code, response.headers["Cache-Control"]) == (403, "no-store")
    assert "make it anew with `penstock sign`" in response.get_json()["reason"]
    assert lake.requests == []


def test_expired_url_opens_nothing(make_open: MakeOpen) -> None:
    lake, client = make_open()
    lake.put(b"one")
    response = client.get(path_of(seconds=-1))
    assert response.status_code == 403
    assert "has expired" in response.get_json()["reason"]


def test_both_keys_are_accepted_and_no_other(make_open: MakeOpen) -> None:
    lake, client = make_open()
    lake.put(b"one")
    assert [client.get(path_of(key=key)).status_code for key in (*KEYS, "a key of someone else")] == [200, 200, 403]


def test_signature_is_for_sources_alone(make_open: MakeOpen) -> None:
    lake, client = make_open()
    lake.put(b"one", ObjectRef("processed", "a.txt"))
    assert client.get(path_of(ObjectRef("processed", "a.txt"))).status_code == 403
    assert client.get(path_of(ObjectRef("upload", ".penstock/check"))).status_code == 403


def test_object_that_is_not_there(make_open: MakeOpen) -> None:
    response = make_open()[1].get(path_of())
    assert (response.status_code, response.get_json()["error"]) == (404, "NotFound")


def test_conditions_ranges_and_head(make_open: MakeOpen) -> None:
    lake, client = make_open()
    lake.put(b"one")
    path = path_of()
    etag = client.get(path).headers["ETag"]
    again = client.get(path, headers={"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["Cache-Control"]) == (304, b"", "private, no-cache")
    assert client.get(path, headers={"Range": "bytes=0-1"}).data == b"ON"
    assert client.get(path, headers={"Range": "bytes=5-"}).status_code == 416
    head = client.head(path)
    assert (head.status_code, head.headers["Content-Length"], head.data) == (200, "3", b"")
    lake.put(b"new")
    assert client.get(path, headers={"If-None-Match": etag}).data == b"NEW"
    assert client.get(path, headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}).data == b"NEW"


def test_unchanged_or_stored_picture_costs_no_read_of_the_source(make_open: MakeOpen) -> None:
    lake, client = make_open()
    lake.put(b"one")
    etag = client.get(path_of()).headers["ETag"]
    lake.requests.clear()
    assert client.get(path_of(), headers={"If-None-Match": etag}).status_code == 304
    assert lake.requests == [("HEAD", "upload/a.txt")]
    assert client.get(path_of(), headers={"If-None-Match": '"another"'}).data == b"ONE"

    lake, client = make_open(store_on_read=True)
    lake.put(b"one")
    client.get(path_of())
    lake.requests.clear()
    assert client.get(path_of()).data == b"ONE"
    assert lake.requests == [("HEAD", "upload/a.txt"), ("GET", "processed/a.txt")]


def test_source_that_changes_between_look_and_read_is_tried_again(make_open: MakeOpen) -> None:
    lake, client = make_open()
    lake.put(b"one")

    def overwrite(verb: str, ref: ObjectRef) -> None:
        if verb == "GET":
            lake.put(b"two")

    lake.before = overwrite
    response = client.get(path_of(), headers={"If-None-Match": '"another"'})
    assert (response.status_code, response.headers["Cache-Control"]) == (503, "no-store")


def test_caches_keep_it_for_the_configured_time_and_not_beyond_the_url(make_open: MakeOpen) -> None:
    lake, client = make_open(cache_seconds=3600)
    lake.put(b"one")
    assert client.get(path_of(seconds=7200)).headers["Cache-Control"] == "public, max-age=3600"
    seconds = int(client.get(path_of(seconds=600)).headers["Cache-Control"].removeprefix("public, max-age="))
    assert 0 < seconds <= 600


def test_refusals_are_not_kept_by_caches(make_open: MakeOpen) -> None:
    lake, client = make_open(cache_seconds=3600)
    lake.put(b"bad")
    response = client.get(path_of(seconds=7200))
    assert (response.status_code, response.headers["Cache-Control"]) == (415, "no-store")


def test_stored_target_is_given(make_open: MakeOpen) -> None:
    lake, client = make_open(store_on_read=True)
    lake.put(b"one")
    assert [client.get(path_of()).data for _ in range(2)] == [b"ONE", b"ONE"]
    assert lake.keys() == ["a.txt"]
    lake.put(b"two")
    assert client.get(path_of()).data == b"TWO"


def test_browser_needs_no_token_and_others_still_do(make_lake: MakeLake) -> None:
    lake = make_lake(secrets={**SECRETS, "FUNCTION_TOKEN": "secret"})
    lake.put(b"one")
    client = serve(lake)
    assert client.get(path_of()).data == b"ONE"
    assert client.post(path_of(), data=b"x").status_code == 401
    assert client.get("/?q=x").status_code == 401


def test_it_is_closed_without_a_key(make_lake: MakeLake) -> None:
    lake = make_lake()
    lake.put(b"one")
    assert serve(lake).get(path_of()).status_code in (404, 405)


def test_short_key_is_refused_at_start() -> None:
    with pytest.raises(ConfigError, match="SIGNED_URL_KEY: has a key of fewer than 16 characters"):
        load_config({"FUNCTION_NAME": "upper", "SIGNED_URL_KEY": "the-key-of-the-page short"})


@pytest.mark.parametrize("stores", [False, True], ids=["made", "stored"])
@pytest.mark.parametrize("condition", ["type=image/*", "max=2", "tag.public=yes"])
def test_object_that_the_filters_of_source_leave_out_is_not_read(
    make_open: MakeOpen, condition: str, stores: bool
) -> None:
    """It was given to readers, and with STORE_ON_READ they were told for ever to come again."""
    sources = tuple(SourceRule.parse_all(f"s3://upload/*?{condition}"))
    lake, client = make_open(sources=sources, store_on_read=stores)
    lake.put(b"one", content_type="text/plain", metadata={})
    for headers in ({}, {"If-None-Match": "*"}, {"Range": "bytes=0-0"}):
        response = client.get(path_of(), headers=headers)
        assert response.status_code == 403, headers
        assert response.json is not None
        assert response.json["error"] == "Forbidden"
        assert "SOURCE leaves it out" in response.json["reason"]
    assert lake.keys() == []


def test_object_that_the_filters_take_is_read_and_stops_being_so(make_open: MakeOpen) -> None:
    sources = tuple(SourceRule.parse_all("s3://upload/*?max=4"))
    lake, client = make_open(sources=sources, store_on_read=True)
    lake.put(b"one", content_type="text/plain", metadata={})
    assert client.get(path_of()).data == b"ONE"
    lake.put(b"too long", content_type="text/plain", metadata={})
    assert client.get(path_of()).status_code == 403
