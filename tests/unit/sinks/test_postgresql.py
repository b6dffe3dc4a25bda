"""What of the PostgreSQL sink needs no server: its words, and how it is opened."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from penstock.errors import ConfigError, TemporaryError
from penstock.settings.config import Config
from penstock.settings.environment import load_config
from penstock.sinks.address import parse_sink
from penstock.sinks.postgresql import PostgresqlSink
from penstock.sinks.wiring import make_sink

from tests.components.process import free_ports

SINK = "postgresql://db.example/lake/objects"


def config(sink: str = SINK, **secrets: str) -> Config:
    return replace(load_config({"SINK": sink}, function="index"), secrets={"SINK_USERNAME": "penstock", **secrets})


def test_sink_is_opened_and_closed_without_a_server() -> None:
    sink = make_sink(config(SINK_PASSWORD="secret"), None)
    assert isinstance(sink, PostgresqlSink)
    sink.close()


def test_role_must_be_given() -> None:
    with pytest.raises(ConfigError, match="SINK_USERNAME is not set"):
        make_sink(config(SINK_USERNAME=""), None)


def test_missing_client_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("pg8000", "penstock.sinks.postgresql"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pg8000", None)
    with pytest.raises(ConfigError, match=r"pg8000 is not installed.*requirements-postgresql\.txt"):
        make_sink(config(), None)
    listed = Path(__file__).parents[3] / "functions" / "index" / "requirements-postgresql.txt"
    assert "pg8000" in listed.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sink", "warns"),
    [(SINK, False), (f"{SINK}?sslmode=disable", True), ("postgresql://127.0.0.1/l/d?sslmode=disable", False)],
)
def test_connection_without_tls_through_a_network_is_warned_of(
    sink: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        make_sink(config(sink), None)
    assert ("without TLS" in caplog.text) == warns


def test_server_that_is_not_there_is_a_temporary_error() -> None:
    (port,) = free_ports(1)
    sink = make_sink(config(f"postgresql://127.0.0.1:{port}/lake/objects?sslmode=disable"), None)
    assert sink is not None
    with pytest.raises(TemporaryError, match=r"cannot be reached.*check SINK"):
        sink.check()


def test_network_policies_see_its_server() -> None:
    assert parse_sink(SINK).url == "postgresql://db.example:5432"
    assert parse_sink("postgresql://[::1]:6432/l/d").url == "postgresql://[::1]:6432"
