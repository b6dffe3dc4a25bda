"""The embedded store serves S3 and notifies as MinIO does, before it answers."""

import io
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote_plus

import boto3  # type: ignore[import-untyped]
import obstore
import pytest
from botocore.exceptions import ClientError
from minio.error import S3Error
from obstore.exceptions import AlreadyExistsError, PreconditionError
from penstock.local.store.server import EmbeddedStore
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.unit.local.store.conftest import (
    ACCESS_KEY,
    KEYS,
    SECRET_KEY,
    Recorder,
    bucket,
    client,
    put,
)


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


ODD_KEYS = ["a\x01b.csv", "\x1fa", "\x0b&\x1b[31m.csv", "tab\tand\nline.csv", "\x7f.csv", "\uffff.csv", "\ufffe<"]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_object_that_is_not_there_is_told_whatever_its_key(server: EmbeddedStore, key: str) -> None:
    store = S3ObjectStore(server.settings)
    assert store.stat(ObjectRef("upload", key)) is None
    assert store.open(ObjectRef("upload", key)) is None
    with pytest.raises(S3Error) as raised:
        client(server).get_object("upload", key)
    assert raised.value.code == "NoSuchKey"


@pytest.mark.parametrize("key", ODD_KEYS)
def test_object_is_written_in_parts_whatever_its_key(server: EmbeddedStore, key: str) -> None:
    data = bytes(range(256)) * 4096 * 6
    client(server).put_object("upload", key, io.BytesIO(data), len(data), part_size=5 << 20)
    assert client(server).get_object("upload", key).data == data


def test_content_that_is_xml_is_not_changed(server: EmbeddedStore) -> None:
    data = b"<a>\x01&#1;\xef\xbf\xbf</a>"
    client(server).put_object("upload", "a.xml", io.BytesIO(data), len(data), "application/xml")
    assert client(server).get_object("upload", "a.xml").data == data


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


@pytest.mark.parametrize("value", ["bytes=9-1", "bytes=100-", "none", "bytes=0=1"])
def test_a_range_belongs_to_reading_and_one_that_is_none_is_left_out(
    server: EmbeddedStore, recorder: Recorder, value: str
) -> None:
    asked = urllib.request.Request(
        client(server).presigned_put_object("upload", "a.csv"), b"a,b\n", {"Range": value}, method="PUT"
    )
    with urllib.request.urlopen(asked) as answer:
        assert answer.status == 200
    assert recorder.names() == ["s3:ObjectCreated:Put"]
    if value.count("=") != 1:
        read = urllib.request.Request(client(server).presigned_get_object("upload", "a.csv"), headers={"Range": value})
        with urllib.request.urlopen(read) as answer:
            assert answer.read() == b"a,b\n"


def test_a_body_that_is_no_xml_is_refused_in_words_and_not_for_later(
    server: EmbeddedStore, caplog: pytest.LogCaptureFixture
) -> None:
    put(server, "a.csv")
    url = client(server).get_presigned_url("PUT", "upload", "a.csv", extra_query_params={"tagging": ""})
    with (
        pytest.raises(urllib.error.HTTPError) as refused,
        urllib.request.urlopen(urllib.request.Request(url, b"a,b", method="PUT")),
    ):
        pass
    with refused.value as answer:
        assert (answer.code, b"cannot read this request" in answer.read()) == (400, True)
    assert "Traceback" not in caplog.text
