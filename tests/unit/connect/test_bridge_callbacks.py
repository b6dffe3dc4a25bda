"""Callbacks over real HTTP: told once they are on disk, given up within bounds, and never in the way."""

import base64
import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from penstock.connect.bridge import callbacks as subject
from penstock.connect.bridge.callbacks import CallbackConfig, Callbacks, callbacks_file, read_callbacks
from penstock.connect.bridge.outcomes import outcome_of
from penstock.delivery.deliverer import Message, Policy
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import EndedDelivery
from penstock.delivery.measures import DeliveryMeasures
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.errors import ConfigError, TemporaryError
from penstock.events.signature import SignatureCheck
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.waiting import wait_until

QUICK = Policy(attempts=3, min_wait_seconds=0.001, max_wait_seconds=0.01, timeout_seconds=5)
KEY = b"k" * 32


def ended(number: int = 1, key: str = "a.csv") -> EndedDelivery:
    text = f'{{"outcome": "processed", "function": "compress", "source": {{"bucket": "upload", "key": "{key}"}}}}'
    message = Message("k", b"{}", {"ce-id": str(number), "traceparent": "00-1-2-01"}, f"test@{number}", "compress")
    return message, Verdict(DeliveryOutcome.DELIVERED, 200, data=text.encode())


class Told:
    """Callbacks on a file, and what their metrics say."""

    def __init__(self, config: CallbackConfig, file: Path) -> None:
        self.measures = DeliveryMeasures()
        self.callbacks = Callbacks(config, file, self.measures)
        self.callbacks.start()

    def figure(self, end: str, to: str = "shop") -> float:
        return self._value(f'penstock_outcomes_total{{end="{end}",to="{to}"}}')

    def pending(self, to: str = "shop") -> float:
        return self._value(f'penstock_outcomes_pending{{to="{to}"}}')

    def _value(self, name: str) -> float:
        [line] = [each for each in self.measures.render()[0].decode().splitlines() if each.startswith(f"{name} ")]
        return float(line.rpartition(" ")[2])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Told]]:
    made: list[Told] = []

    def begin(urls: str, policy: Policy = QUICK, keys: tuple[bytes, ...] = ()) -> Told:
        made.append(Told(read_callbacks(urls, keys, None, policy), tmp_path / "outcomes.db"))
        return made[-1]

    yield begin
    for each in made:
        each.callbacks.stop(1)


