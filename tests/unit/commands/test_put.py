"""Files and standard input become objects with exactly the keys that were typed."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

KEYS = ["a+b.csv", "100%.csv", "a%2Fb.csv", "日本/語 1.csv", "two\nlines.csv", "what?#.csv"]


def content(store: S3ObjectStore, key: str, bucket: str = "upload") -> bytes | None:
    opened = store.open(ObjectRef(bucket, key))
    return b"".join(opened[1]) if opened else None


@pytest.mark.parametrize("key", KEYS)
def test_key_arrives_as_it_was_typed(key: str, store: S3ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"x,y\n")
    assert main(["put", str(tmp_path / "a.csv"), f"upload/{key}"]) == 0
    assert content(store, key) == b"x,y\n"
    assert [state.ref.key for state in store.list("upload")] == [key]


def test_standard_input_is_streamed_in_parts(store: S3ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    class Long(io.RawIOBase):
        """12 MiB that are never in memory as a whole; `largest` is the most that one read asked for."""

        left, largest = 12 * 1024 * 1024, 0

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1, /) -> bytes:
            assert size > 0
            self.largest = max(self.largest, size)
            given = min(size, self.left)
            self.left -= given
            return b"x" * given

    stream = Long()
    monkeypatch.setattr(sys, "stdin", type("Input", (), {"buffer": stream, "isatty": lambda _self: False})())
    assert main(["put", "-", "upload/long.bin"]) == 0
    state = store.head(ObjectRef("upload", "long.bin"))
    assert state is not None
    assert state.size == 12 * 1024 * 1024
    assert stream.largest <= 1024 * 1024


def test_folder_keeps_its_tree_below_the_target(store: S3ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("a")
    (tmp_path / "in" / "deep" / "日.txt").write_text("b")
    assert main(["put", str(tmp_path / "in"), "upload/x/"]) == 78
    assert main(["put", "-r", str(tmp_path / "in"), "upload/x/"]) == 0
    assert [state.ref.key for state in store.list("upload")] == ["x/in/a.txt", "x/in/deep/日.txt"]


def test_type_metadata_and_json(store: S3ObjectStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv.gz").write_bytes(b"gz")
    (tmp_path / "b.png").write_bytes(b"png")
    files = [str(tmp_path / "a.csv.gz"), str(tmp_path / "b.png")]
    assert main(["put", *files, "upload/", "--metadata", "Origin=a=b", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told == [
        {"bucket": "upload", "key": "a.csv.gz", "size": 2, "content_type": "application/gzip"},
        {"bucket": "upload", "key": "b.png", "size": 3, "content_type": "image/png"},
    ]
    state = store.head(ObjectRef("upload", "a.csv.gz"))
    assert state is not None
    assert (state.content_type, dict(state.metadata)) == ("application/gzip", {"origin": "a=b"})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["missing.csv", "upload/"], "missing.csv: no such file"),
        (["a", "b", "upload/one"], "2 files cannot have one name; end it with /"),
        (["a", "upload/../x"], "the key has a segment"),
        (["-", "upload/"], "upload/: the key is empty"),
        (["a", "upload/", "--metadata", "x"], "--metadata x: expected NAME=VALUE"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_stored(
    words: list[str],
    says: str,
    store: S3ObjectStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        Path(name).write_text(name)
    assert main(["put", *words]) == 78
    assert says in capsys.readouterr().err
    assert list(store.list("upload")) == []


def test_bucket_that_is_not_there_can_be_tried_again(
    store: S3ObjectStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_text("a")
    assert main(["put", str(tmp_path / "a"), "other/a"]) == 75
    assert "the bucket does not exist" in capsys.readouterr().err
