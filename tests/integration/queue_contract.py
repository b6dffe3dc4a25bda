"""What every connector of a queue promises, as tests: run on real servers of Redis, NATS and RabbitMQ."""

from __future__ import annotations

import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from tests.components.certificates import make_certificates
from tests.components.process import Server
from tests.components.queues import QueueEndpoint
from tests.integration.connect_helpers import QUICK, Penstock, RecordingFunction, dlq, letters
from tests.waiting import wait_until


class Queue(ABC):
    """One queue on a real server, and connectors that take from it."""

    kind: ClassVar[str]
    """As in `penstock connect KIND`, and as in the URL."""
    topic: ClassVar[str]
    frozen_seconds: ClassVar[float]
    """After how long a connector surely has noticed that the server answers nothing."""
    wrong_login: ClassVar[Mapping[str, str]]
    """Settings with the password hunter2."""
    refused_login: ClassVar[str]
    """What the connector says of it."""

    def __init__(self, server: Server[QueueEndpoint]) -> None:
        self.server = server

    @property
    def login(self) -> Mapping[str, str]:
        """The settings that every connector of these tests gets."""
        return {}

    @abstractmethod
    def make(self) -> None:
        """Make the queue as it is once a connector has come, for a publisher that is earlier."""

    @abstractmethod
    def publish(self, *payloads: bytes) -> None:
        """Send messages as a store sends them; the server has them when this returns."""

    @abstractmethod
    def left(self) -> int:
        """Messages that no function has answered finally; exact once no connector runs."""

    @abstractmethod
    def spoil(self, topic: str) -> str:
        """See that the server refuses this topic; what the connector says then."""

    def wait_for_left(self, count: int) -> None:
        """Wait until so many are left: a server counts an end, or takes back what a client had, a moment later."""
        wait_until(lambda: self.left() == count, f"{count} messages left")

    def unfinished(self, connector: Penstock) -> int:
        """The same while this connector runs alone."""
        return self.left()

    def connect(
        self, folder: Path, name: str, to: str, *more: str, url: str = "", env: Mapping[str, str] | None = None
    ) -> Penstock:
        """A connector with an inbox of its own."""
        return Penstock(
            name, folder, "connect", self.kind, "--url", url or f"{self.kind}://{self.server.endpoint.address}",
            "--to", f"{self.topic}={to}", "--inbox", str(folder / f"{name}.db"), *QUICK, *more,
            env={**self.login, **(env or {})},
        )  # fmt: skip


def refuse_and_replay(
    connector: Penstock, inbox: Path, function: RecordingFunction, publish: Callable[[bytes], None]
) -> None:
    """A message that the function behind /strict refuses is kept with the answer, and comes again when asked for."""
    function.answer = lambda path, body: 422
    publish(b"poison")
    connector.until(lambda: "poison" in dlq(inbox, "list", "--json"), "kept")
    [letter] = letters(inbox)
    assert (letter["code"], letter["target"], letter["data"]) == (422, "strict", "answer")
    function.answer = lambda path, body: 200
    assert dlq(inbox, "replay", letter["id"]) == "1 replayed\n"
    connector.until(lambda: b"poison" in function.delivered("/strict"), "replayed")


def check_tls(queue: Queue, folder: Path, function: RecordingFunction, url: str, ca_file: Path) -> None:
    """TLS with a private authority: who is not trusted is said and asked again, and logins are as without TLS.

    Raises an `AssertionError` where the connector of `queue` at `url` does otherwise.
    """
    to = f"{function.url}/"
    other = make_certificates(folder / "other").ca_file
    for name, untrusting in (("system", {}), ("stranger", {"CA_FILE": str(other)})):
        connector = queue.connect(folder, name, to, url=url, env=untrusting)
        connector.until(lambda connector=connector: "certificate verify failed" in connector.text(), "said")  # type: ignore[misc]
        assert not connector.is_ready()
        assert connector.end() == 0
        assert "Traceback" not in connector.text()
    missing = queue.connect(folder, "missing", to, url=url, env={"CA_FILE": str(folder / "none.pem")})
    assert missing.wait(60) == 78
    assert f"CA_FILE={folder / 'none.pem'}: no such file" in missing.text()

    trusting = {"CA_FILE": str(ca_file)}
    refused = queue.connect(folder, "refused", to, url=url, env={**trusting, **queue.wrong_login})
    refused.until(lambda: queue.refused_login in refused.text(), "said")
    assert not refused.is_ready()
    assert refused.end() == 0
    assert "hunter2" not in refused.text()

    connector = queue.connect(folder, "trusting", to, url=url, env=trusting)
    connector.until(connector.is_ready, "ready")
    queue.publish(b"there")
    connector.until(lambda: b"there" in function.delivered(), "delivered")
    assert connector.end() == 0


OTHER_NAMES = ("sensors/+/a/#", "a/#/b", "two words..", "x" * 300)


