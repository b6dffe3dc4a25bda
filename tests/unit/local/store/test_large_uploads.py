"""Uploads in parts: one event, an ETag of their own, and what the client asked to keep."""

from collections.abc import Iterator

import obstore
import pytest
from penstock.local.store.server import EmbeddedStore

from tests.unit.local.store.conftest import Recorder, bucket, client, put


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
