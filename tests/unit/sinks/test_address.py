"""The SINK setting is parsed once; keys are put in raw; loops show from its text."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.errors import ConfigError
from penstock.settings.config import SourceRule
from penstock.sinks.address import overlap, parse_sink
from penstock.sinks.cassandra_address import CassandraAddress
from penstock.sinks.postgresql_address import PostgresqlAddress
from penstock.sinks.search_address import SearchAddress
from penstock.sinks.sqlite_address import SqliteAddress
from penstock.types import ObjectRef


@pytest.mark.parametrize(
    ("sink", "address"),
    [
        ("sqlite:///data/index.db", SqliteAddress("/data/index.db")),
        ("sqlite:index.db", SqliteAddress("index.db")),
        ("postgresql://host/lake/docs", PostgresqlAddress("host", 5432, "lake", "", "docs", True)),
        (
            "postgresql://host:6432/lake/s.docs?sslmode=disable",
            PostgresqlAddress("host", 6432, "lake", "s", "docs", False),
        ),
        ("postgresql://[::1]/l/d?sslmode=verify-full", PostgresqlAddress("::1", 5432, "l", "", "d", True)),
        ("cassandra://host/lake/docs", CassandraAddress(("host",), 9042, "lake", "docs", True)),
        ("cassandra://a.b,c:9043/l/d?tls=off", CassandraAddress(("a.b", "c"), 9043, "l", "d", False)),
        ("opensearch+http://host:9200/docs", SearchAddress("http://host:9200", "docs")),
        ("opensearch+https://host:9200/docs/", SearchAddress("https://host:9200", "docs")),
        ("elasticsearch+http://host:9200/docs", SearchAddress("http://host:9200", "docs")),
    ],
)
def test_index_is_read(sink: str, address: object) -> None:
    assert parse_sink(sink) == address


@pytest.mark.parametrize(
    "sink",
    [
        "",
        "processed",
        "s3://",
        "s3://processed",
        "s3://processed/",
        "s3://processed/all.gz",
        "s3://processed/{name}",
        "s3://processed/{key}/{}",
        "s3:///{key}",
        "s3:processed/{key}",
        "s3://processed//{key}",
        "s3://processed/a//{key}",
        "s3://processed/../{key}",
        "s3://processed/.penstock/{key}",
        "file:///tmp/{key}",
        "sqlite://",
        "sqlite://data/index.db",
        "s3://processed/{key}/",
        "s3://a/{key}",
        "s3://Processed/{key}",
        "s3://my_bucket/{key}",
        "opensearch+http://host:9200",
        "opensearch+http://host:9200/a/b",
        "opensearch+ftp://host/a",
        "opensearch+http:///a",
        "opensearch+http://host:port/a",
        "cassandra://host/lake",
        "cassandra://host/lake/",
        "cassandra:///lake/docs",
        "cassandra://a,,b/lake/docs",
        "cassandra://a:9042,b:9042/lake/docs",
        "cassandra://host:port/lake/docs",
        "cassandra://host/lake/docs/more",
        "cassandra://host/lake/Docs",
        "cassandra://host/1/docs",
        "cassandra://host/lake/" + "d" * 49,
        "cassandra://host/lake/docs?tls=maybe",
        "cassandra://host/lake/docs#a",
        "postgresql://host/lake",
        "postgresql://host/lake/",
        "postgresql:///lake/docs",
        "postgresql://host:port/lake/docs",
        "postgresql://host/lake/docs/more",
        "postgresql://host/lake/Docs",
        "postgresql://host/lake/a.b.c",
        'postgresql://host/lake/docs"; --',
        "postgresql://host/lake/" + "d" * 49,
        "postgresql://host/lake/docs?sslmode=require",
        "postgresql://host/lake/docs?user=me",
        "postgresql://host/lake/docs#a",
    ],
)
def test_sink_that_cannot_work_is_refused_with_what_is_accepted(sink: str) -> None:
    with pytest.raises(ConfigError, match=r"^SINK"):
        parse_sink(sink)


@pytest.mark.parametrize("url", ["opensearch+http://admin:hunter2@host:9200/docs", "postgresql://me:hunter2@host/l/d"])
def test_credentials_in_the_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="SINK_USERNAME and SINK_PASSWORD") as caught:
        parse_sink(url)
    assert "hunter2" not in str(caught.value)


# Loops

_TEXT = st.text("ab./", max_size=4)


@given(_TEXT, _TEXT, _TEXT, _TEXT, st.text("ab./", max_size=8))
def test_rules_that_share_a_key_overlap(prefix: str, suffix: str, prefix2: str, suffix2: str, key: str) -> None:
    one, other = SourceRule("upload", prefix, suffix), SourceRule("upload", prefix2, suffix2)
    ref = ObjectRef("upload", key)
    if one.matches(ref) and other.matches(ref):
        assert overlap(one, other)


@pytest.mark.parametrize(
    ("sink", "kept_out"),
    [
        (
            "s3://processed/{key}",
            ["sqlite3", "urllib3", "orjson", "penstock.sinks.sqlite_address", "importlib.metadata"],
        ),
        ("sqlite:///data/index.db", ["sqlite3", "orjson", "penstock.sinks.bucket", "penstock.sinks.sqlite"]),
        (
            "opensearch+http://host:9200/docs",
            ["urllib3", "orjson", "penstock.sinks.bucket", "penstock.sinks.opensearch"],
        ),
    ],
)
def test_reading_a_sink_imports_no_other_and_not_what_only_the_open_one_needs(sink: str, kept_out: list[str]) -> None:
    code = (
        "import sys; from penstock.settings.environment import load_config; from penstock.sinks.wiring import *; "
        f"contradictions(load_config({{'SINK': {sink!r}}}, function='f'), has_store=True); "
        "print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "penstock.sinks.address" in found
    assert set(kept_out) & set(found) == set()
