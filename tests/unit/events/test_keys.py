"""What a key in a record means, by store."""

import doctest

import pytest
from penstock.errors import EventError
from penstock.events import keys
from penstock.events.keys import read_keys


@pytest.mark.parametrize(
    ("key", "origin", "rule", "meant"),
    [
        ("a+b", "minio:s3", "Config", ["a b"]),
        ("a+b", "rustfs:s3", "Config", ["a b"]),
        ("a+b", "aws:s3", "my-rule", ["a b"]),
        ("a+b", "aws:s3", None, ["a b"]),
        ("a+b", "aws:s3", "webhook-global", ["a+b"]),
        ("a%20b", "aws:s3", "kafka-global", ["a b", "a%20b"]),
        ("100%", "aws:s3", "kafka-global", ["100%"]),
        ("a+b", "aws.s3", None, ["a+b", "a b"]),
        ("a+b", "ceph:s3", "mine", ["a+b", "a b"]),
        ("100%", "ceph:s3", "mine", ["100%"]),
        ("%FF", "ceph:s3", "mine", ["%FF"]),
        ("a+b", "", None, ["a b", "a+b"]),
        ("plain", "ceph:s3", "mine", ["plain"]),
        ("a+b%20", "gcs", None, ["a+b%20"]),
        ("a+b%20", "azure", None, ["a+b%20"]),
    ],
)
def test_key_is_read_as_its_store_writes_it(key: str, origin: str, rule: str | None, meant: list[str]) -> None:
    assert list(read_keys(key, origin, rule, "key")) == meant


@pytest.mark.parametrize("key", ["100%", "%FF"])
def test_broken_key_of_a_store_that_encodes_is_an_error(key: str) -> None:
    with pytest.raises(EventError, match=r"^key: "):
        read_keys(key, "minio:s3", None, "key")


def test_examples_in_the_documentation_hold() -> None:
    results = doctest.testmod(keys)
    assert (results.failed, results.attempted > 0) == (0, True)
