"""The core of a connector to a queue, with a session that a test plays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from penstock.connect.queues import Arrived, Lost, QueueConnector, QueueNames, Settlement
from penstock.connect.subscription_watch import SubscriptionState, SubscriptionWatch
from penstock.connect.subscriptions import Finder, Subscriptions, from_pairs
from penstock.delivery.deliverer import Policy
from penstock.delivery.inbox import Inbox
from penstock.process.metric_table import Measure

from tests.integration.connect_helpers import RecordingFunction
from tests.waiting import wait_until

NEW_CLIENTS = Measure("penstock_played_new_clients", "counter", (), "New clients.", "delivery")
UNACKNOWLEDGED = Measure("penstock_played_unacknowledged", "gauge", (), "Not acknowledged.", "delivery")


class PlayedSession:
    """A session whose messages and state the test decides."""

    def __init__(self, arrived: Arrived[Settlement], lost: Lost[Settlement]) -> None:
        self._arrived = arrived
        self._lost = lost
        self.joined = True
        self.refusal = ""
        self.topics: list[str] = []
        self.settled: list[bytes] = []
        self.taken = 0
        self.ended = False

    @property
    def unsettled(self) -> int:
        return self.taken - len(self.settled)

    def problem(self) -> str:
        return self.refusal or ("" if self.joined else "not subscribed")

    def start(self, topics: Iterable[str]) -> None:
        self.topics = sorted(topics)

    def subscribe(self, topics: Iterable[str]) -> None:
        self.topics = sorted(topics)

    def end(self) -> None:
        self.ended = True
        self._lost(lambda arrival: arrival.session is self)

    def bring(self, topic: str, payload: bytes) -> None:
        self.taken += 1
        self._arrived(topic, payload, f"{topic}#{self.taken}", Settlement(self, lambda: self.settled.append(payload)))


class Played:
    """A connector that runs, its sessions, and what its functions got."""

    def __init__(
        self,
        folder: Path,
        wanted: Callable[[], Subscriptions],
        watch: SubscriptionWatch | None,
        *,
        cloudevents: bool = False,
    ) -> None:
        self.sessions: list[PlayedSession] = []
        self.connector = QueueConnector[Settlement](
            QueueNames("played", NEW_CLIENTS, UNACKNOWLEDGED),
            self._open,
            lambda: True,
            Finder(wanted, 0.05),
            Inbox(folder / "inbox.db"),
            policy=Policy(attempts=2, min_wait_seconds=0.0, max_wait_seconds=0.01),
            watch=watch,
            cloudevents=cloudevents,
        )
        self.thread = threading.Thread(target=self.connector.run, args=(5.0,))

    def _open(self, arrived: Arrived[Settlement], lost: Lost[Settlement]) -> PlayedSession:
        self.sessions.append(PlayedSession(arrived, lost))
        return self.sessions[-1]

    @property
    def session(self) -> PlayedSession:
        return self.sessions[-1]

    def metrics(self) -> str:
        return self.connector.measures.render()[0].decode()


@contextmanager
def playing(
    folder: Path,
    wanted: Callable[[], Subscriptions],
    watch: SubscriptionWatch | None = None,
    *,
    cloudevents: bool = False,
) -> Iterator[Played]:
    played = Played(folder, wanted, watch, cloudevents=cloudevents)
    played.thread.start()
    try:
        yield played
    finally:
        played.connector.stop()
        played.thread.join()


def test_a_message_is_settled_after_all_functions_that_want_it(tmp_path: Path) -> None:
    release = threading.Event()

    def answer(path: str, body: bytes) -> int:
        if path == "/slow":
            release.wait(60)
        return 200

    function = RecordingFunction(answer)
    pairs = from_pairs([f"lake={function.url}/quick", f"lake={function.url}/slow"], None)
    with playing(tmp_path, lambda: pairs) as played:
        wait_until(lambda: played.session.topics == ["lake"])
        played.session.bring("lake", b"one")
        wait_until(lambda: function.delivered("/quick") == [b"one"])
        assert played.session.settled == []
        assert "penstock_played_unacknowledged 1.0" in played.metrics()
        release.set()
        wait_until(lambda: played.session.settled == [b"one"])
        assert function.delivered("/slow") == [b"one"]
    function.stop()


def test_a_message_that_no_function_wants_is_settled(tmp_path: Path) -> None:
    pairs = from_pairs(["lake=http://127.0.0.1:9/"], None)
    with playing(tmp_path, lambda: pairs) as played:
        wait_until(lambda: played.session.topics == ["lake"])
        played.session.bring("other", b"one")
        assert played.session.settled == [b"one"]


def test_a_refused_message_is_settled_once_it_is_a_dead_letter(tmp_path: Path) -> None:
    function = RecordingFunction(lambda path, body: 422)
    pairs = from_pairs([f"lake={function.url}/"], None)
    with playing(tmp_path, lambda: pairs) as played:
        wait_until(lambda: played.session.topics == ["lake"])
        played.session.bring("lake", b"poison")
        wait_until(lambda: played.session.settled == [b"poison"])
        assert "penstock_inbox_dead 1.0" in played.metrics()
    function.stop()


def test_topics_that_are_found_later_are_subscribed_to(tmp_path: Path) -> None:
    found = from_pairs(["lake=http://127.0.0.1:9/"], None)
    with playing(tmp_path, lambda: found) as played:
        wait_until(lambda: played.session.topics == ["lake"])
        found = from_pairs(["lake=http://127.0.0.1:9/", "more=http://127.0.0.1:9/"], None)
        wait_until(lambda: played.session.topics == ["lake", "more"])


def test_a_session_that_does_not_join_is_replaced_and_one_that_is_refused_is_not(tmp_path: Path) -> None:
    pairs = from_pairs(["lake=http://127.0.0.1:9/"], None)
    watch = SubscriptionWatch("played", lambda: True, patience_seconds=0.0)
    with playing(tmp_path, lambda: pairs, watch) as played:
        wait_until(lambda: played.session.topics == ["lake"])
        played.session.joined, played.session.refusal = False, "no such topic"
        wait_until(lambda: played.connector.unready() == "no such topic")
        first = played.session
        first.refusal = ""
        wait_until(lambda: played.session is not first)
        assert first.ended
        wait_until(lambda: watch.state is SubscriptionState.JOINED)
        assert played.connector.unready() == played.connector.ill() == ""
        assert "penstock_played_new_clients_total 1.0" in played.metrics()


ODD_MESSAGES = (
    b'{"EventName": "s3:ObjectCreated:Put", "Key": "lake/\\ud800", "Records": []}',
    b'{"EventName": "\\ud800", "Key": "lake/a", "Records": [{"eventName": "\\udfff"}]}',
    b'{"Key": "a\\u0000b"}',
    b'{"Key": ["a"]}',
    b'{"Key": ' + b"1" * 5000 + b"}",
    b"\xff\xfe\x00",
    '{"Key": "a"}'.encode("utf-16"),
    b"[" * 100_000,
)


@pytest.mark.parametrize("cloudevents", [False, True])
def test_a_message_of_any_bytes_becomes_a_dead_letter_and_holds_up_no_other(tmp_path: Path, cloudevents: bool) -> None:
    function = RecordingFunction(lambda _path, body: 200 if body == b"good" else 400)
    pairs = from_pairs([f"lake={function.url}/f"], None)
    with playing(tmp_path, lambda: pairs, cloudevents=cloudevents) as played:
        wait_until(lambda: played.session.topics == ["lake"])
        for message in (*ODD_MESSAGES, b"good"):
            played.session.bring("lake", message)
        wait_until(lambda: sorted(played.session.settled) == sorted([*ODD_MESSAGES, b"good"]))
        assert played.connector.unready() == ""
    function.stop()
    inbox = Inbox(tmp_path / "inbox.db")
    assert sorted(each.message.value for each in inbox.read()) == sorted(ODD_MESSAGES)
    inbox.close()
