"""Sources and sink of one function fit together: no loops, and no settings that contradict each other."""

from __future__ import annotations

import pytest
from penstock.errors import ConfigError
from penstock.settings.config import Config, SourceRule, StoreSettings
from penstock.sinks.wiring import make_sink, refuse_loops

STORE = StoreSettings("http://127.0.0.1:9", "a", "b")


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
