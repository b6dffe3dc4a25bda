"""Notifications have the fields, names and orders of MinIO's."""

import hashlib
import json
import re
from collections.abc import Callable

import pytest
from minio import Minio
from minio.commonconfig import ENABLED, CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.versioningconfig import VersioningConfig
from penstock.local.store.server import EmbeddedStore

from tests.paths import EVENTS
from tests.unit.local.store.conftest import (
    Recorder,
    client,
    put,
    shape,
)


@pytest.mark.parametrize(
    ("recorded", "act"),
    [
        ("minio_put.json", lambda minio: None),
        ("minio_copy.json", lambda minio: minio.copy_object("upload", "b.csv", CopySource("upload", "a.csv"))),
        ("minio_delete.json", lambda minio: minio.remove_object("upload", "a.csv")),
    ],
)
def test_notification_has_the_fields_of_a_recorded_one(
    server: EmbeddedStore, recorder: Recorder, recorded: str, act: Callable[[Minio], object]
) -> None:
    expected = json.loads((EVENTS / recorded).read_text())
    put(server, "a.csv")
    act(client(server))

    sent = next(document for document in recorder.take() if document["EventName"] == expected["EventName"])
    assert shape(sent) == shape(expected)


def test_put_describes_the_object(server: EmbeddedStore, recorder: Recorder) -> None:
    body = b"a,b\n1,2\n"
    put(server, "data/small file.csv", body, content_type="text/csv", metadata={"mixed-case": "Val ue"})

    [document] = recorder.take()
    record = document["Records"][0]
    assert document["EventName"] == record["eventName"] == "s3:ObjectCreated:Put"
    assert document["Key"] == "upload/data/small file.csv"
    assert record["s3"]["bucket"]["name"] == "upload"
    found = record["s3"]["object"]
    assert re.fullmatch(r"[0-9A-F]{16}", found.pop("sequencer"))
    assert found == {
        "key": "data%2Fsmall+file.csv",
        "size": len(body),
        "eTag": hashlib.md5(body).hexdigest(),
        "contentType": "text/csv",
        "userMetadata": {"content-type": "text/csv", "X-Amz-Meta-Mixed-Case": "Val ue"},
    }
    assert record["responseElements"]["x-minio-origin-endpoint"] == server.settings.endpoint


def test_empty_object_has_no_size(server: EmbeddedStore, recorder: Recorder) -> None:
    put(server, "empty.csv", b"")
    assert "size" not in recorder.take()[0]["Records"][0]["s3"]["object"]


def test_each_operation_has_minios_event(server: EmbeddedStore, recorder: Recorder) -> None:
    minio = client(server)
    put(server, "a.csv", metadata={"k": "v"})
    minio.copy_object("upload", "b.csv", CopySource("upload", "a.csv"))
    assert [name for name in recorder.names() if "Accessed" not in name] == [
        "s3:ObjectCreated:Put",
        "s3:ObjectCreated:Copy",
    ]
    minio.stat_object("upload", "a.csv")
    minio.get_object("upload", "a.csv").read()
    tags = Tags.new_object_tags()
    tags["a"] = "b"
    minio.set_object_tags("upload", "a.csv", tags)
    minio.delete_object_tags("upload", "a.csv")
    minio.remove_object("upload", "a.csv")
    minio.remove_object("upload", "a.csv")
    assert list(minio.remove_objects("upload", [DeleteObject("b.csv"), DeleteObject("was never there")])) == []

    assert recorder.names() == [
        "s3:ObjectAccessed:Head",
        "s3:ObjectAccessed:Get",
        "s3:ObjectCreated:PutTagging",
        "s3:ObjectCreated:DeleteTagging",
        "s3:ObjectRemoved:Delete",
        "s3:ObjectRemoved:NoOP",
        "s3:ObjectRemoved:Delete",
        "s3:ObjectRemoved:Delete",
    ]


def test_removal_carries_neither_size_nor_etag(server: EmbeddedStore, recorder: Recorder) -> None:
    put(server, "a.csv")
    recorder.take()
    client(server).remove_object("upload", "a.csv")

    found = recorder.take()[0]["Records"][0]["s3"]["object"]
    assert set(found) == {"key", "sequencer"}


def test_access_repeats_the_sequencer_of_the_write(server: EmbeddedStore, recorder: Recorder) -> None:
    put(server, "a.csv")
    client(server).stat_object("upload", "a.csv")
    put(server, "a.csv")

    first, seen, second = (d["Records"][0]["s3"]["object"]["sequencer"] for d in recorder.take())
    assert first == seen < second


def test_versioned_delete_is_a_marker_with_its_version(server: EmbeddedStore, recorder: Recorder) -> None:
    minio = client(server)
    minio.set_bucket_versioning("upload", VersioningConfig(ENABLED))
    put(server, "a.csv")
    minio.remove_object("upload", "a.csv")

    created, removed = recorder.take()
    assert created["Records"][0]["s3"]["object"]["versionId"]
    assert removed["EventName"] == "s3:ObjectRemoved:DeleteMarkerCreated"
    assert removed["Records"][0]["s3"]["object"]["versionId"]
