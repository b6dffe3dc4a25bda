"""Names of objects as they are typed, and which store is meant."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.commands.objects import Location, listed, place, store_settings
from penstock.errors import ConfigError
from penstock.local.address import keep_address
from penstock.settings.config import StoreSettings
from penstock.store.memory import MemoryStore
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.waiting import wait_until

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


def test_a_store_that_is_silent_is_named_while_the_command_waits(capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []

    def wait_for_the_notice(_verb: str, _ref: ObjectRef) -> None:
        def is_said() -> bool:
            said.append(capfd.readouterr().err)
            return "still waiting" in "".join(said)

        wait_until(is_said, "the notice")

    store = MemoryStore("upload", on_request=wait_for_the_notice)
    assert list(listed(store, Location("upload", "a\x1b[2J"), 0.01)) == []
    assert "\x1b" not in "".join(said)


def test_a_store_that_answers_is_listed_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore("upload")
    store.put(ObjectRef("upload", "a.csv"), [b"x"], content_type="text/plain", metadata={})
    assert [state.ref.key for state in listed(store, Location("upload"))] == ["a.csv"]
    assert capsys.readouterr().err == ""


def as_local_stack(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the store that the environment names be the local stack's of this folder."""
    endpoint, access_key, secret_key = (
        os.environ[f"MINIO_{name}"] for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY")
    )
    keep_address(data, StoreSettings(endpoint, access_key, secret_key))
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.delenv(f"MINIO_{name}")


@pytest.mark.parametrize(
    "words",
    [["put", "{file}", "none/"], ["get", "none/a", "-"], ["ls", "none"], ["rm", "none/a"], ["rm", "-r", "none/"]],
)
def test_a_bucket_that_the_local_stack_lacks_is_named_beside_those_that_it_has(
    words: list[str],
    store: S3ObjectStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("a")
    as_local_stack(tmp_path, monkeypatch)
    assert main([*(word.format(file=file) for word in words), "--data", str(tmp_path)]) == 65
    assert capsys.readouterr().err == (
        f"penstock {words[0]}: s3://none/: the local stack has no such bucket, but processed, upload; a SOURCE or SINK "
        "in its stack file makes one\n"
    )
    assert main(["put", str(file), "upload/", "--data", str(tmp_path)]) == 0


def test_a_bucket_that_is_there_costs_no_client_that_lists_buckets(
    store: S3ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("a")
    as_local_stack(tmp_path, monkeypatch)
    monkeypatch.setitem(sys.modules, "penstock.lake.minio_buckets", None)  # its import fails
    assert main(["put", str(tmp_path / "a.txt"), "upload/", "--data", str(tmp_path)]) == 0
    assert main(["get", "upload/a.txt", str(tmp_path / "b.txt"), "--data", str(tmp_path)]) == 0
    assert main(["rm", "upload/a.txt", "--data", str(tmp_path)]) == 0
