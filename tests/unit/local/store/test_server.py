"""The embedded store serves S3 and notifies as MinIO does, before it answers."""

import hashlib
import io
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import boto3  # type: ignore[import-untyped]
import obstore
import pytest
import urllib3
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from minio import Minio
from minio.commonconfig import ENABLED, CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.versioningconfig import VersioningConfig
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store
from penstock.connect.minio.listen import minio_lines
from penstock.errors import PenstockError
from penstock.lake.minio_admin import Admin
from penstock.local.store.server import EmbeddedStore
from penstock.types import ObjectRef

from tests.paths import EVENTS

ACCESS_KEY, SECRET_KEY = "penstock", "penstock-secret"
PART_OF_A_FORM = b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nhi\r\n--x--\r\n"
KEYS = [
    "a b.csv",
    "a+b.csv",
    "100%.csv",
    "%2F.csv",
    "new\nline.csv",
    "日本語.csv",
    "a&b?c#d.csv",
    "q'\"uote.csv",
    "nested/deep/x.csv",
    "semi;colon=x.csv",
]


class Recorder:
    """Takes notifications, except the next `failures` of them."""

    def __init__(self) -> None:
        self.documents: list[Mapping[str, Any]] = []
        self.failures = 0

    def __call__(self, ref: ObjectRef, document: Mapping[str, Any]) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        assert document["Key"] == f"{ref.bucket}/{ref.key}"
        self.documents.append(document)

    def take(self) -> list[Mapping[str, Any]]:
        taken, self.documents = self.documents, []
        return taken

    def names(self) -> list[str]:
        return [document["EventName"] for document in self.take()]


@pytest.fixture(name="recorder")
def recorder_fixture() -> Recorder:
    return Recorder()


@pytest.fixture(name="server")
def server_fixture(recorder: Recorder) -> Iterator[EmbeddedStore]:
    server = EmbeddedStore(
        access_key=ACCESS_KEY, secret_key=SECRET_KEY, notify=recorder, wanted=lambda name, ref: ref.bucket == "upload"
    )
    server.start()
    client(server).make_bucket("upload")
    yield server
    server.stop()


def client(server: EmbeddedStore, secret_key: str = SECRET_KEY, access_key: str = ACCESS_KEY) -> Minio:
    return Minio(
        server.settings.endpoint.removeprefix("http://"),
        access_key=access_key,
        secret_key=secret_key,
        secure=False,
        region="us-east-1",
    )


def bucket(server: EmbeddedStore) -> S3Store:
    return S3Store(
        "upload",
        endpoint=server.settings.endpoint,
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        region="us-east-1",
        client_options={"allow_http": True},
        virtual_hosted_style_request=False,
    )


def put(server: EmbeddedStore, key: str, body: bytes = b"a,b\n1,2\n", **more: Any) -> None:
    client(server).put_object("upload", key, io.BytesIO(body), len(body), **more)


def shape(value: Any) -> Any:
    """The keys of a document, without its values; user metadata differs with every object."""
    if isinstance(value, Mapping):
        return {key: shape(inner) for key, inner in value.items() if key not in ("userMetadata", "content-length")}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value)


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


@pytest.mark.parametrize("key", KEYS)
def test_any_key_survives_the_round_trip(server: EmbeddedStore, recorder: Recorder, key: str) -> None:
    put(server, key, key.encode())

    minio = client(server)
    assert minio.get_object("upload", key).data == key.encode()
    assert minio.stat_object("upload", key).size == len(key.encode())
    assert [entry.object_name for entry in minio.list_objects("upload", recursive=True)] == [key]
    document = recorder.take()[0]
    assert unquote_plus(document["Records"][0]["s3"]["object"]["key"]) == key
    assert document["Key"] == f"upload/{key}"
    minio.remove_object("upload", key)
    assert list(minio.list_objects("upload")) == []


def test_multipart_upload_is_one_event_with_its_own_etag(server: EmbeddedStore, recorder: Recorder) -> None:
    body = bytes(range(256)) * 45000  # 11.5 MB: three parts
    put(server, "big.csv", body, content_type="application/csv", metadata={"a": "b"}, part_size=5 * 1024 * 1024)

    [document] = recorder.take()
    record = document["Records"][0]["s3"]["object"]
    assert document["EventName"] == "s3:ObjectCreated:CompleteMultipartUpload"
    assert record["size"] == len(body)
    assert record["eTag"].endswith("-3")
    assert record["contentType"] == "application/csv"
    assert client(server).get_object("upload", "big.csv").data == body
    assert client(server).get_object("upload", "big.csv", offset=7, length=9).data == body[7:16]


def test_obstore_multipart_upload_keeps_type_and_metadata(server: EmbeddedStore, recorder: Recorder) -> None:
    with obstore.open_writer(
        bucket(server), "w.gz", attributes={"Content-Type": "application/gzip", "penstock-state": "x"}
    ) as writer:
        for _ in range(12):
            writer.write(b"x" * 1024 * 1024)

    state = client(server).stat_object("upload", "w.gz")
    assert recorder.names()[0] == "s3:ObjectCreated:CompleteMultipartUpload"
    assert state.size == 12 * 1024 * 1024
    assert state.content_type == "application/gzip"
    assert state.metadata is not None
    assert state.metadata["x-amz-meta-penstock-state"] == "x"


