"""The index sink on a Cassandra of three nodes: what is left of it answers, and no document is lost with a node."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from penstock import Context, Event, Result
from penstock.errors import TemporaryError
from penstock.reconcile.engine import reconcile
from penstock.sinks.address import parse_sink
from penstock.sinks.cassandra import CassandraSink
from penstock.sinks.cassandra_address import CassandraAddress
from penstock.types import ObjectRef

from tests.components import CassandraCluster, CassandraEndpoint
from tests.functional.test_app import serve
from tests.lake import Lake
from tests.store_contract import write
from tests.waiting import wait_until

KEYS = [f"{number:03}.txt" for number in range(120)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CassandraCluster]:
    with CassandraCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.endpoint.run(
            "CREATE KEYSPACE lake WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
        )
        yield cluster


def open_sink(endpoint: CassandraEndpoint, table: str, **settings: Any) -> CassandraSink:
    address = parse_sink(f"{endpoint.url}/lake/{table}?tls=off")
    assert isinstance(address, CassandraAddress)
    given = {"username": endpoint.username, "password": endpoint.password, "timeout_seconds": 20, **settings}
    return CassandraSink(address, **given)


def words(event: Event[Any], _context: Context[Any]) -> Result:
    return Result({"text": b"".join(event.body).decode()})


def tell(functions: Any, key: str) -> None:
    """Deliver the event as a connector does: again and again until the function has taken it."""
    event = {"bucket": "upload", "key": key}
    statuses: list[int] = []

    def is_taken() -> bool:
        statuses.append(functions.post("/event", json=event).status_code)
        return statuses[-1] == 200

    wait_until(is_taken, f"{key} is indexed")
    assert set(statuses) <= {200, 503}, "a node that is gone refuses no object for good"


def read_text(sink: CassandraSink, key: str) -> str:
    """The document's text, once there is an answer: a node may think another one down that is back."""
    found: list[dict[str, Any] | None] = []

    def is_answered() -> bool:
        found.append(sink.document("upload", key))
        return True

    wait_until(is_answered, f"an answer about {key}")
    document = found[-1]
    assert document is not None, f"{key} is lost"
    return str(document["text"])


def test_nodes_killed_while_events_come_lose_no_document(cluster: CassandraCluster, unique_name: str) -> None:
    table = unique_name.replace("-", "_")[:48]
    with contextlib.closing(open_sink(cluster.endpoint, table)) as sink:
        sink.check()
        lake = Lake(words, sink=sink, function="index")
        functions = serve(lake)
        for key in KEYS:
            write(lake.store, ObjectRef("upload", key), key.encode())
        begun = threading.Barrier(5)

        def work(number: int) -> None:
            for place, key in enumerate(KEYS[number::4]):
                if place == 5:
                    begun.wait(120)
                tell(functions, key)

        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(work, number) for number in range(4)]
            begun.wait(120)
            cluster.children[0].kill()
            for each in running:
                each.result()

        # Two of three replicas are a quorum, for transactions, reads and listings.
        write(lake.store, ObjectRef("upload", KEYS[0]), b"changed")
        tell(functions, KEYS[0])
        assert [ref.key for ref, _ in sink.entries("upload")] == KEYS

        # One is not: nothing is taken for absent, written or refused for good.
        cluster.children[1].kill()
        for ask in (lambda: sink.document("upload", KEYS[1]), lambda: list(sink.entries("upload"))):
            with pytest.raises(TemporaryError):
                ask()
        answer = functions.post("/event", json={"bucket": "upload", "key": KEYS[1]})
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)

        # Back with two others: what was written without the first node is read by a quorum of which it is a part.
        cluster.start_nodes(0, 1)
        cluster.children[2].kill()
        texts = {key: read_text(sink, key) for key in KEYS}
        assert texts == {key: "changed" if key == KEYS[0] else key for key in KEYS}
        wait_until(lambda: reconcile(lake.runtime, check=True).found == {"agreeing": len(KEYS)})

    # A start needs any one of the hosts that SINK names.
    *_, last = cluster.hosts
    for endpoint in (replace(cluster.endpoint, host=last, others=cluster.hosts[:2]), cluster.endpoint):
        with contextlib.closing(open_sink(endpoint, table)) as sink:
            sink.check()
    only = replace(cluster.endpoint, host=last, others=())
    with contextlib.closing(open_sink(only, table)) as sink, pytest.raises(TemporaryError):
        sink.check()
