"""A store without events: the local stack lists it, and its own gateway gets the hints."""

import threading
from pathlib import Path

import pytest
from penstock.errors import TemporaryError
from penstock.events import parse
from penstock.local.store import listed
from penstock.local.store.listed import ListedStore
from penstock.settings.config import SourceRule, StoreSettings
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

SETTINGS = StoreSettings("http://127.0.0.1:9", "a", "b")


def test_what_is_stored_is_told_to_the_stack_until_it_stops(
    httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, told, arrived = MemoryStore("upload"), list[str](), threading.Event()

    def take(request: Request) -> Response:
        assert request.headers["Authorization"] == "Bearer secret"
        told.extend(each.ref.key for each in parse(request.get_data(), {}))
        arrived.set()
        return Response(status=202)

    httpserver.expect_request("/events").respond_with_handler(take)
    monkeypatch.setattr(listed, "S3ObjectStore", lambda _settings: store)
    monkeypatch.setattr(listed, "PAUSE_SECONDS", 0.01)
    whole, is_down = store.list, [True]

    def sometimes_down(*given: str) -> object:
        if is_down:
            is_down.clear()
            raise TemporaryError("the store is down")
        return whole(*given)

    monkeypatch.setattr(store, "list", sometimes_down)
    watched = ListedStore(SETTINGS, [SourceRule("upload")], tmp_path / "w.db", httpserver.url_for("/events"), "secret")
    watched.start()
    store.put(ObjectRef("upload", "a+b.csv"), [b"x"], content_type="t/x", metadata={})
    assert arrived.wait(60)
    watched.stop()
    assert told == ["a+b.csv"]
