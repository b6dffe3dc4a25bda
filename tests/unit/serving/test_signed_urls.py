"""A signed URL opens one object with its options until a moment, and nothing else."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.errors import EventError, Forbidden
from penstock.serving.signed_urls import check_signed, signed_path
from penstock.settings.config import key_problem
from penstock.types import ObjectRef

KEY = "the-key-of-the-page"
keys = st.text(min_size=1, max_size=40).filter(lambda key: not (key_problem(key) or {"\n", "\r"} & set(key)))
options = st.dictionaries(st.sampled_from(["width", "fit", "rendition", "a b"]), st.text(max_size=10))


@given(keys, options)
def test_what_was_signed_is_what_opens(key: str, given_options: dict[str, str]) -> None:
    url = urlsplit(signed_path(KEY, ObjectRef("upload", key), given_options, 1000))
    bucket, _, found = unquote(url.path.removeprefix("/read/")).partition("/")
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    assert check_signed([KEY], ObjectRef(bucket, found), query, 999) == (given_options, 1000)


@given(keys, keys, options, options)
def test_a_signature_fits_nothing_else(key: str, other: str, one: dict[str, str], two: dict[str, str]) -> None:
    query = dict(parse_qsl(urlsplit(signed_path(KEY, ObjectRef("upload", key), one, 1000)).query))
    forged = {**two, "expires": query["expires"], "signature": query["signature"]}
    if (key, one) != (other, two):
        with pytest.raises(Forbidden, match="does not fit"):
            check_signed([KEY], ObjectRef("upload", other), forged, 999)


def test_it_ends_at_its_moment() -> None:
    ref = ObjectRef("upload", "a")
    query = dict(parse_qsl(urlsplit(signed_path(KEY, ref, {}, 1000)).query))
    assert check_signed([KEY], ref, query, 999.9) == ({}, 1000)
    with pytest.raises(Forbidden, match="has expired"):
        check_signed([KEY], ref, query, 1000)


@pytest.mark.parametrize(
    ("ref", "given_options", "problem"),
    [
        (ObjectRef("Upload", "a"), {}, "as S3 names buckets"),
        (ObjectRef("upload", "a/../b"), {}, "has a segment"),
        (ObjectRef("upload", "two\nlines"), {}, "end of a line"),
        (ObjectRef("upload", "a"), {"signature": "x"}, "has a parameter of its own"),
    ],
)
def test_what_a_url_cannot_carry_is_refused(ref: ObjectRef, given_options: dict[str, str], problem: str) -> None:
    with pytest.raises(EventError, match=problem):
        signed_path(KEY, ref, given_options, 1)
