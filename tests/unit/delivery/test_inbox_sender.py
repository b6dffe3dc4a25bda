"""The inbox sender: from the inbox to real HTTP targets, and what is left behind."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from penstock.delivery.deliverer import Message, Policy
from penstock.delivery.http import HttpTarget
from penstock.delivery.inbox import Inbox, InboxCounts
from penstock.delivery.inbox_sender import EndedDelivery, InboxSender
from penstock.delivery.verdict import Verdict
from penstock.errors import ConfigError, TemporaryError
from penstock.events import parse
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.paths import EVENTS
from tests.waiting import wait_until

QUICK = Policy(attempts=3, min_wait_seconds=0.001, max_wait_seconds=0.01, timeout_seconds=5)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    box = Inbox(tmp_path / "inbox.db")
    yield box
    box.close()


def message(number: int, target: str = "compress", key: str = "k") -> Message:
    return Message(key, b"%d" % number, {}, f"test@{number}", target)


def bodies(httpserver: HTTPServer) -> list[bytes]:
    return [request.data for request, _ in httpserver.log]


def test_delivered_messages_leave_the_inbox(inbox: Inbox, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("ok")
    inbox.put([message(0)])
    sender = InboxSender(inbox, [HttpTarget("compress", httpserver.url_for("/"))], QUICK)
    sender.start()
    inbox.put([message(1), message(2)])
    wait_until(lambda: inbox.counts().pending == 0)
    assert sender.stop()
    assert bodies(httpserver) == [b"0", b"1", b"2"]
    assert inbox.counts() == InboxCounts(0, 0)


def test_refused_message_becomes_a_dead_letter_and_can_be_replayed(inbox: Inbox, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/").respond_with_data("no such picture", 422)
    httpserver.expect_ordered_request("/").respond_with_data("ok")
    sender = InboxSender(inbox, [HttpTarget("compress", httpserver.url_for("/"))], QUICK)
    sender.start()
    inbox.put([message(1)])
    wait_until(lambda: inbox.counts().dead == 1)
    [letter] = inbox.dead_letters()
    assert (letter.code, letter.data) == (422, b"no such picture")
    inbox.replay([letter.id])
    wait_until(lambda: inbox.counts() == InboxCounts(0, 0))
    sender.stop()
    assert bodies(httpserver) == [b"1", b"1"]


def test_message_under_way_at_the_stop_is_finished_and_the_rest_stays(inbox: Inbox, httpserver: HTTPServer) -> None:
    arrived, release = threading.Event(), threading.Event()

    def slow(request: Request) -> Response:
        arrived.set()
        release.wait(5)
        return Response("ok")

    httpserver.expect_request("/").respond_with_handler(slow)
    inbox.put([message(1), message(2)])
    sender = InboxSender(inbox, [HttpTarget("compress", httpserver.url_for("/"))], QUICK)
    sender.start()
    assert arrived.wait(5)
    stopped: list[bool] = []
    stopper = threading.Thread(target=lambda: stopped.append(sender.stop()))
    stopper.start()
    wait_until(lambda: sender.held() == 1)  # the second message is let go, the first is still being answered
    release.set()
    stopper.join()
    assert stopped == [True]
    assert bodies(httpserver) == [b"1"]
    assert inbox.counts() == InboxCounts(pending=1, dead=0)


def test_message_whose_answer_never_comes_stays_after_an_impatient_stop(inbox: Inbox, httpserver: HTTPServer) -> None:
    arrived, release = threading.Event(), threading.Event()

    def stuck(request: Request) -> Response:
        arrived.set()
        release.wait(5)
        return Response("ok")

    httpserver.expect_request("/").respond_with_handler(stuck)
    inbox.put([message(1)])
    sender = InboxSender(inbox, [HttpTarget("compress", httpserver.url_for("/"))], QUICK)
    sender.start()
    assert arrived.wait(5)
    assert not sender.stop(timeout_seconds=0.01)
    release.set()
    assert inbox.counts() == InboxCounts(pending=1, dead=0)
    # The server is that of the next tests, too: they are not to find this request among theirs.
    wait_until(lambda: len(httpserver.log) == 1)


def test_message_for_an_unconfigured_target_waits_until_it_is_configured(inbox: Inbox, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("ok")
    inbox.put([message(1, "resize"), message(2, "compress")])
    compress = HttpTarget("compress", httpserver.url_for("/"))
    sender = InboxSender(inbox, [compress], QUICK)
    sender.start()
    wait_until(lambda: inbox.counts().pending == 1)
    sender.configure([compress, HttpTarget("resize", httpserver.url_for("/"))])
    wait_until(lambda: inbox.counts().pending == 0)
    sender.stop()
    assert bodies(httpserver) == [b"2", b"1"]


def test_target_that_moves_gets_what_its_old_address_could_not_take(inbox: Inbox, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/old").respond_with_data("busy", 503)
    httpserver.expect_request("/new").respond_with_data("ok")
    sender = InboxSender(inbox, [HttpTarget("compress", httpserver.url_for("/old"))], Policy(min_wait_seconds=30))
    sender.start()
    inbox.put([message(1), message(2)])
    wait_until(lambda: len(httpserver.log) == 1)
    sender.configure([HttpTarget("compress", httpserver.url_for("/new"))])
    wait_until(lambda: inbox.counts().pending == 0)
    sender.stop()
    assert [request.path for request, _ in httpserver.log] == ["/old", "/new", "/new"]


def test_second_sender_on_one_inbox_is_refused(inbox: Inbox) -> None:
    first, second = InboxSender(inbox, []), InboxSender(inbox, [])
    first.start()
    with pytest.raises(ConfigError, match="another process"):
        second.start()
    first.stop()
    second.start()
    second.stop()


def test_every_attempt_is_observed(inbox: Inbox, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/").respond_with_data("busy", 503)
    httpserver.expect_ordered_request("/").respond_with_data("ok")
    seen: list[tuple[str, str]] = []
    sender = InboxSender(
        inbox,
        [HttpTarget("compress", httpserver.url_for("/"))],
        QUICK,
        observe=lambda message, verdict, seconds: seen.append((message.origin, verdict.outcome.value)),
    )
    sender.start()
    inbox.put([message(1)])
    wait_until(lambda: inbox.counts().pending == 0)
    sender.stop()
    assert seen == [("test@1", "retry"), ("test@1", "delivered")]


def test_submitted_message_that_is_refused_is_stored_before_it_is_told_as_finished(
    inbox: Inbox, httpserver: HTTPServer
) -> None:
    def answer(request: Request) -> Response:
        return Response("no such picture", 422 if request.data == b"1" else 200)

    httpserver.expect_request("/").respond_with_handler(answer)
    finished: list[tuple[str, int]] = []

    def note(message: Message[str]) -> None:
        finished.append((message.receipt, len(inbox.dead_letters())))

    sender: InboxSender[str] = InboxSender(
        inbox, [HttpTarget("compress", httpserver.url_for("/"))], QUICK, finished=note
    )
    sender.start()
    sender.submit([Message("k", b"1", {}, "test@1", "compress", "kept 1")])
    wait_until(lambda: finished == [("kept 1", 1)])
    sender.submit([Message("k", b"2", {}, "test@2", "compress", "kept 2")])
    wait_until(lambda: finished == [("kept 1", 1), ("kept 2", 1)])
    sender.stop()
    [letter] = inbox.dead_letters()
    assert (letter.message.value, letter.code, letter.data) == (b"1", 422, b"no such picture")


def test_submitted_message_is_not_finished_while_its_dead_letter_cannot_be_stored(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    free = [0]
    inbox = Inbox(tmp_path / "full.db", free_bytes=lambda _: free[0])
    httpserver.expect_request("/refused").respond_with_data("no", 422)
    httpserver.expect_request("/fine").respond_with_data("ok")
    targets = [HttpTarget(name, httpserver.url_for(f"/{name}")) for name in ("refused", "fine")]
    finished: list[str] = []
    sender: InboxSender[str] = InboxSender(
        inbox, targets, QUICK, finished=lambda message: finished.append(message.receipt), poll_seconds=0.01
    )
    sender.start()
    sender.submit([Message("a", b"1", {}, "test@1", "refused", "refused")])
    wait_until(lambda: "bytes free" in (sender.error or ""))
    sender.submit([Message("b", b"2", {}, "test@2", "fine", "fine")])
    wait_until(lambda: finished == ["fine"])
    free[0] = 1 << 40
    wait_until(lambda: finished == ["fine", "refused"])
    wait_until(lambda: sender.running)
    sender.stop()
    assert [letter.message.value for letter in inbox.dead_letters()] == [b"1"]
    inbox.close()


@pytest.mark.parametrize("keep_identity", [False, True])
def test_dead_letter_of_a_broker_is_without_the_uploader_unless_it_is_kept(
    inbox: Inbox, httpserver: HTTPServer, keep_identity: bool
) -> None:
    event = (EVENTS / "minio_put.json").read_bytes()
    httpserver.expect_request("/").respond_with_data("no such picture", 422)
    sender: InboxSender[str] = InboxSender(
        inbox, [HttpTarget("compress", httpserver.url_for("/"))], QUICK, keep_identity=keep_identity
    )
    sender.start()
    sender.submit([Message("k", event, {}, "test@1", "compress", "kept")])
    wait_until(lambda: len(inbox.dead_letters()) == 1)
    sender.stop()
    [letter] = inbox.dead_letters()
    assert bodies(httpserver) == [event]
    for text in (b"principalId", b"userIdentity", b"ownerIdentity", b"sourceIPAddress"):
        assert (text in letter.message.value) is keep_identity
    assert parse(letter.message.value, {}) == parse(event, {})


def test_the_end_of_a_message_is_told_before_the_inbox_forgets_it(inbox: Inbox, httpserver: HTTPServer) -> None:
    """Killed in between, it is delivered and told once more: no end is lost."""
    httpserver.expect_ordered_request("/").respond_with_data("done")
    httpserver.expect_ordered_request("/").respond_with_data("no such picture", 422)
    told: list[tuple[bytes, str, int]] = []

    def ending(ended: Sequence[EndedDelivery]) -> None:
        pending = inbox.counts().pending
        told.extend((message.value, verdict.outcome.value, pending) for message, verdict in ended)

    sender = InboxSender(inbox, [HttpTarget("compress", httpserver.url_for("/"))], QUICK, ending=ending)
    sender.start()
    inbox.put([message(1)])
    wait_until(lambda: inbox.counts() == InboxCounts(0, 0))
    inbox.put([message(2)])
    wait_until(lambda: inbox.counts() == InboxCounts(0, 1))
    sender.stop()
    assert told == [(b"1", "delivered", 1), (b"2", "dead", 1)]


def test_an_end_is_told_once_while_the_disk_refuses_to_record_it(
    inbox: Inbox, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request("/").respond_with_data("done")
    finish, refused = inbox.finish, list(range(3))
    told: list[EndedDelivery] = []

    def full(delivered: Sequence[int], dead: Sequence[tuple[int, Verdict]] = ()) -> None:
        if refused:
            refused.pop()
            raise TemporaryError("the disk is full")
        finish(delivered, dead)

    monkeypatch.setattr(inbox, "finish", full)
    sender = InboxSender(
        inbox, [HttpTarget("compress", httpserver.url_for("/"))], QUICK, ending=told.extend, poll_seconds=0.01
    )
    sender.start()
    inbox.put([message(1)])
    wait_until(lambda: inbox.counts() == InboxCounts(0, 0))
    sender.stop()
    assert (refused, len(told)) == ([], 1)


def test_a_sender_that_keeps_no_dead_letters_says_what_it_gave_up(inbox: Inbox, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("no", 422)
    given_up: list[tuple[bytes, int]] = []
    sender = InboxSender(
        inbox,
        [HttpTarget("compress", httpserver.url_for("/"))],
        QUICK,
        given_up=lambda message, verdict: given_up.append((message.value, verdict.code)),
    )
    sender.start()
    inbox.put([message(1)])
    wait_until(lambda: given_up == [(b"1", 422)])
    sender.stop()
    assert inbox.counts() == InboxCounts(0, 0)