class QueueContract:
    """Tests of a connector on the queue that a test module gives as the fixture `queue`."""

    def test_messages_are_delivered_while_connector_and_server_are_killed(
        self, queue: Queue, tmp_path: Path, function: RecordingFunction
    ) -> None:
        killed = threading.Event()

        def answer(path: str, body: bytes) -> int:
            if len(function.delivered()) >= 40:
                killed.wait(60)  # so the kill surely leaves messages
            time.sleep(0.01)
            return 200

        function.answer = answer
        queue.make()
        wanted = [b"%d" % number for number in range(300)]
        queue.publish(*wanted[:100])
        first = queue.connect(tmp_path, "connector", f"{function.url}/", "--max-in-flight", "20")
        first.until(lambda: len(function.delivered()) > 20, "20 delivered")
        first.kill()
        wait_until(lambda: queue.left() > 0, "messages that nothing has answered")
        killed.set()
        queue.publish(*wanted[100:200])
        second = queue.connect(tmp_path, "connector", f"{function.url}/", "--max-in-flight", "20")
        second.until(lambda: len(set(function.delivered())) > 120, "more delivered")
        queue.server.kill()
        queue.server.restart()
        queue.publish(*wanted[200:])
        second.until(lambda: len(set(function.delivered())) == 300, "all delivered", timeout_seconds=120)
        second.until(lambda: queue.unfinished(second) == 0, "all finished", timeout_seconds=120)
        assert second.is_ready()
        assert second.end() == 0
        queue.wait_for_left(0)
        assert set(function.delivered()) == set(wanted)

    def test_connector_goes_on_after_the_server_was_frozen(
        self, queue: Queue, tmp_path: Path, function: RecordingFunction
    ) -> None:
        """A frozen server keeps its connections open, answers nothing, and then does what it was asked meanwhile."""
        connector = queue.connect(tmp_path, "connector", f"{function.url}/")
        connector.until(connector.is_ready, "ready")
        queue.publish(b"before")
        connector.until(lambda: b"before" in function.delivered(), "delivered")
        queue.server.children[-1].signal(signal.SIGSTOP)
        try:
            time.sleep(queue.frozen_seconds)
            connector.until(lambda: not connector.is_ready(), "not ready any more")
        finally:
            queue.server.children[-1].signal(signal.SIGCONT)
        queue.publish(b"after")
        connector.until(lambda: b"after" in function.delivered(), "delivered", timeout_seconds=120)
        connector.until(connector.is_ready, "ready again")
        connector.until(lambda: queue.unfinished(connector) == 0, "all finished")
        assert connector.end() == 0
        queue.wait_for_left(0)

    def test_topic_that_the_server_refuses_keeps_no_other_from_being_delivered(
        self, queue: Queue, tmp_path: Path, function: RecordingFunction
    ) -> None:
        """Else one function with a wrong topic would stop the events of all functions of a gateway."""
        said = queue.spoil("a-spoiled-topic")
        queue.make()
        queue.publish(b"first")
        more = ["--to", f"a-spoiled-topic={function.url}/spoiled"]
        # Topics of another kind of broker: functions of one gateway may have connectors of several.
        for name in OTHER_NAMES:
            more += ["--to", f"{name}={function.url}/spoiled"]
        connector = queue.connect(tmp_path, "connector", f"{function.url}/", *more)
        connector.until(lambda: said in connector.text(), "said")
        connector.until(lambda: b"first" in function.delivered(), "delivered")
        connector.until(lambda: said in connector.ready_text(), "the readiness probe says it")
        queue.publish(b"second")
        connector.until(lambda: set(function.delivered()) == {b"first", b"second"}, "delivered")
        assert connector.end() == 0

    def test_connectors_share_a_queue_and_one_takes_over_what_a_killed_one_had(
        self, queue: Queue, tmp_path: Path, function: RecordingFunction
    ) -> None:
        other = RecordingFunction()
        function.answer = lambda path, body: 503
        to = f"{function.url}/"
        killed = queue.connect(tmp_path, "killed", to, "--attempts", "0", "--max-in-flight", "5")
        killed.until(killed.is_ready, "ready")
        # Messages about different objects do not wait for each other.
        wanted = [b'{"Key": "upload/%d"}' % number for number in range(5)]
        queue.publish(*wanted)
        killed.until(lambda: len({call.body for call in list(function.calls)}) == 5, "all five taken")
        survivor = queue.connect(tmp_path, "survivor", f"{other.url}/")
        survivor.until(survivor.is_ready, "ready")
        queue.publish(b"later")
        survivor.until(
            lambda: set(other.delivered()) == {b"later"}, "the later one delivered, and nothing of the other's"
        )
        killed.kill()
        survivor.until(lambda: len(set(other.delivered())) == 6, "all delivered")
        survivor.until(lambda: queue.unfinished(survivor) == 0, "all finished")
        assert survivor.end() == 0
        queue.wait_for_left(0)
        assert set(other.delivered()) == {*wanted, b"later"}
        other.stop()

    def test_refused_message_is_kept_and_can_be_replayed(
        self, queue: Queue, tmp_path: Path, function: RecordingFunction
    ) -> None:
        connector = queue.connect(tmp_path, "connector", f"{function.url}/strict")
        connector.until(connector.is_ready, "ready")
        refuse_and_replay(connector, tmp_path / "connector.db", function, queue.publish)
        connector.until(lambda: queue.unfinished(connector) == 0, "finished")
        assert connector.end() == 0
        queue.wait_for_left(0)

    def test_a_wrong_password_is_said(self, queue: Queue, tmp_path: Path, function: RecordingFunction) -> None:
        connector = queue.connect(tmp_path, "connector", f"{function.url}/", env=queue.wrong_login)
        connector.until(lambda: queue.refused_login in connector.text(), "said")
        assert not connector.is_ready()
        assert connector.end() == 0
        assert connector.text().count(queue.refused_login) == 1
        assert "hunter2" not in connector.text()
        assert "Traceback" not in connector.text()
