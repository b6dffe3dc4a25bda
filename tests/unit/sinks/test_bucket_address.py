"""A bucket's template: raw keys go in, and sources are found again from targets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.errors import ConfigError
from penstock.settings.config import SourceRule
from penstock.sinks.address import parse_sink
from penstock.sinks.bucket_address import BucketAddress
from penstock.types import ObjectRef

_TEXT = st.text("ab./", max_size=4)
_TEMPLATES = st.lists(
    st.sampled_from(["{key}", "{stem}", "{bucket}", "{rendition}", "a", "b/", ".gz", "-"]), max_size=4
)


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


def test_a_bucket_can_be_changed_and_the_keys_stay() -> None:
    assert bucket("s3://processed/{stem}/{key}.gz").in_bucket("other") == "s3://other/{stem}/{key}.gz"
    assert parse_sink("sqlite:///data/index.db").in_bucket("other") == ""
