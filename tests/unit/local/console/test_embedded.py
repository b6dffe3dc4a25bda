"""What the page of the local stack is told by the parts of this process."""

from collections.abc import Iterator

import pytest
from penstock.delivery.deliverer import Message
from penstock.local.console.embedded import EmbeddedSource
from penstock.local.gateway.access import Access
from penstock.types import ObjectRef

from tests.unit.local.conftest import Bench, until
from tests.unit.local.gateway.conftest import Running


@pytest.fixture(name="gateway")
def gateway_fixture(bench: Bench) -> Iterator[Running]:
    running = Running(bench, bench.functions(bench.spec(SOURCE="s3://upload/*", SINK="s3://processed/{key}")), Access())
    yield running
    running.close()


@pytest.fixture(name="source")
def source_fixture(gateway: Running) -> EmbeddedSource:
    return EmbeddedSource(
        gateway.functions,
        gateway.invocations,
        gateway.inbox,
        gateway.router,
        gateway.store,
        gateway.crashes,
        gateway.attempts,
    )


def test_the_state_is_that_of_the_parts(gateway: Running, source: EmbeddedSource) -> None:
    gateway.inbox.store_dead_letter(Message("upload/a.csv", b"{}", {}, "event", "echo"), 415, "no table")
    state = source.overview()
    assert (state["pending"], state["dead"], state["waiting"]) == (0, 1, [])
    assert (state["buckets"], state["searchable"], state["writes"]) == (["processed", "upload"], [], True)
    [echo] = state["functions"]
    assert echo == {
        "name": "echo",
        "replicas": 0,
        "starting": False,
        "in_flight": 0,
        "invocations": 0,
        "zero_after_seconds": None,
        "sources": ["s3://upload/*"],
        "sink": "s3://processed/{key}",
    }
    assert [spec.name for spec in source.specs()] == ["echo"]
    assert source.allows_writes


def test_an_object_that_is_sent_again_reaches_its_functions(gateway: Running, source: EmbeddedSource) -> None:
    source.send_again(ObjectRef("upload", "a.csv"), ["echo"])
    until(gateway.invocations.recent)
    assert [each.function for each in gateway.invocations.recent()] == ["echo"]


def test_dead_letters_are_dropped_and_brought_back(gateway: Running, source: EmbeddedSource) -> None:
    gateway.inbox.store_dead_letter(Message("upload/a.csv", b"{}", {}, "event", "echo"), 415, "no table")
    [letter] = source.dead_letters()
    assert (letter["object"], letter["reason"]) == ("upload/a.csv", "no table")
    count, name = source.drop([str(letter["id"])])
    assert (count, source.dead_letters()) == (1, [])
    assert source.restore(name) == 1


def test_a_record_of_a_function_that_is_gone_has_no_lines(source: EmbeddedSource) -> None:
    record = {"function": "gone", "incident": "", "reason": "", "key": "a", "at": 0.0, "ms": 1.0}
    assert source.explained([record]) == [record | {"lines": [], "log": "", "trace": ""}]
