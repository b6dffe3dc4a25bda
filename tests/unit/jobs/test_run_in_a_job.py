"""`penstock run` as a Job needs it: exit codes, the function's own pattern, and never another Job."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from penstock.commands import run as oneshot
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef

HANDLER = """
from penstock import Result, UnsupportedInput

def handle(event, context):
    if event.body.peek(3) == b"bad":
        raise UnsupportedInput(f"{event.name}: starts with bad")
    return Result(b"".join(event.body).upper())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "upper"
    folder.mkdir()
    (folder / "handler.py").write_text(HANDLER)
    return folder


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    store = MemoryStore("upload", "processed")
    monkeypatch.setattr("penstock.store.s3.S3ObjectStore", lambda _settings, **_how: store)
    return store


def run(folder: Path, *words: str, **env: str) -> int:
    parser = argparse.ArgumentParser()
    oneshot.add_arguments(parser)
    settings = {
        "SINK": "s3://processed/{key}",
        "MINIO_ENDPOINT": "http://127.0.0.1:9",
        "MINIO_ACCESS_KEY": "reader",
        "MINIO_SECRET_KEY": "reader-secret",
    }
    return oneshot.run(parser.parse_args([str(folder), "-f=upload", "-k=a.txt", *words]), {**settings, **env})


@pytest.mark.parametrize(("data", "code"), [(b"good", 0), (b"bad", 65)])
def test_a_refusal_of_any_status_is_a_permanent_error(folder: Path, store: MemoryStore, data: bytes, code: int) -> None:
    store.put(ObjectRef("upload", "a.txt"), [data])
    assert run(folder) == code


def test_what_was_assumed_is_printed(folder: Path, store: MemoryStore, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "handler.py").write_text(
        "from penstock import Result\n\ndef handle(event, context):\n"
        "    return Result(event.body, notes=['guessed \\x1b[2J', 'guessed \\x1b[2J', 'sure'])\n"
    )
    store.put(ObjectRef("upload", "a.txt"), [b"good"], headers={"expires": "Wed, 21 Oct 2099 07:28:00 GMT"})
    assert run(folder) == 0
    said = capsys.readouterr()
    [target] = json.loads(said.out)["targets"]
    assert len(target["notes"]) == 3
    assert said.err.splitlines() == [
        "penstock run: s3://upload/a.txt: note: guessed \\x1b[2J",
        "penstock run: s3://upload/a.txt: note: sure",
        "penstock run: s3://upload/a.txt: note: Expires of the source is not kept; Cache-Control would be",
    ]


@pytest.mark.parametrize(("words", "code"), [((), 65), (("--missing-ok",), 0)])
def test_an_object_that_is_gone_is_an_error_by_hand_and_none_in_a_job(
    folder: Path, store: MemoryStore, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int
) -> None:
    assert run(folder, *words) == code
    assert json.loads(capsys.readouterr().out)["outcome"] == "removed"


def test_a_job_never_hands_over_to_a_job(folder: Path, store: MemoryStore) -> None:
    store.put(ObjectRef("upload", "a.txt"), [b"larger than one byte"])
    assert run(folder, OFFLOAD_ABOVE_BYTES="1", OFFLOAD_ABOVE_SECONDS="1", JOB_IMAGE="upper") == 0
    assert store.read(ObjectRef("processed", "a.txt")) == b"LARGER THAN ONE BYTE"


def test_the_pattern_of_source_keeps_a_shared_bucket_from_being_a_loop(folder: Path, store: MemoryStore) -> None:
    store.put(ObjectRef("upload", "a.txt"), [b"good"])
    assert run(folder, SOURCE="s3://upload/*.txt", SINK="s3://upload/{key}.up") == 0
    assert store.read(ObjectRef("upload", "a.txt.up")) == b"GOOD"
