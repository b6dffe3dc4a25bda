"""What a key in a record means, by store."""

import doctest

import pytest
from penstock.errors import EventError
from penstock.events import keys
from penstock.events.keys import read_keys
from penstock.events.record import read_record
from penstock.types import ObjectRef


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


@pytest.mark.parametrize(
    ("arn", "named"),
    [
        ("arn:aws:s3:::/upload/a+b.csv", ("upload", "a+b.csv")),
        ("arn:aws:s3:::/upload/a//b.csv", ("upload", "a//b.csv")),
        ("arn:aws:s3:::/upload", ("upload", "c.csv")),  # a bulk delete, whose keys stand in its body
        ("arn:aws:s3:::/upload/", ("upload", "c.csv")),
        ("arn:aws:s3:::upload", ("images", "c.csv")),
        ("arn:aws:s3:::/", ("images", "c.csv")),
        ("", ("images", "c.csv")),
        (None, ("images", "c.csv")),
        (7, ("images", "c.csv")),
    ],
)
def test_arn_of_versity_names_the_object(arn: object, named: tuple[str, str]) -> None:
    assert keys.named_by_arn(arn, "images", "c.csv") == named


def test_arn_of_other_stores_says_nothing_about_the_object() -> None:
    record = {
        "eventSource": "aws:s3",
        "eventName": "s3:ObjectCreated:Put",
        "s3": {
            "configurationId": "mine",
            "bucket": {"name": "upload", "arn": "arn:aws:s3:::/x/y"},
            "object": {"key": "k"},
        },
    }
    found = read_record(record, "Records[0]")
    assert found is not None
    assert found.ref == ObjectRef("upload", "k")


@pytest.mark.parametrize("key", ["100%", "%FF"])
def test_broken_key_of_a_store_that_encodes_is_an_error(key: str) -> None:
    with pytest.raises(EventError, match=r"^key: "):
        read_keys(key, "minio:s3", None, "key")


def test_examples_in_the_documentation_hold() -> None:
    results = doctest.testmod(keys)
    assert (results.failed, results.attempted > 0) == (0, True)
