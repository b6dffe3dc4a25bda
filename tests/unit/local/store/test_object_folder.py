"""Objects in a folder outlive the process, and a full folder says so."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from penstock.local.store.server import EmbeddedStore

from tests.unit.local.store.conftest import ACCESS_KEY, KEYS, SECRET_KEY, Recorder, client, put


def restarted(server: EmbeddedStore, folder: Path, recorder: Recorder) -> EmbeddedStore:
    server.stop()
    again = EmbeddedStore(
        access_key=ACCESS_KEY, secret_key=SECRET_KEY, notify=recorder, wanted=lambda name, ref: True, folder=folder
    )
    again.start()
    return again


@pytest.fixture(name="kept")
def kept_fixture(tmp_path: Path, recorder: Recorder) -> Iterator[EmbeddedStore]:
    server = EmbeddedStore(
        access_key=ACCESS_KEY, secret_key=SECRET_KEY, notify=recorder, wanted=lambda name, ref: True, folder=tmp_path
    )
    server.start()
    client(server).make_bucket("upload")
    yield server
    server.stop()


def test_objects_are_there_again_after_a_restart(kept: EmbeddedStore, tmp_path: Path, recorder: Recorder) -> None:
    for key in KEYS:
        put(kept, key, key.encode(), content_type="text/csv", metadata={"x-amz-meta-who": "me"})
    put(kept, "parts", b"x" * (6 * 1024 * 1024), part_size=5 * 1024 * 1024)
    put(kept, "twice", b"first")
    put(kept, "twice", b"second")
    put(kept, "gone", b"gone")
    client(kept).remove_object("upload", "gone")
    list(client(kept).remove_objects("upload", [DeleteObject("a b.csv")]))
    before = {each.object_name: client(kept).stat_object("upload", each.object_name) for each in listing(kept)}
    recorder.take()

    again = restarted(kept, tmp_path, recorder)

    after = {each.object_name: client(again).stat_object("upload", each.object_name) for each in listing(again)}
    assert set(after) == {*KEYS, "parts", "twice"} - {"a b.csv"}
    for name, was in before.items():
        now = after[name]
        assert (now.etag, now.size, now.content_type, now.last_modified) == (
            (was.etag, was.size, was.content_type, was.last_modified)
        ), name
        assert dict(now.metadata or {}).get("x-amz-meta-who") == dict(was.metadata or {}).get("x-amz-meta-who")
    assert str(after["parts"].etag).endswith("-2")
    assert client(again).get_object("upload", "twice").data == b"second"
    assert not [name for name in recorder.names() if "Created" in name], "a restart tells nothing new"
    put(again, "twice", b"third")
    assert client(again).get_object("upload", "twice").data == b"third"
    assert len(list(tmp_path.rglob("*.data"))) == len(after)
    again.stop()


def test_a_store_that_is_full_says_so_and_keeps_what_it_has(tmp_path: Path, recorder: Recorder) -> None:
    full = EmbeddedStore(
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        notify=recorder,
        wanted=lambda name, ref: True,
        folder=tmp_path,
        max_bytes=8,
    )
    full.start()
    client(full).make_bucket("upload")
    put(full, "a", b"12345")

    with pytest.raises(S3Error, match="at most 8 bytes; delete objects, or start it with --fresh"):
        put(full, "b", b"12345")

    put(full, "a", b"54321")
    assert client(full).get_object("upload", "a").data == b"54321"
    client(full).remove_object("upload", "a")
    put(full, "b", b"12345")
    full.stop()


def listing(server: EmbeddedStore) -> list[Any]:
    return list(client(server).list_objects("upload", recursive=True))


def test_a_store_that_is_full_takes_back_what_it_cannot_keep(tmp_path: Path, recorder: Recorder) -> None:
    """An upload in parts and a copy tell their whole size only at their end."""
    full = EmbeddedStore(
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        notify=recorder,
        wanted=lambda name, ref: True,
        folder=tmp_path,
        max_bytes=7 * 1024 * 1024,
    )
    full.start()
    client(full).make_bucket("upload")
    put(full, "big", b"old")
    with pytest.raises(S3Error, match="at most"):
        put(full, "big", b"x" * (8 * 1024 * 1024), part_size=5 * 1024 * 1024)
    assert client(full).get_object("upload", "big").data == b"old"
    put(full, "half", b"x" * (4 * 1024 * 1024))
    recorder.take()
    with pytest.raises(S3Error, match="at most"):
        client(full).copy_object("upload", "copy", CopySource("upload", "half"))
    assert [each.object_name for each in listing(full)] == ["big", "half"]
    assert not [name for name in recorder.names() if "Created" in name]
    full.stop()


# What moto refuses when it has stored the object already, and what it fails on.
_REFUSED = {
    "tags of a reserved name": {"x-amz-tagging": "aws:who=me"},
    "eleven tags": {"x-amz-tagging": "&".join(f"t{number}=1" for number in range(11))},
    "a size that is no number": {
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x-amz-decoded-content-length": "x",
    },
}


@pytest.mark.parametrize("headers", _REFUSED.values(), ids=_REFUSED)
def test_a_write_that_is_refused_leaves_the_object_as_it_was_and_tells_nothing(
    kept: EmbeddedStore, recorder: Recorder, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    put(kept, "old", b"before")
    recorder.take()
    for key in ("old", "new"):
        url = client(kept).presigned_put_object("upload", key)
        asked = urllib.request.Request(url, b"after", headers, method="PUT")
        with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(asked):
            pass
        with refused.value as answer:
            assert answer.code == 400, answer.read()
    assert recorder.take() == []
    assert [each.object_name for each in listing(kept)] == ["old"]
    assert client(kept).get_object("upload", "old").data == b"before"
    assert "Traceback" not in caplog.text
