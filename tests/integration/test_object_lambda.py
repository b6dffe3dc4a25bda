"""Object Lambda on a real MinIO: readers ask the store, the store asks a served function."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

import pytest
from minio import Minio
from minio.error import S3Error

from tests.components import MinioServer
from tests.served import Served, free_port, served

ARN = "arn:minio:s3-object-lambda::upper:webhook"
HANDLER = '''
"""Upper-case a text."""
from dataclasses import dataclass
from penstock import Result, UnsupportedInput, option


@dataclass(frozen=True)
class Options:
    times: int = option(1, "how often", ge=1)


def handle(event, context):
    data = event.body.read()
    if data.startswith(b"bad"):
        raise UnsupportedInput(f"{event.name}: starts with bad")
    return Result(data.upper() * event.options.times, content_type="text/plain", metadata=event.metadata)
'''


@dataclass(frozen=True, slots=True)
class Readers:
    """A function behind a MinIO, and a client of that MinIO."""

    client: Minio
    function: Served

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(bucket_name="upload", object_name=key, data=io.BytesIO(data), length=len(data))

    def read(self, key: str, *, client: Minio | None = None, **more: str) -> bytes:
        query: dict[str, Any] = {"lambdaArn": ARN, **{name.replace("_", "-"): value for name, value in more.items()}}
        response = (client or self.client).get_object(bucket_name="upload", object_name=key, extra_query_params=query)
        try:
            return response.data
        finally:
            response.close()

    def raw(self, key: str, headers: Mapping[str, str]) -> tuple[int, Message, bytes]:
        """Read by a presigned URL, as a browser or curl does."""
        url = self.client.get_presigned_url(
            "GET", bucket_name="upload", object_name=key, extra_query_params={"lambdaArn": ARN}
        )
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers)), timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()


@pytest.fixture(scope="module", params=["off", "on"], ids=["made at each read", "stored by the first read"])
def readers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readers]:
    folder = tmp_path_factory.mktemp("upper")
    (folder / "handler.py").write_text(HANDLER)
    port = free_port()
    env = {
        "MINIO_LAMBDA_WEBHOOK_ENABLE_upper": "on",
        "MINIO_LAMBDA_WEBHOOK_ENDPOINT_upper": f"http://127.0.0.1:{port}/lambda",
        "MINIO_LAMBDA_WEBHOOK_AUTH_TOKEN_upper": "of-the-function",
        # What the server signs its own URLs for: a name that the function reaches it by no other way.
        "MINIO_SERVER_URL": "http://minio.invalid:9000",
        # Without it the server asks itself for the region, by that name.
        "MINIO_SITE_REGION": "us-east-1",
    }
    with MinioServer(tmp_path_factory.mktemp("minio"), env=env) as server:
        client = server.endpoint.client()
        for bucket in ("upload", "processed"):
            client.make_bucket(bucket_name=bucket)
        settings = {
            "FUNCTION_NAME": "upper",
            "FUNCTION_TOKEN": "of-the-function",
            "SOURCE": "s3://upload/*",
            "SINK": "s3://processed/{key}",
            "MINIO_ENDPOINT": server.endpoint.url,
            "MINIO_ACCESS_KEY": server.endpoint.access_key,
            "MINIO_SECRET_KEY": server.endpoint.secret_key,
            "STORE_URLS": "http://minio.invalid:9000",
            "OPEN_OPTIONS": "times<=3",
            "STORE_ON_READ": request.param,
        }
        with served(folder, settings, port=port) as function:
            yield Readers(client, function)


@pytest.mark.parametrize("key", ["a.txt", "a+b.txt", "100%.txt", "日本/ä b.txt"])
def test_reader_gets_the_handlers_result(readers: Readers, key: str) -> None:
    readers.put(key, b"one")
    assert readers.read(key) == b"ONE"
    readers.put(key, b"two")
    assert readers.read(key) == b"TWO"


def test_options_of_the_reader(readers: Readers) -> None:
    readers.put("options.txt", b"ab")
    assert readers.read("options.txt", x_penstock_times="3") == b"ABABAB"
    assert readers.read("options.txt") == b"AB"
    with pytest.raises(S3Error) as caught:
        readers.read("options.txt", x_penstock_times="4")
    assert caught.value.code == "InvalidArgument"
    assert "expected a number of at most 3" in str(caught.value)


def test_errors_are_s3_errors(readers: Readers) -> None:
    readers.put("bad.txt", b"bad")
    with pytest.raises(S3Error) as caught:
        readers.read("bad.txt")
    assert caught.value.code == "UnsupportedMediaType"
    with pytest.raises(S3Error) as caught:
        readers.read("not-there.txt")
    assert caught.value.code == "NoSuchKey"


def test_etag_304_and_range_reach_the_reader(readers: Readers) -> None:
    readers.put("range.txt", b"one")
    status, headers, data = readers.raw("range.txt", {})
    assert (status, data, headers["Content-Length"], headers["Content-Type"]) == (200, b"ONE", "3", "text/plain")
    etag = headers["ETag"]
    status, _, data = readers.raw("range.txt", {"If-None-Match": etag})
    assert (status, data) == (304, b"")
    status, headers, data = readers.raw("range.txt", {"Range": "bytes=1-"})
    assert (status, data, headers["Content-Range"]) == (206, b"NE", "bytes 1-2/3")
    status, _, data = readers.raw("range.txt", {"Range": "bytes=7-"})
    assert (status, b"<Code>InvalidRange</Code>" in data) == (416, True)
    status, _, data = readers.raw("range.txt", {"If-Match": '"another"'})
    assert (status, b"<Code>PreconditionFailed</Code>" in data) == (412, True)


def test_stored_target_is_the_one_that_events_make(readers: Readers, request: pytest.FixtureRequest) -> None:
    key = "stored.txt"
    readers.put(key, b"one")
    assert readers.read(key) == b"ONE"
    is_stored = "stored" in request.node.callspec.id
    names = [found.object_name for found in readers.client.list_objects(bucket_name="processed", prefix=key)]
    assert names == ([key] if is_stored else [])
    status, outcome = readers.function.post(
        "/event", b'{"bucket": "upload", "key": "stored.txt"}', {"Authorization": "Bearer of-the-function"}
    )
    assert (status, outcome["outcome"]) == (200, "processed")
    assert readers.read(key) == b"ONE"


def test_call_without_the_functions_token_is_refused(readers: Readers) -> None:
    assert readers.function.post("/lambda", b"{}")[0] == 401