def test_each_url_is_told_signed_and_as_a_cloudevent(start: Callable[..., Told], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/shop").respond_with_data("thanks")
    httpserver.expect_request("/audit").respond_with_data("thanks")
    told = start(f"shop={httpserver.url_for('/shop')} audit={httpserver.url_for('/audit')}", keys=(KEY,))
    told.callbacks.told([ended()])
    wait_until(lambda: told.figure("sent") == told.figure("sent", "audit") == 1)
    assert {request.path for request, _ in httpserver.log} == {"/shop", "/audit"}
    for request, _ in httpserver.log:
        assert request.headers["ce-type"] == "penstock.object.processed"
        assert request.headers["ce-subject"] == "upload/a.csv"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["traceparent"] == "00-1-2-01"
        assert b"".join(SignatureCheck([KEY]).checked(request.headers.get, [request.data])) == ended()[1].data
    wait_until(lambda: told.pending() == 0)
    assert told.figure("given_up") == 0


@pytest.mark.parametrize(("status", "requests"), [(500, 3), (429, 3), (400, 1), (302, 1), (308, 1)])
def test_a_receiver_that_refuses_is_given_up_and_a_redirect_is_not_followed(
    start: Callable[..., Told], httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, status: int, requests: int
) -> None:
    elsewhere = {"Location": httpserver.url_for("/elsewhere")}
    httpserver.expect_request("/shop").respond_with_data("", status, headers=elsewhere)
    httpserver.expect_request("/elsewhere").respond_with_data("never asked")
    told = start(f"shop={httpserver.url_for('/shop')}")
    with caplog.at_level(logging.ERROR, "penstock.connect"):
        told.callbacks.told([ended()])
        wait_until(lambda: told.figure("given_up") == 1)
    assert [request.path for request, _ in httpserver.log] == ["/shop"] * requests
    assert "outcomes for shop: 1 given up: " in caplog.text
    assert (told.figure("sent"), told.pending()) == (0, 0)


def test_what_was_not_told_is_told_by_the_next_run(
    start: Callable[..., Told], httpserver: HTTPServer, tmp_path: Path
) -> None:
    httpserver.expect_request("/shop").respond_with_data("thanks")
    first = start("shop=http://127.0.0.1:9/", Policy(attempts=1000, min_wait_seconds=60, max_wait_seconds=60))
    first.callbacks.told([ended(1), ended(2)])
    first.callbacks.stop(5)
    second = start(f"shop={httpserver.url_for('/shop')}")
    wait_until(lambda: second.figure("sent") == 2)
    wanted = [found.attributes["id"] for each in (ended(1), ended(2)) if (found := outcome_of(*each)) is not None]
    assert [request.headers["ce-id"] for request, _ in httpserver.log] == wanted


def test_what_was_for_a_name_that_is_gone_is_given_up(start: Callable[..., Told], tmp_path: Path) -> None:
    with_old = start("old=http://127.0.0.1:9/", Policy(attempts=1000, min_wait_seconds=60, max_wait_seconds=60))
    with_old.callbacks.told([ended(number) for number in range(3)])
    with_old.callbacks.stop(5)
    now = start("shop=http://127.0.0.1:9/")
    assert now.figure("given_up", "old") == 3
    assert Inbox(tmp_path / "outcomes.db").counts().pending == 0


def test_a_receiver_that_hangs_fills_its_own_bound_and_not_that_of_another(
    start: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "MOST_WAITING", 5)
    release = threading.Event()

    def hang(_request: Request) -> Response:
        release.wait(60)
        return Response("at last")

    with HTTPServer(threaded=True) as server:
        server.expect_request("/hangs").respond_with_handler(hang)
        server.expect_request("/shop").respond_with_data("thanks")
        told = start(
            f"hangs={server.url_for('/hangs')} shop={server.url_for('/shop')}",
            Policy(attempts=1000, min_wait_seconds=0.001, max_wait_seconds=0.01),
        )
        try:
            for number in range(12):
                told.callbacks.told([ended(number, f"{number}.csv")])
                wait_until(lambda number=number: told.figure("sent") == number + 1)  # type: ignore[misc]
            assert (told.figure("given_up", "hangs"), told.pending("hangs")) == (7, 5)
        finally:
            release.set()
        wait_until(lambda: told.figure("sent", "hangs") == 5)
        told.callbacks.told([ended(12)])  # there is room again
        wait_until(lambda: told.figure("sent", "hangs") == 6)


def test_large_outcomes_for_a_silent_receiver_take_a_bounded_part_of_the_volume(
    start: Callable[..., Told], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file of SQLite never becomes smaller: without a bound it would take the volume from the events for good."""
    monkeypatch.setattr(subject, "MOST_BYTES", 2 * 1024 * 1024)
    # The last look at the volume counts for a second, so a clock that jumps makes each put look.
    ticks = itertools.count(step=10)
    monkeypatch.setattr("penstock.connect.bridge.callbacks.Inbox", partial(Inbox, clock=lambda: float(next(ticks))))
    silent = Policy(attempts=1000, min_wait_seconds=60, max_wait_seconds=60)
    told = start("shop=http://127.0.0.1:9/", silent)
    for number in range(100):
        told.callbacks.told([ended(number, f"{number}{'x' * 60_000}.csv")])
    assert told.figure("given_up") > 50
    assert told.pending() == 100 - told.figure("given_up") > 5
    assert sum(file.stat().st_size for file in tmp_path.glob("outcomes.db*")) < 8 * 1024 * 1024


def test_a_disk_that_takes_nothing_costs_outcomes_and_raises_nothing(
    start: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = start("shop=http://127.0.0.1:9/ audit=http://127.0.0.1:9/")

    def full(_self: Inbox, _messages: object) -> None:
        raise TemporaryError("the volume has 0 bytes free")

    monkeypatch.setattr(Inbox, "put", full)
    told.callbacks.told([ended(1), ended(2)])
    assert (told.figure("given_up"), told.figure("given_up", "audit")) == (2, 2)


def test_names_and_bounds_of_the_setting() -> None:
    made = read_callbacks("https://shop.example.com/hook?a=b audit=http://audit/x=y", (KEY,), None, Policy(attempts=7))
    assert [(each.name, each.url, each.keys) for each in made.targets] == [
        ("shop.example.com", "https://shop.example.com/hook?a=b", (KEY,)),
        ("audit", "http://audit/x=y", (KEY,)),
    ]
    assert (made.policy.attempts, made.policy.timeout_seconds, made.policy.batch) == (7, 10, 1)
    assert read_callbacks("", (), None, Policy()).targets == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ftp://host/secret", "number 1: expected"),
        ("http://ok/ a=http://user:secret@host/", "number 2: expected"),
        ("secret", "number 1: expected"),
        ("http://[secret", "number 1: expected"),
        ("http://h:99999/secret", "number 1: expected"),
        ("http://one/secret http://one/secret", "the names one, one must differ"),
        (" ".join(f"n{number}=http://h/secret" for number in range(9)), "9 URLs; at most 8"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_and_its_urls_are_not_shown(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_callbacks(text, (), None, Policy())
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_urls_and_keys_are_in_no_repr() -> None:
    key = base64.b64encode(KEY).decode()
    made = read_callbacks("shop=https://host/", (KEY,), None, Policy())
    assert key not in repr(made)
    assert repr(KEY) not in repr(made)


def test_the_file_lies_beside_the_inbox() -> None:
    assert callbacks_file(Path("/data/inbox.db")) == Path("/data/inbox-outcomes.db")
    assert callbacks_file(Path("inbox")) == Path("inbox-outcomes")
