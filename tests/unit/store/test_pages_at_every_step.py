"""A proxy's page in the place of any answer, at every request of the runtime: nothing is lost, removed or refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from penstock import TemporaryError
from penstock.handler.loading import make_function
from penstock.runtime.runtime import Runtime
from penstock.settings.config import Config, SourceRule, StoreSettings
from penstock.sinks.wiring import make_sink
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.lake import Options, upper
from tests.lying_store import PAGE, LyingStore, page
from tests.store_contract import MIB

pytestmark = pytest.mark.long

REF = ObjectRef("upload", "a.txt")
SOURCE, TARGET = "/upload/a.txt", "/processed/a.txt"
LARGE = b"x" * 6 * MIB

ANSWERS: dict[str, Callable[[], Response]] = {
    "a page": page,
    "nginx's page": lambda: page('"656f3c2a-267"'),
    "a page with a weak ETag": lambda: page('W/"267-5e8b"'),
    "a page that says 404": lambda: Response(PAGE, 404, content_type="text/html"),
    "a page that says 403": lambda: Response(PAGE, 403, content_type="text/html"),
    "a way to a login": lambda: Response(b"", 302, {"Location": "/login"}),
    "nothing": lambda: Response(b"", 204),
    "an empty body": lambda: Response(b"", 200),
    "JSON": lambda: Response(b'{"ok": true}', 200, content_type="application/json"),
    "XML of another kind": lambda: Response(b"<ok/>", 200, content_type="application/xml"),
}


@pytest.fixture(name="http", scope="module")
def http_fixture() -> Iterator[HTTPServer]:
    # Several threads: a client that keeps a connection open would hold the only one.
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture(name="server")
def server_fixture(http: HTTPServer) -> LyingStore:
    http.clear()
    lying = LyingStore()
    http.expect_request(re.compile(r"(?s).*")).respond_with_handler(lying.answer)
    return lying


@pytest.fixture(name="runtime")
def runtime_fixture(http: HTTPServer, server: LyingStore) -> Runtime:
    settings = StoreSettings(http.url_for("").rstrip("/"), "reader", "reader-secret")
    config = Config("upper", (SourceRule("upload"),), "s3://processed/{key}", settings, remove_with_source=True)
    store = S3ObjectStore(settings)
    module = SimpleNamespace(__name__="handler", handle=upper, Options=Options)
    return Runtime(make_function(module, config), config, store, make_sink(config, store))


def kind_of(request: Request) -> tuple[str, str, tuple[str, ...]]:
    """What a request is for: method, path and what is asked of the object; a signature does not matter."""
    asked = sorted(name for name in request.args if not name.startswith(("X-Amz-", "x-id", "uploadId")))
    return request.method, request.path, tuple(asked)


class Case:
    """A source that changes from `before` to `after`; None is one that is not there."""

    def __init__(self, before: bytes | None, after: bytes | None) -> None:
        self.before, self.after = before, after

    def begin(self, server: LyingStore, runtime: Runtime) -> dict[str, Any]:
        """The store's objects when the event about `after` comes."""
        server.objects = {}
        if self.before is not None:
            server.put(SOURCE, self.before)
            runtime.agree(REF)
        server.objects.pop(SOURCE, None)
        if self.after is not None:
            server.put(SOURCE, self.after)
        return dict(server.objects)

    def is_right(self, server: LyingStore) -> bool:
        refused = [path for path in server.objects if path.startswith("/processed/.penstock/")]
        if self.after is None:
            return not refused and TARGET not in server.objects
        if self.after.startswith(b"bad"):
            return len(refused) == 1 and TARGET not in server.objects
        # An old refusal beside a right target waits for reconcile (ADR 11).
        return server.objects.get(TARGET, (b"",))[0] == self.after.upper()

    def is_harmless(self, server: LyingStore, begun: dict[str, Any]) -> bool:
        """Whether what was right before is there, or what is right now."""
        mine = {path: data for path, (data, _) in server.objects.items() if path.startswith("/processed/")}
        was = {path: data for path, (data, _) in begun.items() if path.startswith("/processed/")}
        if TARGET in was and TARGET not in mine and not (self.after is None or self.after.startswith(b"bad")):
            return False
        if any(path.startswith("/processed/.penstock/") and path not in was for path in mine):
            return self.after is not None and self.after.startswith(b"bad")
        return TARGET not in mine or mine[TARGET] in (was.get(TARGET), (self.after or b"").upper())


CASES = {
    "new": Case(None, b"one"),
    "changed": Case(b"one", b"two"),
    "removed": Case(b"one", None),
    "refused": Case(b"one", b"bad"),
    "no longer refused": Case(b"bad", b"one"),
}
LARGE_CASES = {"large": Case(None, LARGE), "large, changed": Case(LARGE, LARGE + b"y")}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_page_in_the_place_of_any_answer_loses_nothing(
    server: LyingStore, runtime: Runtime, case: Case, answer: Callable[[], Response]
) -> None:
    stand_before_each(server, runtime, case, answer, (1, 1000))


@pytest.mark.parametrize("answer", ["nginx's page", "a page that says 404"])
@pytest.mark.parametrize("case", LARGE_CASES.values(), ids=LARGE_CASES)
def test_a_page_in_the_place_of_any_step_of_an_upload_in_parts_loses_nothing(
    server: LyingStore, runtime: Runtime, case: Case, answer: str
) -> None:
    stand_before_each(server, runtime, case, ANSWERS[answer], (1,))


def stand_before_each(
    server: LyingStore, runtime: Runtime, case: Case, answer: Callable[[], Response], all_times: tuple[int, ...]
) -> None:
    """For each kind of request that the right run makes: run with a page before it, look, and run without."""
    kinds: list[tuple[str, str, tuple[str, ...]]] = []

    def note(request: Request) -> None:
        if kind_of(request) not in kinds:
            kinds.append(kind_of(request))

    begun = case.begin(server, runtime)
    server.stands_before = note
    runtime.agree(REF)
    server.stands_before = lambda _request: None
    assert case.is_right(server)

    for kind in list(kinds):
        for times in all_times:
            server.objects = dict(begun)
            left = times

            def stand(request: Request, kind: object = kind) -> Response | None:
                nonlocal left
                if request.path == "/login":
                    return page()
                if kind_of(request) != kind or not left:
                    return None
                left -= 1
                return answer()

            server.stands_before = stand
            try:
                outcome = runtime.agree(REF)
            except TemporaryError:
                acknowledged = False
            else:
                acknowledged = outcome.status < 500
            server.stands_before = lambda _request: None
            told = f"{kind} {times} times"
            assert case.is_harmless(server, begun), f"{told}: harmed"
            assert not acknowledged or case.is_right(server), f"{told}: acknowledged, and not right"
            runtime.agree(REF)
            assert case.is_right(server), f"{told}: does not end right"