def test_aborted_multipart_upload_is_no_event(server: EmbeddedStore, recorder: Recorder) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 11 * 1024 * 1024
        raise ValueError("handler failed")

    with pytest.raises(ValueError, match="handler failed"):
        obstore.put(bucket(server), "never.gz", broken())

    assert recorder.take() == []
    assert list(client(server).list_objects("upload")) == []


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


def test_only_wanted_events_are_sent(server: EmbeddedStore, recorder: Recorder) -> None:
    client(server).make_bucket("other")
    client(server).put_object("other", "a.csv", io.BytesIO(b"x"), 1)
    assert recorder.take() == []


def test_write_whose_notification_was_not_saved_is_tried_again(server: EmbeddedStore, recorder: Recorder) -> None:
    recorder.failures = 2
    put(server, "a.csv")  # the client itself repeats a request that got a 503

    assert recorder.failures == 0
    assert recorder.names() == ["s3:ObjectCreated:Put"]


def test_conditional_write_has_one_winner(server: EmbeddedStore) -> None:
    def create(index: int) -> bool:
        try:
            obstore.put(bucket(server), "one", str(index).encode(), mode="create")
        except AlreadyExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(16))) == 1


def test_write_on_a_changed_object_is_refused(server: EmbeddedStore) -> None:
    store = bucket(server)
    old = obstore.put(store, "a", b"1")
    obstore.put(store, "a", b"2")
    with pytest.raises(PreconditionError):
        obstore.put(store, "a", b"3", mode={"e_tag": old["e_tag"]})
    assert bytes(obstore.get(store, "a").bytes()) == b"2"


def test_upload_completed_over_a_changed_object_is_refused(server: EmbeddedStore) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=server.settings.endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
    )
    at = {"Bucket": "upload", "Key": "a.csv"}
    current = s3.put_object(**at, Body=b"1")["ETag"]
    upload = s3.create_multipart_upload(**at)["UploadId"]
    part = {"PartNumber": 1, "ETag": s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"2")["ETag"]}

    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.complete_multipart_upload(
            **at, UploadId=upload, MultipartUpload={"Parts": [part]}, IfMatch='"0123456789abcdef0123456789abcdef"'
        )
    assert s3.get_object(**at)["Body"].read() == b"1"
    s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": [part]}, IfMatch=current)
    assert s3.get_object(**at)["Body"].read() == b"2"
    s3.close()


@pytest.mark.parametrize(
    ("access_key", "secret_key", "code"),
    [("somebody", SECRET_KEY, "InvalidAccessKeyId"), (ACCESS_KEY, "wrong", "SignatureDoesNotMatch")],
)
def test_wrong_credentials_are_refused(server: EmbeddedStore, access_key: str, secret_key: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        client(server, secret_key, access_key).list_buckets()
    assert caught.value.code == code


def test_presigned_url_works_until_it_is_changed(server: EmbeddedStore) -> None:
    put(server, "a b+c.csv", b"hello")
    url = client(server).presigned_get_object("upload", "a b+c.csv")
    with urllib3.PoolManager() as http:
        assert http.request("GET", url).data == b"hello"
        assert http.request("GET", url.replace("a%20b", "a%20c")).status == 403
        assert http.request("GET", url.partition("?")[0]).status == 403


@pytest.mark.parametrize(
    ("key", "code"), [("x" * 256, "XMinioInvalidObjectName"), ("x/" * 513, "KeyTooLongError"), ("a//b", "XMinio")]
)
def test_names_that_minio_refuses_are_refused(server: EmbeddedStore, key: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        put(server, key)
    assert str(caught.value.code).startswith(code)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/csv"])
@pytest.mark.parametrize(
    "body", [b"a=1&b=2", b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nhi\r\n--x--\r\n", b""]
)
def test_a_body_is_stored_as_it_is_whatever_its_content_type(server: EmbeddedStore, kind: str, body: bytes) -> None:
    put(server, "form.bin", body, content_type=kind)

    found = client(server).get_object("upload", "form.bin")
    assert found.data == body
    assert found.headers["Content-Type"] == kind
    assert client(server).stat_object("upload", "form.bin").content_type == kind


def test_a_request_without_a_signature_is_refused_before_its_body_is_read(server: EmbeddedStore) -> None:
    port = int(server.settings.endpoint.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"PUT /upload/big HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nfirst")
        assert connection.recv(12) == b"HTTP/1.1 403"


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


def test_what_only_minio_has_is_refused_in_words(server: EmbeddedStore) -> None:
    """Else moto answers for it: with a bucket that does not exist, or with a listing in place of a stream of events."""
    with pytest.raises(
        PenstockError, match=r"NotImplemented: this is the store of penstock up, which has no admin API"
    ):
        Admin(server.settings).info()
    with pytest.raises(PenstockError, match="tells its functions alone of events: penstock up prints a line for each"):
        next(minio_lines(server.settings, "upload", ["s3:ObjectCreated:*"]))
