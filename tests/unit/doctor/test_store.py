"""The store's clock, and the buckets that functions name."""

from __future__ import annotations

from pathlib import Path

import pytest
from penstock.doctor.finding import Grade
from penstock.doctor.store import buckets_of, clock_finding, examine_store, profile_finding
from penstock.settings.config import StoreSettings
from penstock.settings.stackfile import FunctionSpec
from pytest_httpserver import HTTPServer


@pytest.mark.parametrize(
    ("seconds", "grade", "words"),
    [
        (0, "good", "agree"),
        (59, "good", "agree"),
        (-61, "note", "61 s behind"),
        (899, "note", "899 s ahead of"),
        (900, "problem", "900 s ahead of"),
        (-3600, "problem", "3600 s behind"),
    ],
)
def test_difference_of_the_clocks_is_judged(seconds: int, grade: str, words: str) -> None:
    found = clock_finding(1_000_000 + seconds, 1_000_000)
    assert found.grade.value == grade
    assert words in found.text


def test_buckets_of_sources_and_sinks_have_their_functions() -> None:
    specs = [
        FunctionSpec("a", Path(), environment={"SOURCE": "s3://into/* s3://more/*", "SINK": "s3://out/{key}"}),
        FunctionSpec("b", Path(), environment={"SOURCE": "s3://out/*", "SINK": "sqlite:///index.db"}),
        FunctionSpec("c", Path(), environment={"SOURCE": "s3://into/*", "SINK": "s3://copies/{bucket}/{key}"}),
    ]
    found = buckets_of(specs)
    assert found == {"into": {"a", "c"}, "more": {"a"}, "out": {"a", "b"}, "copies": {"c"}}


@pytest.mark.parametrize(
    ("detected", "said", "grade"),
    [
        ("minio", {"auto"}, "good"),
        ("minio", {"silo"}, "good"),
        ("s3", {"ceph"}, "good"),
        ("s3proxy", {"azure"}, "good"),
        ("ceph", {"ceph", "auto"}, "good"),
        ("minio", {"ceph"}, "problem"),
        ("seaweedfs", {"minio"}, "problem"),
    ],
)
def test_profile_that_the_store_contradicts_is_a_problem(detected: str, said: set[str], grade: str) -> None:
    assert profile_finding(detected, said).grade.value == grade


@pytest.mark.parametrize(
    "body", ["<html>hi</html>", "<html><p>hi<br></html>", "{}", "[", "", "\xff", "<ListAllMyBucketsResult/>", "<ok/>"]
)
def test_a_page_in_the_place_of_the_store_is_a_problem_and_no_defect(httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/").respond_with_data(body)
    found = list(examine_store(StoreSettings(httpserver.url_for("").rstrip("/"), "a", "secret-key"), []))
    assert [each.grade for each in found][:1] == [Grade.PROBLEM]
    assert "not an S3 server" in found[0].text
