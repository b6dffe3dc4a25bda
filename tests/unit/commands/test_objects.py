"""Names of objects as they are typed, and which store is meant."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from penstock.commands.objects import Location, place, store_settings
from penstock.errors import ConfigError
from penstock.local.address import keep_address
from penstock.settings.config import StoreSettings

KEPT = StoreSettings("http://127.0.0.1:9000", "penstock", "kept")


@pytest.mark.parametrize("key", ["a+b.csv", "100%.csv", "a%2Fb.csv", "日本/語 1.csv", "s3://upload/x", "", "folder/"])
@pytest.mark.parametrize("scheme", ["", "s3://"])
def test_key_is_taken_as_it_is_typed(scheme: str, key: str) -> None:
    assert place(f"{scheme}upload/{key}") == Location("upload", key)


@pytest.mark.parametrize("text", ["", "Upload/a", "/upload/a", "s3:/upload/a", "up load/a"])
def test_what_is_not_a_bucket_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="write BUCKET/KEY"):
        place(text)


@pytest.mark.parametrize("key", ["a/../b", "x" * 1025, "a\0b"])
def test_key_that_no_object_can_have_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="the key"):
        Location("upload", key).ref()


def test_without_an_endpoint_the_local_stack_that_runs_is_meant(tmp_path: Path) -> None:
    keep_address(tmp_path, KEPT)
    assert store_settings(tmp_path, {}) == KEPT
    named = {"MINIO_ENDPOINT": "http://other:9000", "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "s"}
    assert store_settings(tmp_path, named).endpoint == "http://other:9000"


def test_without_both_the_remedy_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"start one with `penstock up`, or give the server's URL"):
        store_settings(tmp_path, {})
