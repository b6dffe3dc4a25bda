"""The SINK setting is parsed once; keys are put in raw; loops show from its text."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.errors import ConfigError
from penstock.settings.config import Config, SourceRule, StoreSettings
from penstock.sinks.address import overlap, parse_sink
from penstock.sinks.bucket_address import BucketAddress
from penstock.sinks.postgresql_address import PostgresqlAddress
from penstock.sinks.search_address import SearchAddress
from penstock.sinks.sqlite_address import SqliteAddress
from penstock.sinks.wiring import make_sink, refuse_loops
from penstock.types import ObjectRef

STORE = StoreSettings("http://127.0.0.1:9", "a", "b")


def bucket(text: str) -> BucketAddress:
    address = parse_sink(text)
    assert isinstance(address, BucketAddress)
    return address


@pytest.mark.parametrize(
    ("sink", "key", "target"),
    [
        ("s3://processed/{key}", "a/b.csv", "a/b.csv"),
        ("s3://processed/{key}.gz", "a/b.csv", "a/b.csv.gz"),
        ("s3://processed/{stem}.webp", "a.b/c.d.jpg", "a.b/c.d.webp"),
        ("s3://processed/{stem}.webp", "a.b/noext", "a.b/noext.webp"),
        ("s3://processed/{stem}.webp", ".hidden", ".hidden.webp"),
        ("s3://processed/{bucket}/{rendition}/{key}", "a", "upload/thumb/a"),
        ("s3://processed/out/{key}", "{bucket}{key}{rendition}", "out/{bucket}{key}{rendition}"),
        ("s3://processed/{key}", "100%+a b?#&日本\n", "100%+a b?#&日本\n"),
    ],
)
def test_raw_key_goes_into_the_template(sink: str, key: str, target: str) -> None:
    assert bucket(sink).of(ObjectRef("upload", key), "thumb") == ObjectRef("processed", target)


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
_TEMPLATES = st.lists(
    st.sampled_from(["{key}", "{stem}", "{bucket}", "{rendition}", "a", "b/", ".gz", "-"]), max_size=4
)


@given(_TEXT, _TEXT, _TEXT, _TEMPLATES)
def test_what_a_sink_may_write_is_never_drawn_too_narrow(
    prefix: str, middle: str, suffix: str, template: list[str]
) -> None:
    rule = SourceRule("upload", prefix, suffix)
    source = ObjectRef("upload", prefix + middle + suffix)
    try:
        address = bucket("s3://processed/" + "".join(template))
    except ConfigError:
        return
    target = address.of(source, "thumb")
    assert address.outputs_of(rule).matches(target), (rule, source, target)


@given(_TEXT, _TEXT, _TEXT, _TEXT, st.text("ab./", max_size=8))
def test_rules_that_share_a_key_overlap(prefix: str, suffix: str, prefix2: str, suffix2: str, key: str) -> None:
    one, other = SourceRule("upload", prefix, suffix), SourceRule("upload", prefix2, suffix2)
    ref = ObjectRef("upload", key)
    if one.matches(ref) and other.matches(ref):
        assert overlap(one, other)


@given(_TEXT, _TEXT, _TEXT, _TEMPLATES)
def test_source_of_a_target_is_among_the_keys_it_can_come_from(
    prefix: str, middle: str, suffix: str, template: list[str]
) -> None:
    """Reconcile finds the source of an orphaned target by this."""
    try:
        address = bucket("s3://processed/" + "".join(template))
    except ConfigError:
        return
    key = prefix + middle + suffix
    target = address.of(ObjectRef("upload", key), "thumb")
    if [part for part in address.parts if part[0] == "slot"] == [("slot", "key")]:
        assert list(address.keys_of(target.key, {suffix, ""}, bucket="upload")) == [key]


@pytest.mark.parametrize("template", ["{bucket}-{key}", "{bucket}/{rendition}-{key}", "{rendition}-{bucket}-{key}.gz"])
def test_source_is_found_although_bucket_and_rendition_hold_what_parts_them(template: str) -> None:
    address = bucket(f"s3://processed/{template}")
    target = address.of(ObjectRef("my-lake", "a-b.csv"), "thumb-small")
    assert list(address.keys_of(target.key, [], bucket="my-lake", rendition="thumb-small")) == ["a-b.csv"]
    assert list(address.keys_of(target.key, [], bucket="other", rendition="thumb-small")) == []


@pytest.mark.parametrize(
    ("source", "sink"),
    [
        ("s3://lake/*", "s3://lake/{key}.gz"),
        ("s3://lake/in/*", "s3://lake/in/done/{key}"),
        ("s3://lake/*", "s3://lake/out/{key}"),
        ("s3://lake/*.jpg", "s3://lake/thumbs/{key}"),
        ("s3://lake/lake/*", "s3://lake/{bucket}/{key}"),
        ("s3://lake/data.v1* s3://lake/data-*", "s3://lake/{stem}-done"),
        ("s3://other/* s3://lake/in/*", "s3://lake/{key}"),
    ],
)
def test_function_that_would_feed_itself_is_refused(source: str, sink: str) -> None:
    rules = tuple(SourceRule.parse(text) for text in source.split())
    with pytest.raises(ConfigError, match="an endless loop; use another bucket, prefix or suffix"):
        refuse_loops(Config("resize", rules, sink))


@pytest.mark.parametrize(
    ("source", "sink"),
    [
        ("s3://upload/*", "s3://processed/{key}"),
        ("s3://lake/*.csv", "s3://lake/{key}.gz"),
        ("s3://lake/in/*", "s3://lake/out/{key}"),
        ("s3://lake/photos/*", "s3://lake/{bucket}/{key}"),
        ("s3://lake/*.jpg", "s3://lake/{stem}.webp"),
        ("s3://upload/*", "sqlite:///data/index.db"),
        ("s3://upload/*", ""),
    ],
)
def test_function_whose_results_are_no_input_is_accepted(source: str, sink: str) -> None:
    refuse_loops(Config("resize", (SourceRule.parse(source),), sink))


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (Config("f", (SourceRule("upload"),)), "SOURCE is set but SINK is not"),
        (Config("f", (), "s3://processed/{key}"), "MINIO_ENDPOINT is not set"),
        (Config("f", (), "s3://processed/{key}", STORE, renditions={"a": {}}), "the template needs {rendition}"),
        (Config("f", (), "s3://processed/{rendition}/{key}", STORE), "RENDITIONS is not set"),
        (Config("f", (), "sqlite:x.db", STORE, renditions={"a": {}}), "takes no RENDITIONS"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(config: Config, problem: str) -> None:
    from penstock.store.memory import MemoryStore

    with pytest.raises(ConfigError) as caught:
        make_sink(config, MemoryStore("p") if config.store else None)
    assert problem in str(caught.value)


def test_function_without_sources_and_sink_serves_direct_calls_only() -> None:
    assert make_sink(Config("f"), None) is None


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


def test_a_bucket_can_be_changed_and_the_keys_stay() -> None:
    assert bucket("s3://processed/{stem}/{key}.gz").in_bucket("other") == "s3://other/{stem}/{key}.gz"
    assert parse_sink("sqlite:///data/index.db").in_bucket("other") == ""
