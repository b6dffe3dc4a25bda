"""Which targets of the bridge get an event."""

import json

import pytest
from penstock.connect.bridge.filters import read_filters, targets_of
from penstock.delivery.http import HttpTarget
from penstock.errors import ConfigError, EventError

TARGETS = [HttpTarget("compress", "http://gateway/compress"), HttpTarget("all", "http://gateway/all")]
FILTERS = read_filters(["compress=s3://upload/in/*.csv", "compress=s3://more/*"], ["compress", "all"])


def names(key: str, bucket: str = "upload", event: str = "s3:ObjectCreated:Put") -> list[str]:
    record = {"eventName": event, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}
    body = json.dumps({"EventName": event, "Key": f"{bucket}/{key}", "Records": [record]}).encode()
    return [target.name for target in targets_of(body, TARGETS, FILTERS)]


def test_a_target_with_a_filter_gets_what_one_of_its_rules_takes() -> None:
    assert names("in/a.csv") == names("a", "more") == ["compress", "all"]
    assert names("out/a.csv") == names("in/a.txt") == ["all"]


def test_an_event_that_functions_do_not_act_on_wakes_none() -> None:
    assert names("in/a.csv", event="s3:ObjectAccessed:Get") == ["all"]
    assert names(".penstock/refused/a.csv", "more") == ["all"]


def test_a_malformed_notification_is_an_error() -> None:
    with pytest.raises(EventError):
        targets_of(b"hello", TARGETS, FILTERS)


def test_every_wrong_filter_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        read_filters(["resize=s3://upload/*", "compress=upload"], ["compress"])
    assert len(caught.value.problems) == 2
    assert "no --to is named 'resize'; there are compress" in caught.value.problems[0]
