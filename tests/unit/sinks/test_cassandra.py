"""What of the Cassandra sink needs no server: how it is opened, and what the driver's errors mean."""

from __future__ import annotations

import contextlib
import logging
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cassandra import (
    AuthenticationFailed,
    ConsistencyLevel,
    InvalidRequest,
    OperationTimedOut,
    Unauthorized,
    Unavailable,
    WriteTimeout,
    WriteType,
)
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionShutdown
from penstock.errors import ConfigError, PermanentError, TemporaryError
from penstock.settings.config import Config
from penstock.settings.environment import load_config
from penstock.sinks.address import parse_sink
from penstock.sinks.cassandra import CassandraSink
from penstock.sinks.cassandra_address import CassandraAddress
from penstock.sinks.cassandra_table import CassandraTable, OutcomeUnknown
from penstock.sinks.wiring import make_sink
from penstock.types import ObjectRef

from tests.components.process import free_ports

SINK = "cassandra://db.example,db2.example/lake/objects"


def config(sink: str = SINK, **secrets: str) -> Config:
    return replace(load_config({"SINK": sink}, function="index"), secrets=secrets)


def test_sink_is_opened_and_closed_without_a_server() -> None:
    sink = make_sink(config(SINK_USERNAME="penstock", SINK_PASSWORD="secret"), None)
    assert isinstance(sink, CassandraSink)
    assert sink.address(ObjectRef("upload", "a/b"), None) == "upload/a/b"
    with pytest.raises(PermanentError, match="RENDITIONS"):
        sink.address(ObjectRef("upload", "a/b"), "small")
    sink.close()


@pytest.mark.parametrize("given", ["SINK_USERNAME", "SINK_PASSWORD"])
def test_half_of_a_login_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="set SINK_USERNAME and SINK_PASSWORD together"):
        make_sink(config(**{given: "hunter2"}), None)


def test_missing_client_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("cassandra.", "penstock.sinks.cassandra"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cassandra", None)
    with pytest.raises(ConfigError, match=r"cassandra is not installed.*requirements-cassandra\.txt"):
        make_sink(config(), None)
    listed = Path(__file__).parents[3] / "functions" / "index" / "requirements-cassandra.txt"
    assert "cassandra-driver" in listed.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sink", "warns"),
    [(SINK, False), (f"{SINK}?tls=off", True), ("cassandra://127.0.0.1,[::1]/l/d?tls=off", False)],
)
def test_connection_without_tls_through_a_network_is_warned_of(
    sink: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        make_sink(config(sink, SINK_USERNAME="penstock", SINK_PASSWORD="hunter2"), None)
    assert ("documents and the password go to" in caplog.text) == warns
    assert "hunter2" not in caplog.text


def test_server_that_is_not_there_is_a_temporary_error() -> None:
    (port,) = free_ports(1)
    sink = make_sink(config(f"cassandra://127.0.0.1:{port}/lake/objects?tls=off"), None)
    assert isinstance(sink, CassandraSink)
    with contextlib.closing(sink), pytest.raises(TemporaryError, match=r"cannot be reached.*check SINK"):
        sink.check()


def test_network_policies_see_its_server() -> None:
    assert parse_sink(SINK).url == "cassandra://db.example:9042"
    assert parse_sink("cassandra://[::1]:9142/l/d").url == "cassandra://[::1]:9142"


def no_host(*causes: Exception) -> NoHostAvailable:
    return NoHostAvailable("Unable to complete", {str(number): cause for number, cause in enumerate(causes)})


UNAVAILABLE = Unavailable("no quorum", ConsistencyLevel.QUORUM, 2, 1)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (OperationTimedOut(), OutcomeUnknown, "cannot be reached in time"),
        (WriteTimeout("time-out", write_type=WriteType.CAS), OutcomeUnknown, "too few replicas answered"),
        (ConnectionShutdown("lost"), OutcomeUnknown, "lost"),
        (no_host(ConnectionShutdown("lost")), OutcomeUnknown, "lost"),
        (no_host(UNAVAILABLE, ConnectionShutdown("lost")), OutcomeUnknown, "lost"),
        (no_host(), OutcomeUnknown, "Unable to complete"),
        (no_host(UNAVAILABLE), TemporaryError, "too few replicas"),
        (UNAVAILABLE, TemporaryError, "too few replicas"),
        (no_host(AuthenticationFailed("refused")), TemporaryError, "check SINK_USERNAME and SINK_PASSWORD"),
        (Unauthorized("no right"), TemporaryError, "SELECT and MODIFY on the table"),
        (InvalidRequest("Keyspace 'lake' doesn't exist"), TemporaryError, "create the keyspace"),
        (InvalidRequest("unconfigured table objects"), TemporaryError, "was dropped"),
        (InvalidRequest("Undefined column name body"), TemporaryError, "Undefined column name"),
    ],
)
def test_error_says_whether_the_outcome_is_known(error: Exception, kind: type[TemporaryError], says: str) -> None:
    """Only what was surely not done is told so; all else is looked at again."""
    address = parse_sink(SINK)
    assert isinstance(address, CassandraAddress)
    table = CassandraTable(address, username="", password="", ca_file=None, name="test", timeout_seconds=1)
    meaning = table._meaning(error)
    assert type(meaning) is kind
    assert says in str(meaning)
    assert "lake.objects" in str(meaning)
