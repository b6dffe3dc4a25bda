"""The filter behind a rule of SOURCE: what is read, what passes, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.settings.config import Config, SourceRule
from penstock.settings.environment import load_config
from penstock.settings.source_filter import SourceFilter
from penstock.types import ObjectRef, ObjectState

REF = ObjectRef("images", "a/rose.jpg")


def state(content_type: str = "image/jpeg", size: int = 5000) -> ObjectState:
    return ObjectState(REF, size, "e", content_type=content_type)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("type=image/*", SourceFilter("image/*")),
        ("type=IMAGE/JPEG", SourceFilter("image/jpeg")),
        ("min=1&max=1", SourceFilter("", 1, 1)),
        ("min=1KB&max=64MB", SourceFilter("", 1000, 64_000_000)),
        ("min=1KiB&max=1TiB", SourceFilter("", 1024, 2**40)),
        ("max=0", SourceFilter("", 0, 0)),
        ("max=7B", SourceFilter("", 0, 7)),
        ("tag.kind=photo&tag.a=b", SourceFilter(tags=(("a", "b"), ("kind", "photo")))),
        ("tag.a%20b%26=c%3Dd%20e", SourceFilter(tags=(("a b&", "c=d e"),))),
    ],
)
def test_filter_is_read(text: str, found: SourceFilter) -> None:
    assert SourceFilter.parse(text) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected type="),
        ("typ=image/*", "'typ=image/\\*': expected type=, min=, max= or tag.NAME="),
        ("type", "'type': expected"),
        ("type=", "'type=': expected"),
        ("tag.=a", "expected"),
        ("min=1&&max=2", "'': expected"),
        ("type=a&type=b", "'type' is there twice"),
        ("min=1kb", "min='1kb': expected a whole number of bytes"),
        ("max=1.5MB", "max='1.5MB'"),
        ("max=-1", "max='-1'"),
        ("max=٣", "max="),
        ("min=2KB&max=1KB", "min=2KB is more than max=1KB"),
    ],
)
def test_filter_that_cannot_be_meant_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SourceFilter.parse(text)


@pytest.mark.parametrize(
    ("conditions", "content_type", "size", "tags", "objection"),
    [
        ("type=image/*", "image/png", 1, {}, ""),
        ("type=image/*", "Image/PNG; a=b", 1, {}, ""),
        ("type=*json*", "application/ld+json", 1, {}, ""),
        ("type=image/*", "text/plain", 1, {}, "its content type 'text/plain' is not image/*"),
        ("type=image/p", "image/png", 1, {}, "its content type 'image/png' is not image/p"),
        ("type=image.*", "image/png", 1, {}, "its content type 'image/png' is not image.*"),
        ("min=10", "", 10, {}, ""),
        ("min=10", "", 9, {}, "its 9 bytes are less than 10"),
        ("max=10", "", 10, {}, ""),
        ("max=10", "", 11, {}, "its 11 bytes are more than 10"),
        ("tag.kind=photo", "", 1, {"kind": "photo"}, ""),
        ("tag.kind=*", "", 1, {"kind": ""}, ""),
        ("tag.kind=photo", "", 1, {"kind": "Photo"}, "its tag 'kind' is 'Photo' and not 'photo'"),
        ("tag.kind=photo", "", 1, {"other": "photo"}, "it has no tag 'kind'"),
        ("tag.a=1&tag.b=2", "", 1, {"a": "1", "b": "3"}, "its tag 'b' is '3' and not '2'"),
    ],
)
def test_every_condition_must_hold(
    conditions: str, content_type: str, size: int, tags: Mapping[str, str], objection: str
) -> None:
    assert SourceFilter.parse(conditions).objection(state(content_type, size), lambda: tags) == objection


def test_tags_are_not_asked_for_where_another_condition_decides() -> None:
    def never() -> Mapping[str, str]:
        raise AssertionError

    assert SourceFilter.parse("type=text/*&tag.a=b").objection(state(), never) != ""
    assert SourceFilter.parse("type=image/*").objection(state(), never) == ""


_WORDS = st.text(min_size=1, max_size=8)


@given(
    content_type=st.text("abc/*+.-", max_size=10),
    sizes=st.tuples(st.integers(0, 10**6), st.none() | st.integers(10**6, 10**17)),
    tags=st.dictionaries(_WORDS, _WORDS, max_size=3),
)
def test_rule_is_written_as_it_is_read(content_type: str, sizes: tuple[int, int | None], tags: dict[str, str]) -> None:
    """A Job gets the SOURCE of its function as this text."""
    conditions = SourceFilter(content_type, *sizes, tuple(sorted(tags.items())))
    if conditions == SourceFilter():
        return
    rule = SourceRule("images", "a/", ".jpg", conditions)
    assert SourceRule.parse_all(str(rule)) == (rule,)


def test_rules_have_filters_of_their_own() -> None:
    text = "s3://images/*.{jpg,png}?type=image/{jpeg,png}&max=1MB s3://scans/in/*"
    rules = SourceRule.parse_all(text)
    assert [str(rule) for rule in rules] == [
        "s3://images/*.jpg?type=image/jpeg&max=1000000",
        "s3://images/*.jpg?type=image/png&max=1000000",
        "s3://images/*.png?type=image/jpeg&max=1000000",
        "s3://images/*.png?type=image/png&max=1000000",
        "s3://scans/in/*",
    ]
    assert [str(rule) for rule in dict.fromkeys(rule.keys for rule in rules)] == [
        "s3://images/*.jpg",
        "s3://images/*.png",
        "s3://scans/in/*",
    ]
    assert rules[0].matches(REF)


def test_question_mark_before_the_star_is_a_part_of_the_key() -> None:
    rule = SourceRule.parse("s3://images/what?/*?min=1")
    assert (rule.prefix, rule.suffix, str(rule.filter)) == ("what?/", "", "min=1")


@pytest.mark.parametrize("text", ["s3://images?min=1", "s3://images/a?min=1", "s3://images/*?", "s3://images/*?mim=1"])
def test_rule_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="s3://images"):
        SourceRule.parse(text)


def test_problem_names_the_setting() -> None:
    with pytest.raises(Exception, match=r"SOURCE: 's3://images/\*\?typ=a': 'typ=a': expected type="):
        load_config({"SOURCE": "s3://images/*?typ=a"}, function="f")


def test_object_is_taken_if_one_rule_takes_it() -> None:
    config = Config("f", sources=SourceRule.parse_all("s3://images/*?max=10 s3://images/*?type=image/* s3://other/*"))
    assert config.has_filters
    assert config.objection(state(), dict) == ""
    assert config.objection(state("text/plain"), dict) == "its content type 'text/plain' is not image/*"
    assert config.objection(state("text/plain", 10), dict) == ""
    assert not Config("f", sources=(SourceRule("images"),)).has_filters


class Searched(str):
    """A text that counts how often something is looked for in it."""

    searches = 0

    def find(self, *given: Any) -> int:
        Searched.searches += 1
        return str.find(self, *given)

    def partition(self, separator: str) -> Any:
        return (self, "", "") if separator not in self else str.partition(self, separator)

    def strip(self, chars: str | None = None) -> Any:
        return self

    def lower(self) -> Any:
        return self


@pytest.mark.parametrize("length", [20, 200, 2000])
def test_each_part_of_a_pattern_is_looked_for_once(length: int) -> None:
    """An uploader chooses the text. A regular expression would try all places of all parts together."""
    Searched.searches = 0
    found = SourceFilter.parse("type=*a*a*a*b*c").objection(state(Searched("a" * length)), dict)
    assert "is not" in found
    assert 0 <= Searched.searches <= 4
    Searched.searches = 0
    assert SourceFilter.parse("type=*a*a*a*b*").objection(state(Searched("a" * length + "b")), dict) == ""
    assert Searched.searches == 4


_LETTERS = st.text("ab/", max_size=8)


@given(pattern=st.text("ab/*", min_size=1, max_size=8), text=_LETTERS)
def test_a_pattern_means_what_a_shell_means(pattern: str, text: str) -> None:
    rule = SourceFilter(tags=(("a", pattern),))
    assert (rule.objection(state(), lambda: {"a": text}) == "") == fnmatchcase(text, pattern)
