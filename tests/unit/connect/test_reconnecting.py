"""A session that connects again: what it says, when it is joined, and how it ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest
from penstock.connect import reconnecting
from penstock.connect.reconnecting import ReconnectingSession, TopicRefused


class Session(ReconnectingSession):
    """Ends each connection with the next of some problems; after the last one it stays connected."""

    def __init__(self, *problems: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("toy", "server:1", clock)
        self.problems = list(problems)
        self.connected = threading.Event()
        self.woken = threading.Event()
        self.taken: list[tuple[str, ...]] = []

    def work(self) -> None:
        if self.problems:
            raise ConnectionError(self.problems.pop(0))
        self.taken.append(self.topics)
        self.confirm(self.topics)
        self.connected.set()
        self.wake.wait(60)
        self.wake.clear()
        self.disconnected()
        self.woken.set()

    def meaning_of(self, exc: Exception) -> tuple[str, str] | None:
        return (str(exc), "") if isinstance(exc, ConnectionError) else None

    def end(self) -> None:
        self.end_within(60, owes=False)


class Silent(ReconnectingSession):
    """Waits for a server that takes a connection and says nothing, until the test lets it go."""

    def __init__(self) -> None:
        super().__init__("toy", "server:1")
        self.waits = threading.Event()
        self.let_go = threading.Event()

    def work(self) -> None:
        self.waits.set()
        self.let_go.wait(600)

    def meaning_of(self, exc: Exception) -> tuple[str, str] | None:
        return None

    def ending_thread(self, *, owes: bool) -> threading.Thread:
        thread = threading.Thread(target=self.end_within, args=[600], kwargs={"owes": owes}, daemon=True)
        thread.start()
        return thread


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "RETRY_SECONDS", 0.0)


def test_problem_that_lasts_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    session = Session("refused", "refused", "away", "refused")
    session.start(["b", "a"])
    assert session.connected.wait(60)
    assert (session.joined, session.problem()) == (True, "")
    session.end()
    assert [record.getMessage() for record in caplog.records] == ["toy: refused", "toy: away", "toy: refused"]
    assert session.taken == [("a", "b")]
    assert session.problem() == "not connected to server:1"


def test_other_topics_are_not_joined_until_the_server_confirms_them() -> None:
    session = Session()
    session.start(["a"])
    assert session.connected.wait(60)
    session.connected.clear()
    session.subscribe(["a", "b"])
    assert session.woken.wait(60)
    assert session.connected.wait(60)
    assert session.joined
    session.end()
    assert session.taken == [("a",), ("a", "b")]


def test_refusal_is_the_problem_until_the_server_confirms() -> None:
    session = Session()
    session.refusal = "the login is wrong"
    assert session.problem() == "the login is wrong"
    session.start(["a"])
    assert session.connected.wait(60)
    assert session.problem() == ""
    session.end()


def test_unexpected_error_is_said_and_the_session_is_not_joined(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    ended = threading.Event()

    def broken() -> None:
        ended.set()
        raise RuntimeError("a defect")

    monkeypatch.setattr(session, "work", broken)
    session.start(["a"])
    assert ended.wait(60)
    session.end()
    assert not session.joined
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "toy: the client ended"
    ]


def test_end_does_not_wait_for_a_silent_server_where_nothing_is_owed() -> None:
    session = Silent()
    session.start(["a"])
    try:
        assert session.waits.wait(60)
        ending = session.ending_thread(owes=False)
        ending.join(60)
        assert not ending.is_alive()
    finally:
        session.let_go.set()


def test_end_waits_for_the_server_that_has_to_be_told_of_something() -> None:
    session = Silent()
    session.start(["a"])
    assert session.waits.wait(60)
    ending = session.ending_thread(owes=True)
    ending.join(3 * reconnecting.IDLE_END_SECONDS)
    assert ending.is_alive()
    session.let_go.set()
    ending.join(60)
    assert not ending.is_alive()


def test_topic_that_is_refused_is_left_out_for_a_while() -> None:
    now = [0.0]
    session = Session(clock=lambda: now[0])
    session.topics = ("a", "b", "c")
    assert session.leave_out(TopicRefused("b", "there is no b")) == "there is no b"
    assert session.to_work_on() == ("a", "c")
    session.confirm(session.to_work_on())
    assert session.problem() == "there is no b", "the probe says it although the others go on"
    assert not session.joined
    now[0] = reconnecting.LOOK_AGAIN_SECONDS
    assert session.to_work_on() == ("a", "b", "c")
    session.confirm(session.to_work_on())
    assert session.problem() == "not connected to server:1"  # its thread does not run in this test


def test_topics_that_are_all_refused_are_asked_for_again_at_once() -> None:
    session = Session()
    session.topics = ("a", "b")
    session.leave_out(TopicRefused("a", "there is no a"))
    assert session.leave_out(TopicRefused("b", "there is no b")) == "there is no a; there is no b"
    assert session.to_work_on() == ("a", "b")


def test_topic_that_no_function_wants_any_more_is_not_complained_of() -> None:
    session = Session()
    session.topics = ("a", "b")
    session.leave_out(TopicRefused("b", "there is no b"))
    session.topics = ("a",)
    session.confirm(session.to_work_on())
    assert session.refusal == ""
