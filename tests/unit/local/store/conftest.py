"""The embedded store on a port of loopback, a recorder of its notifications, and clients of it."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from minio import Minio
from obstore.store import S3Store
from penstock.local.store.server import EmbeddedStore
from penstock.types import ObjectRef

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
