"""Settings come from the environment and from secret files; every problem is reported at once."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.errors import ConfigError
from penstock.settings.config import Config, JobSettings, SourceRule, StoreSettings
from penstock.settings.environment import load_config, load_store_settings, read_config
from penstock.types import ObjectRef


def problems_of(env: Mapping[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(env, function="upper")
    return "\n".join(caught.value.problems)


def test_nothing_but_a_name_is_a_function_for_direct_calls() -> None:
    assert load_config({}, function="upper") == Config("upper")


def test_every_setting_is_read() -> None:
    config = load_config(
        {
            "FUNCTION_NAME": "resize",
            "SOURCE": "s3://upload/*.jpg s3://more/photos/*",
            "SINK": "s3://processed/{rendition}/{key}",
            "MINIO_ENDPOINT": "minio:9000",
            "MINIO_ACCESS_KEY": "a",
            "MINIO_SECRET_KEY": "b",
            "MINIO_REGION": "eu-1",
            "STORE_NAME": "east",
            "OPTION_WIDTH": "800",
            "OPTION_FIT": "cover",
            "RENDITIONS": "thumb?width=200&fit=cover  card?width=800 full",
            "MAX_INPUT_BYTES": "1000",
            "MAX_BODY_BYTES": "500",
            "ON_SOURCE_REMOVED": "delete",
            "PORT": "9090",
            "THREADS": "8",
            "LOG_LEVEL": "debug",
        },
        function="folder",
    )
    assert config == Config(
        "resize",
        (SourceRule("upload", "", ".jpg"), SourceRule("more", "photos/", "")),
        "s3://processed/{rendition}/{key}",
        StoreSettings("http://minio:9000", "a", "b", "eu-1"),
        {"width": "800", "fit": "cover"},
        {"thumb": {"width": "200", "fit": "cover"}, "card": {"width": "800"}, "full": {}},
        remove_with_source=True,
        max_input_bytes=1000,
        max_body_bytes=500,
        port=9090,
        threads=8,
        log_level="DEBUG",
        store_name="east",
    )


@pytest.mark.parametrize("name", ["East", "a b", "-a", "a\n", "a" * 64])
def test_store_name_that_cannot_be_one_is_told(name: str) -> None:
    assert "STORE_NAME=" in problems_of({"STORE_NAME": name})


@pytest.mark.parametrize("jobs", [None, JobSettings("upper:1")])
def test_settings_can_be_copied_and_sent_to_another_process(jobs: JobSettings | None) -> None:
    """A hook `start(config)` may give them to its own processes, also in a test, where most have their defaults."""
    config = Config("upper", store=StoreSettings("http://x", "a", "b"), options={"a": "1"}, jobs=jobs)
    assert pickle.loads(pickle.dumps(config)) == config
    assert type(pickle.loads(pickle.dumps(config))) is Config
    assert copy.deepcopy(config) == copy.copy(config) == config


def test_secrets_are_in_no_text_of_the_settings() -> None:
    env = {"MINIO_ENDPOINT": "x", "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "hunter2", "SINK_PASSWORD": "hunter3"}
    config = load_config(env, function="upper")
    assert "hunter" not in repr(config)
    assert config.secrets == {"SINK_PASSWORD": "hunter3"}


# Secrets


# Problems


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({"FUNCTION_NAME": "Up_per"}, "FUNCTION_NAME='Up_per': expected lower-case letters, digits and -"),
        ({"FUNCTION_NAME": "x" * 64}, "FUNCTION_NAME"),
        ({"FUNCTION_NAME": "upper\n"}, "FUNCTION_NAME"),
        ({"SOURCE": "upload"}, "SOURCE: 'upload': expected s3://BUCKET/PREFIX*SUFFIX"),
        ({"SOURCE": "s3://"}, "SOURCE: 's3://'"),
        ({"SOURCE": "s3://upload/*x*"}, "with at most one *"),
        ({"SOURCE": "s3://upload/photos/"}, "write s3://upload/photos/*"),
        ({"SOURCE": "http://a/*"}, "SOURCE"),
        ({"SOURCE": "s3://a/*"}, "SOURCE: 's3://a/*': bucket 'a': expected 3 to 63 lower-case letters, digits"),
        ({"SOURCE": "s3://Upload/*"}, "bucket 'Upload': expected"),
        ({"SOURCE": "s3://10.0.0.1/*"}, "bucket '10.0.0.1': expected"),
        ({"SOURCE": "s3://up.-load/*"}, "bucket 'up.-load': expected"),
        ({"MAX_INPUT_BYTES": "1G"}, "MAX_INPUT_BYTES='1G': expected a whole number of at least 1"),
        ({"MAX_INPUT_BYTES": "0"}, "MAX_INPUT_BYTES"),
        ({"MAX_BODY_BYTES": "-1"}, "MAX_BODY_BYTES"),
        ({"PORT": "70000"}, "PORT='70000': expected a whole number of at least 1 and at most 65535"),
        ({"THREADS": "0"}, "THREADS"),
        ({"WORKERS": "many"}, "WORKERS"),
        ({"DRAIN_SECONDS": "1.5"}, "DRAIN_SECONDS"),
        ({"ON_SOURCE_REMOVED": "Delete"}, "ON_SOURCE_REMOVED='Delete': expected keep or delete"),
        ({"LOG_LEVEL": "chatty"}, "LOG_LEVEL"),
        ({"RENDITIONS": "Thumb"}, "RENDITIONS: 'Thumb'"),
        ({"RENDITIONS": "a?x=1 a?x=2"}, "RENDITIONS: 'a': expected unique names"),
        ({"RENDITIONS": "a?width=1&width=2"}, "RENDITIONS: a: option 'width' is given twice"),
        ({"RENDITIONS": "a?width"}, "RENDITIONS: a: 'width'"),
        ({"MINIO_ENDPOINT": "x"}, "MINIO_ACCESS_KEY: not set; set it, or MINIO_ACCESS_KEY_FILE, or mount the secret"),
        ({"MINIO_ENDPOINT": "ftp://x"}, "expected http://HOST:PORT or https://HOST:PORT"),
        ({"MINIO_ENDPOINT": "http://x/path"}, "MINIO_ENDPOINT"),
        ({"MINIO_ENDPOINT": "http://x:port"}, "MINIO_ENDPOINT"),
        ({"MINIO_ENDPOINT": "http://[::1"}, "MINIO_ENDPOINT"),
        ({"MINIO_ENDPOINT": "http://user:hunter2@x"}, "leave the credentials out of the URL"),
        ({"MINIO_ENDPOINT": "https://x", "MINIO_CA_FILE": "/nonexistent.pem"}, "MINIO_CA_FILE=/nonexistent.pem"),
    ],
)
def test_wrong_setting_is_named_with_what_is_expected(env: Mapping[str, str], problem: str) -> None:
    said = problems_of(env)
    assert problem in said
    assert "hunter2" not in said


def test_secret_file_that_is_missing_is_said_once() -> None:
    files = {f"{name}_FILE": "/nonexistent" for name in ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "SINK_PASSWORD")}
    jobs = {"OFFLOAD_ABOVE_BYTES": "1", "JOB_IMAGE": "i"}
    with pytest.raises(ConfigError) as caught:
        load_config({"MINIO_ENDPOINT": "x", **files, **jobs}, function="upper")
    assert sorted(caught.value.problems) == sorted(f"{name}=/nonexistent: no such file" for name in files)


def test_all_problems_are_reported_at_once() -> None:
    said = problems_of({"SOURCE": "x y", "PORT": "p", "MINIO_ENDPOINT": "e", "RENDITIONS": "A", "FUNCTION_NAME": "?"})
    for name in ("'x'", "'y'", "PORT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "RENDITIONS", "FUNCTION_NAME"):
        assert name in said


def test_what_can_be_read_is_there_beside_the_problems() -> None:
    config, problems = read_config({"PORT": "p", "SOURCE": "s3://upload/*"}, function="upper")
    assert len(problems) == 1
    assert (config.port, config.sources) == (8080, (SourceRule("upload"),))


def test_store_settings_alone_say_what_to_set() -> None:
    with pytest.raises(ConfigError, match=r"MINIO_ENDPOINT: not set; give the server's URL"):
        load_store_settings({})
    with pytest.raises(ConfigError, match=r"MINIO_ACCESS_KEY(?s:.)*MINIO_SECRET_KEY"):
        load_store_settings({"MINIO_ENDPOINT": "x"})


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9000", "http://127.0.0.1:9000", "http://127.0.0.1:9000/"])
def test_endpoint_may_leave_out_what_goes_without_saying(endpoint: str) -> None:
    env = {"MINIO_ENDPOINT": endpoint, "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}
    assert load_store_settings(env) == StoreSettings("http://127.0.0.1:9000", "a", "b")


# Rules


@pytest.mark.parametrize(
    ("text", "taken", "left"),
    [
        ("s3://upload", ["a", "b/c"], []),
        ("s3://upload/*", ["a", "b/c"], []),
        ("s3://upload/*.csv", ["a.csv", ".csv", "b/c.csv"], ["a.csv.gz", "csv"]),
        ("s3://upload/in/*", ["in/a", "in/b/c"], ["in", "out/a"]),
        ("s3://upload/aa*aa", ["aaaa", "aaxaa"], ["aaa", "aa"]),
        ("s3://upload/*日", ["日", "x日"], ["日x"]),
    ],
)
def test_rule_takes_what_begins_and_ends_as_it_says(text: str, taken: list[str], left: list[str]) -> None:
    rule = SourceRule.parse(text)
    assert all(rule.matches(ObjectRef("upload", key)) for key in taken)
    assert not any(rule.matches(ObjectRef("upload", key)) for key in left)
    assert not any(rule.matches(ObjectRef("other", key)) for key in taken)


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("s3://images/*.{jpg,png}", ["s3://images/*.jpg", "s3://images/*.png"]),
        ("s3://{one,two}/in/*", ["s3://one/in/*", "s3://two/in/*"]),
        ("s3://lake/{a,b}/*.{c,}", ["s3://lake/a/*.c", "s3://lake/a/*.", "s3://lake/b/*.c", "s3://lake/b/*."]),
        ("s3://lake/{x}/* s3://lake/{,}*", ["s3://lake/{x}/*", "s3://lake/*"]),
        ("s3://lake/*.{a,a}", ["s3://lake/*.a"]),
    ],
)
def test_braces_stand_for_each_of_their_words(text: str, rules: list[str]) -> None:
    config = load_config({"SOURCE": text}, function="upper")
    assert [str(rule) for rule in config.sources] == rules


def test_braces_that_stand_for_too_many_rules_are_refused() -> None:
    assert "more than 50 rules" in problems_of({"SOURCE": "s3://lake/*" + "{a,b}" * 40})


# Behind the `*`, a `?` begins a filter.
@given(st.from_regex(r"\A[^*\s]{0,8}\Z"), st.from_regex(r"\A[^*?\s]{0,8}\Z"))
def test_rule_reads_back_what_it_writes(prefix: str, suffix: str) -> None:
    rule = SourceRule("upload", prefix, suffix)
    assert SourceRule.parse(str(rule)) == rule


def test_penstock_s_own_keys_and_folders_are_never_taken() -> None:
    config = Config("upper", (SourceRule("upload"),))
    assert config.takes(ObjectRef("upload", "a"))
    assert not config.takes(ObjectRef("upload", ".penstock/refused/x.json"))
    assert not config.takes(ObjectRef("upload", "folder/"))
    assert not config.takes(ObjectRef("other", "a"))
