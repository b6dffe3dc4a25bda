"""The AMQP connector on a real RabbitMQ: kill, restart, freeze, redelivery, dead letters, strangers' messages, TLS."""

from __future__ import annotations

import io
import json
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pika
import pytest
from penstock.connect.amqp.broker import AmqpBroker
from penstock.connect.amqp.session import AmqpSession
from penstock.connect.queues import Settlement

from tests.components import MinioServer, RabbitServer
from tests.integration.connect_helpers import QUICK, Penstock, RecordingFunction, dlq, letters

QUEUE = "lake.upload"
# As the connector makes it. A broker refuses a declaration that differs from the queue that is there.
QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": 2**31 - 1}
FROZEN_SECONDS = 20.0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    with RabbitServer(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


@pytest.fixture
def server(node: RabbitServer) -> RabbitServer:
    """The one broker of these tests, without a queue."""
    with closing(client(node)) as connection:
        connection.channel().queue_delete(QUEUE)
    return node


def client(server: RabbitServer) -> Any:
    return pika.BlockingConnection(pika.ConnectionParameters(server.endpoint.host, server.endpoint.port))


def make_queue(server: RabbitServer, **arguments: Any) -> None:
    with closing(client(server)) as connection:
        connection.channel().queue_declare(QUEUE, durable=True, arguments=arguments or QUORUM)


def publish(server: RabbitServer, *payloads: bytes, exchange: str = "") -> None:
    """Publish as MinIO does: to disk, and each confirmed."""
    with closing(client(server)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for payload in payloads:
            kept = pika.BasicProperties(delivery_mode=2)
            channel.basic_publish(exchange, QUEUE, payload, kept, mandatory=True)


def left(server: RabbitServer) -> int:
    """Messages that no function has answered finally, once no connector has them."""
    with closing(client(server)) as connection:
        return int(connection.channel().queue_declare(QUEUE, passive=True).method.message_count)


def wait_for(condition: Callable[[], bool]) -> None:
    """Poll until it is so; the limit only ends a test that has failed."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def connect(
    server: RabbitServer, folder: Path, name: str, to: str, *more: str, url: str = "", env: dict[str, str] | None = None
) -> Penstock:
    """A connector with an inbox of its own; it logs in as guest."""
    return Penstock(
        name, folder, "connect", "amqp", "--url", url or f"amqp://{server.endpoint.address}", "--to", f"{QUEUE}={to}",
        "--inbox", str(folder / f"{name}.db"), *QUICK, *more, env=env,
    )  # fmt: skip


def unacknowledged(connector: Penstock) -> int:
    """What the connector's own gauge says."""
    with urllib.request.urlopen(f"http://{connector.address}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return int(float(next(line.split()[1] for line in lines if line.startswith("penstock_amqp_unacknowledged"))))


def test_messages_are_delivered_while_connector_and_server_are_killed(
    server: RabbitServer, tmp_path: Path, function: RecordingFunction
) -> None:
    def answer(path: str, body: bytes) -> int:
        time.sleep(0.01)
        return 200

    function.answer = answer
    make_queue(server)
    wanted = [b"%d" % number for number in range(300)]
    publish(server, *wanted[:100])
    first = connect(server, tmp_path, "connector", f"{function.url}/", "--max-in-flight", "20")
    first.until(lambda: len(function.delivered()) > 20, "20 delivered")
    first.kill()
    publish(server, *wanted[100:200])
    second = connect(server, tmp_path, "connector", f"{function.url}/", "--max-in-flight", "20")
    second.until(lambda: len(set(function.delivered())) > 120, "more delivered")
    server.kill()
    server.restart()
    publish(server, *wanted[200:])
    second.until(lambda: len(set(function.delivered())) == 300, "all delivered", timeout_seconds=120)
    second.until(lambda: unacknowledged(second) == 0, "all acknowledged", timeout_seconds=120)
    second.until(second.is_ready, "ready")
    assert second.end() == 0
    assert left(server) == 0
    assert set(function.delivered()) == set(wanted)


def test_connector_goes_on_after_the_server_was_frozen(
    server: RabbitServer, tmp_path: Path, function: RecordingFunction
) -> None:
    """A frozen server keeps its connections open and answers nothing."""
    connector = connect(server, tmp_path, "connector", f"{function.url}/")
    connector.until(connector.is_ready, "ready")
    publish(server, b"before")
    connector.until(lambda: function.delivered() == [b"before"], "delivered")
    server.children[-1].signal(signal.SIGSTOP)
    try:
        time.sleep(FROZEN_SECONDS)
        connector.until(lambda: not connector.is_ready(), "not ready any more")
    finally:
        server.children[-1].signal(signal.SIGCONT)
    publish(server, b"after")
    connector.until(lambda: b"after" in function.delivered(), "delivered", timeout_seconds=120)
    connector.until(connector.is_ready, "ready again")
    connector.until(lambda: unacknowledged(connector) == 0, "all acknowledged")
    assert connector.end() == 0
    assert left(server) == 0


def test_unanswered_message_comes_again_however_often_it_came_before(
    server: RabbitServer, tmp_path: Path, function: RecordingFunction
) -> None:
    """The connector makes the queue, so that no limit of deliveries drops a message."""
    # Messages about different objects do not wait for each other.
    stuck, fine = (b'{"Key": "upload/%s"}' % name for name in (b"stuck", b"fine"))
    function.answer = lambda path, body: 503 if body == stuck else 200
    first = connect(server, tmp_path, "connector", f"{function.url}/", "--attempts", "0")
    first.until(first.is_ready, "ready")
    publish(server, stuck, fine)
    first.until(lambda: function.delivered() == [fine], "the other delivered")
    first.until(lambda: stuck in [call.body for call in list(function.calls)], "the stuck one refused")
    assert first.end() == 0
    assert left(server) == 1
    for _ in range(30):
        with closing(client(server)) as connection:
            channel = connection.channel()
            found, _properties, body = channel.basic_get(QUEUE)
            while found is None:  # what a connection that was closed had comes back a moment later
                found, _properties, body = channel.basic_get(QUEUE)
            assert body == stuck
    function.answer = lambda path, body: 200
    second = connect(server, tmp_path, "connector", f"{function.url}/")
    second.until(lambda: stuck in function.delivered(), "the stuck one delivered")
    assert second.end() == 0
    assert left(server) == 0
    assert function.calls[0].headers["x-topic"] == QUEUE


def test_connectors_share_a_queue_and_one_takes_over_what_a_killed_one_had(
    server: RabbitServer, tmp_path: Path, function: RecordingFunction
) -> None:
    other = RecordingFunction()
    function.answer = lambda path, body: 503
    killed = connect(server, tmp_path, "killed", f"{function.url}/", "--attempts", "0", "--max-in-flight", "5")
    killed.until(killed.is_ready, "ready")
    wanted = [b'{"Key": "upload/%d"}' % number for number in range(5)]
    publish(server, *wanted)
    killed.until(lambda: len({call.body for call in list(function.calls)}) == 5, "all five taken")
    survivor = connect(server, tmp_path, "survivor", f"{other.url}/")
    survivor.until(survivor.is_ready, "ready")
    publish(server, b"later")
    survivor.until(lambda: other.delivered() == [b"later"], "the later one delivered, and nothing of the other's")
    killed.kill()
    survivor.until(lambda: len(set(other.delivered())) == 6, "all delivered")
    survivor.until(lambda: unacknowledged(survivor) == 0, "all acknowledged")
    assert survivor.end() == 0
    assert left(server) == 0
    assert sorted(other.delivered()) == sorted([*wanted, b"later"])
    other.stop()


def test_strangers_messages_become_dead_letters_that_can_be_replayed(
    server: RabbitServer, tmp_path: Path, function: RecordingFunction
) -> None:
    """A function refuses what is not an event; each is kept with the answer, and the events go on."""
    function.answer = lambda path, body: 200 if b'"Records"' in body else 400
    strangers = [b"", b"hello", b"\xff\xfe\x00", b"[]", b'{"Key": {"a": []}}', b"[" * 20_000, b"x" * 200_000]
    events = [b'{"Key": "upload/%d", "Records": []}' % number for number in range(2)]
    connector = connect(server, tmp_path, "connector", f"{function.url}/strict")
    connector.until(connector.is_ready, "ready")
    publish(server, *strangers[:3], events[0], *strangers[3:], events[1])
    connector.until(lambda: len(function.calls) == 9 and unacknowledged(connector) == 0, "all answered")
    inbox = tmp_path / "connector.db"
    kept = letters(inbox)
    assert sorted(function.delivered("/strict")) == events
    assert len(kept) == len(strangers)
    assert {(letter["code"], letter["target"], letter["data"]) for letter in kept} == {(400, "strict", "answer")}
    function.answer = lambda path, body: 200
    assert dlq(inbox, "replay", kept[0]["id"]) == "1 replayed\n"
    connector.until(lambda: len(function.delivered("/strict")) == 3, "replayed")
    assert connector.end() == 0
    assert left(server) == 0


def test_a_queue_that_was_removed_is_made_again_and_bound(
    server: RabbitServer, tmp_path: Path, function: RecordingFunction
) -> None:
    with closing(client(server)) as connection:
        connection.channel().exchange_delete("lake")
    words = ("--exchange", "lake", "--exchange-type", "topic")
    connector = connect(server, tmp_path, "connector", f"{function.url}/", *words)
    connector.until(connector.is_ready, "ready")
    publish(server, b"there", exchange="lake")
    connector.until(lambda: function.delivered() == [b"there"], "delivered")
    make_queue(server)  # the same arguments: another declaration would be refused
    with closing(client(server)) as connection:
        connection.channel().exchange_declare("lake", "topic", durable=True)
        connection.channel().queue_delete(QUEUE)
    connector.until(lambda: f"queue {QUEUE}: it was removed" in connector.text(), "said")
    connector.until(connector.is_ready, "ready with a new queue")
    publish(server, b"again", exchange="lake")
    connector.until(lambda: function.delivered() == [b"there", b"again"], "delivered")
    assert connector.end() == 0


def test_a_queue_that_is_there_is_taken_as_it_is_and_a_stream_is_refused(
    server: RabbitServer, tmp_path: Path, function: RecordingFunction
) -> None:
    make_queue(server, **{"x-queue-type": "stream"})
    publish(server, b"before")
    connector = connect(server, tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: f"queue {QUEUE} is a stream" in connector.text(), "said")
    assert not connector.is_ready()
    with closing(client(server)) as connection:
        connection.channel().queue_delete(QUEUE)
        connection.channel().queue_declare(QUEUE, durable=True, arguments={"x-max-priority": 3})
    publish(server, b"classic")
    connector.until(lambda: function.delivered() == [b"classic"], "delivered")
    connector.until(connector.is_ready, "ready")
    assert connector.end() == 0


def test_tls_is_spoken_with_a_private_authority(
    server: RabbitServer, tmp_path: Path, function: RecordingFunction
) -> None:
    url = f"amqps://{server.endpoint.host}:{server.tls_port}"
    stranger = connect(server, tmp_path, "stranger", f"{function.url}/", url=url)
    stranger.until(lambda: "certificate verify failed" in stranger.text(), "said")
    assert stranger.end() == 0
    connector = connect(
        server, tmp_path, "connector", f"{function.url}/", url=url, env={"CA_FILE": str(server.ca_file)}
    )
    connector.until(connector.is_ready, "ready")
    publish(server, b"there")
    connector.until(lambda: function.delivered() == [b"there"], "delivered")
    assert connector.end() == 0


def test_a_connector_that_was_frozen_past_its_heartbeats_goes_on(
    server: RabbitServer, tmp_path: Path, function: RecordingFunction
) -> None:
    """The broker ends its connection, and gives what it had to another one."""
    other = RecordingFunction()
    function.answer = lambda path, body: 503
    frozen = connect(server, tmp_path, "frozen", f"{function.url}/", "--attempts", "0")
    frozen.until(frozen.is_ready, "ready")
    publish(server, b"held")
    frozen.until(lambda: len(function.calls) > 0, "tried")
    frozen.signal(signal.SIGSTOP)
    taker = connect(server, tmp_path, "taker", f"{other.url}/")
    taker.until(lambda: other.delivered() == [b"held"], "taken over", timeout_seconds=120)
    assert taker.end() == 0
    function.answer = lambda path, body: 200
    frozen.signal(signal.SIGCONT)
    publish(server, b"later")
    frozen.until(lambda: b"later" in function.delivered(), "delivered")
    frozen.until(lambda: unacknowledged(frozen) == 0, "all acknowledged")
    assert frozen.end() == 0
    assert left(server) == 0
    other.stop()


def test_a_channel_that_the_broker_closes_is_noticed(tmp_path: Path, function: RecordingFunction) -> None:
    """The broker closes it when a message is not acknowledged within its consumer_timeout, in milliseconds."""
    function.answer = lambda path, body: 503
    config = "{consumer_timeout, 2000}, {channel_tick_interval, 1000}"
    with RabbitServer(tmp_path / "rabbitmq", config=config) as server:
        connector = connect(server, tmp_path, "connector", f"{function.url}/", "--attempts", "0")
        connector.until(connector.is_ready, "ready")
        publish(server, b"long")
        connector.until(lambda: "perhaps by its consumer_timeout" in connector.text(), "said")
        function.answer = lambda path, body: 200
        connector.until(lambda: b"long" in function.delivered(), "delivered")
        connector.until(lambda: unacknowledged(connector) == 0, "acknowledged")
        assert connector.end() == 0
        assert left(server) == 0


def test_the_queues_change_and_what_is_under_way_is_still_acknowledged(server: RabbitServer) -> None:
    """The session alone: one message of the old queue waits while the queues become others; prefetch bounds each."""
    with closing(client(server)) as connection:
        connection.channel().queue_delete("lake.second")
    taken: dict[str, list[tuple[bytes, Settlement]]] = {QUEUE: [], "lake.second": []}
    broker = AmqpBroker(server.endpoint.host, server.endpoint.port)

    def arrived(topic: str, body: bytes, _origin: str, receipt: Settlement) -> None:
        taken[topic].append((body, receipt))

    session = AmqpSession(broker, 4, arrived, lambda _: None)
    session.start([QUEUE])
    wait_for(lambda: session.joined)
    publish(server, *(b"%d" % number for number in range(10)))
    wait_for(lambda: len(taken[QUEUE]) == 4)
    session.subscribe(["lake.second"])
    wait_for(lambda: session.joined)
    for _, receipt in taken[QUEUE]:
        receipt.begin(0)
    wait_for(lambda: session.unsettled == 0)
    with closing(client(server)) as connection:
        connection.channel().basic_publish("", "lake.second", b"new")
    wait_for(lambda: len(taken["lake.second"]) == 1)
    session.end()
    assert [body for body, _ in taken[QUEUE]] == [b"0", b"1", b"2", b"3"]
    assert left(server) == 6


@pytest.mark.parametrize(
    ("path", "password", "expected"),
    [
        ("", "hunter2", "refused the login; check AMQP_USERNAME and AMQP_PASSWORD"),
        ("/nowhere", "guest", "refused the virtual host 'nowhere'; check the path of AMQP_URL"),
    ],
)
def test_what_the_broker_refuses_is_said(
    server: RabbitServer, tmp_path: Path, function: RecordingFunction, path: str, password: str, expected: str
) -> None:
    url = f"amqp://{server.endpoint.address}{path}"
    env = {"AMQP_USERNAME": "guest", "AMQP_PASSWORD": password}
    connector = connect(server, tmp_path, "connector", f"{function.url}/", url=url, env=env)
    connector.until(lambda: expected in connector.text(), "said")
    assert not connector.is_ready()
    assert connector.end() == 0
    assert connector.text().count(expected) == 1
    assert "hunter2" not in connector.text()
    assert "Traceback" not in connector.text()


def test_the_first_event_of_a_store_arrives(
    server: RabbitServer, minio: MinioServer, tmp_path: Path, function: RecordingFunction, unique_name: str
) -> None:
    told = minio.endpoint
    env = {
        "MINIO_ENDPOINT": told.url, "MINIO_ACCESS_KEY": told.access_key, "MINIO_SECRET_KEY": told.secret_key,
        "MINIO_QUEUE_DIR": str(tmp_path / "queue"), "AMQP_TARGET": f"amqp://guest:guest@{server.endpoint.address}/",
    }  # fmt: skip
    lake = tmp_path / "lake.yml"
    lake.write_text(
        f"name: {unique_name}\nqueue_dir: {tmp_path / 'queue'}\nbuckets:\n  {unique_name}:\ntargets:\n  amqp:\n"
        f"    type: amqp\n    id: {unique_name}\n    url: {{env: AMQP_TARGET}}\n    exchange: {unique_name}\n"
        f"    exchange_type: direct\n    routing_key: {QUEUE}\nrules:\n  - {{bucket: {unique_name}, target: amqp}}\n",
        encoding="utf-8",
    )
    applied = Penstock("lake", tmp_path, "lake", "apply", "--file", str(lake), env=env)
    assert applied.wait(120) == 0, applied.text()
    connector = connect(server, tmp_path, "connector", f"{function.url}/", "--exchange", unique_name)
    connector.until(connector.is_ready, "ready")
    minio.endpoint.client().put_object(unique_name, "a b+日.csv", io.BytesIO(b"x"), 1)
    connector.until(lambda: len(function.delivered()) == 1, "delivered")
    assert connector.end() == 0
    [call] = function.calls
    body = json.loads(call.body)
    assert call.headers["x-topic"] == QUEUE
    assert (body["EventName"], body["Key"]) == ("s3:ObjectCreated:Put", f"{unique_name}/a b+日.csv")
