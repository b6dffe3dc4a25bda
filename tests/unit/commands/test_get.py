"""Objects become files, whole or not at all."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.commands.get import safe_name
from penstock.errors import PermanentError, TemporaryError
from penstock.store.memory import MemoryStore
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef


def keep(store: S3ObjectStore | MemoryStore, key: str, data: bytes = b"data") -> None:
    store.put(ObjectRef("upload", key), [data], content_type="text/plain", metadata={})


@pytest.mark.parametrize("name", ["a+b.csv", "100%.csv", "a%2Fb.csv", "語 1.csv"])
def test_file_has_the_last_part_of_the_key(
    name: str, store: S3ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keep(store, f"日本/{name}")
    assert main(["get", f"upload/日本/{name}"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert Path(name).read_bytes() == b"data"
    assert stat.S_IMODE(Path(name).stat().st_mode) & 0o600 == 0o600


def test_standard_output_gets_the_bytes_and_nothing_else(
    store: S3ObjectStore, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    keep(store, "raw", b"\x00\xff\n")
    assert main(["get", "upload/raw", "-"]) == 0
    assert capfdbinary.readouterr().out == b"\x00\xff\n"


def test_file_that_is_there_stays_without_force(store: S3ObjectStore, tmp_path: Path) -> None:
    keep(store, "a.txt", b"new")
    there = tmp_path / "a.txt"
    there.write_text("old")
    assert main(["get", "upload/a.txt", str(tmp_path)]) == 78
    assert there.read_text() == "old"
    assert main(["get", "upload/a.txt", str(tmp_path), "--force"]) == 0
    assert there.read_text() == "new"


def test_all_below_a_prefix_keep_their_tree(store: S3ObjectStore, tmp_path: Path) -> None:
    for key in ("x/a", "x/deep/b", "y/c"):
        keep(store, key, key.encode())
    assert main(["get", "-r", "upload/x/", str(tmp_path)]) == 0
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"a": "x/a", "deep/b": "x/deep/b"}


def test_object_that_is_not_there_is_refused_and_leaves_no_file(
    store: S3ObjectStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["get", "upload/none", str(tmp_path)]) == 65
    assert main(["get", "-r", "upload/none/", str(tmp_path)]) == 65
    assert "no such object; see: penstock ls upload" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_connection_that_breaks_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(MemoryStore):
        def open(self, ref: ObjectRef, *, if_etag: str | None = None):  # type: ignore[no-untyped-def]
            opened = super().open(ref, if_etag=if_etag)
            assert opened is not None

            def chunks() -> Iterator[bytes]:
                yield b"half"
                raise TemporaryError("the connection broke")

            return opened[0], chunks()

    memory = Broken("upload")
    keep(memory, "a")
    monkeypatch.setattr("penstock.commands.get.open_store", lambda *_: memory)
    assert main(["get", "upload/a", str(tmp_path / "a")]) == 75
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a//b", "a/./b", "", "a/.."])
def test_key_that_leads_out_of_the_folder_is_refused(name: str) -> None:
    with pytest.raises(PermanentError, match="get it alone and name the file"):
        safe_name(name, ObjectRef("upload", name))
