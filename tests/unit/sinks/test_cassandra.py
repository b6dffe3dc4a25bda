"""What of the Cassandra sink needs no server: how it is opened, and what it says without one."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cassandra.cluster import Cluster
from cassandra.connection import ConnectionShutdown
from cassandra.protocol import OverloadedErrorMessage, ServerError
from penstock.errors import ConfigError, TemporaryError
from penstock.settings.config import Config
from penstock.settings.environment import load_config
from penstock.sinks.address import parse_sink
from penstock.sinks.cassandra import CassandraSink
from penstock.sinks.wiring import make_sink
from penstock.types import Mark, ObjectRef, ObjectState, Result, Write

from tests.components.process import free_ports

SINK = "cassandra://db.example/lake/objects"


def config(sink: str = SINK) -> Config:
    return replace(load_config({"SINK": sink}, function="index"), secrets={"SINK_USERNAME": "penstock"})


def test_sink_is_opened_and_closed_without_a_server() -> None:
    sink = make_sink(config(), None)
    assert isinstance(sink, CassandraSink)
    sink.close()


def test_address_names_its_server_and_its_secrets() -> None:
    address = parse_sink("cassandra://a,b/lake/objects")
    assert (address.url, address.secrets) == ("cassandra://a:9042", ("SINK_USERNAME", "SINK_PASSWORD"))
    assert not address.is_searchable


def test_missing_client_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in sys.modules if name in ("penstock.sinks.cassandra", "penstock.sinks.cassandra_table")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cassandra", None)
    with pytest.raises(ConfigError, match=r"cassandra is not installed.*requirements-cassandra\.txt"):
        make_sink(config(), None)
    listed = Path(__file__).parents[3] / "functions" / "index" / "requirements-cassandra.txt"
    assert "cassandra-driver" in listed.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sink", "warns"),
    [(SINK, False), (f"{SINK}?tls=off", True), ("cassandra://127.0.0.1/l/d?tls=off", False)],
)
def test_connection_without_tls_through_a_network_is_warned_of(
    sink: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        make_sink(config(sink), None)
    assert ("without TLS" in caplog.text) == warns


def test_server_that_is_not_there_is_a_temporary_error() -> None:
    (port,) = free_ports(1)
    sink = make_sink(config(f"cassandra://127.0.0.1:{port}/lake/objects?tls=off"), None)
    assert sink is not None
    with pytest.raises(TemporaryError, match=r"check SINK"):
        sink.check()


LOST: list[Exception] = [
    ConnectionShutdown("[Errno 104] Connection reset by peer"),
    OverloadedErrorMessage(4097, "overloaded", None),
    ServerError(0, "java.lang.RuntimeException", None),
]


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: type(lost).__name__)
def test_what_the_driver_raises_without_a_base_of_its_own_is_a_temporary_error(
    lost: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(_cluster: Cluster) -> None:
        raise lost

    monkeypatch.setattr(Cluster, "connect", connect)
    sink = make_sink(config("cassandra://127.0.0.1/lake/objects?tls=off"), None)
    assert sink is not None
    with pytest.raises(TemporaryError, match="no answer in time"):
        sink.check()
    source = ObjectState(ObjectRef("upload", "a"), 1, "e1")
    write = Write("upload/a", Result({"kind": "a"}), Mark("s", "index", "o", "d"), source, None)
    [outcome] = sink.write_many([write])
    assert isinstance(outcome, TemporaryError)
