"""Answers that are no S3 server's, where a listing was asked for; and objects that only their owner's key opens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pytest
from penstock.cli import main
from penstock.errors import PermanentError, TemporaryError
from penstock.reconcile.engine import reconcile
from penstock.settings.config import SourceRule, StoreSettings
from penstock.store.memory import MemoryStore
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef, ObjectState
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.lake import Lake
from tests.paths import ROOT

NO_LISTINGS = {
    "html": (b"<html><body>Sign in<br></body></html>", "text/html"),
    "xhtml": (b'<html xmlns="http://www.w3.org/1999/xhtml"><body>Sign in</body></html>', "application/xml"),
    "json": (b'{"error": "sign in"}', "application/json"),
    "nothing": (b"", "application/xml"),
    "not text": (b"\xff\xfe\x00", "application/xml"),
    "cut off": (b"<ListBucketResult><Name>upload</Name><Contents><Key>a</Ke", "application/xml"),
}


def store_of(server: HTTPServer) -> S3ObjectStore:
    return S3ObjectStore(StoreSettings(server.url_for("").rstrip("/"), "reader", "reader-secret"))


@pytest.mark.parametrize(("body", "content_type"), NO_LISTINGS.values(), ids=NO_LISTINGS)
def test_what_is_no_listing_is_never_taken_for_an_empty_one(
    httpserver: HTTPServer, body: bytes, content_type: str
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data(body, content_type=content_type)
    with pytest.raises(TemporaryError, match=r"^s3://upload/in/: .*what answers there is not an S3 server"):
        list(store_of(httpserver).list("upload", "in/"))


@pytest.mark.parametrize("name", ["html", "json", "nothing", "cut off"])
def test_nor_for_a_list_of_uploads(httpserver: HTTPServer, name: str) -> None:
    body, content_type = NO_LISTINGS[name]
    httpserver.expect_request(re.compile(".*")).respond_with_data(body, content_type=content_type)
    with pytest.raises(TemporaryError, match="what answers there is not an S3 server"):
        store_of(httpserver).abort_uploads(SourceRule("upload"), 0)


@pytest.mark.parametrize(("body", "content_type"), NO_LISTINGS.values(), ids=NO_LISTINGS)
def test_reconcile_ends_with_words_and_the_code_for_later(
    httpserver: HTTPServer,
    body: bytes,
    content_type: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data(body, content_type=content_type)
    for name, value in {
        "MINIO_ENDPOINT": httpserver.url_for("").rstrip("/"),
        "MINIO_ACCESS_KEY": "a",
        "MINIO_SECRET_KEY": "b",
        "SOURCE": "s3://upload/*",
        "SINK": "s3://processed/{key}.gz",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(ROOT)
    assert main(["reconcile", "compress", "--check"]) == 75
    assert "what answers there is not an S3 server; MINIO_ENDPOINT must lead to MinIO's API" in capsys.readouterr().err


# Objects that were stored with a key of the customer's own (SSE-C): the store tells neither state nor bytes without it.

REFUSED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>InvalidRequest</Code><Message>The object was stored using a '
    b"form of Server Side Encryption. The correct parameters must be provided to retrieve the object.</Message></Error>"
)
LISTED = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>upload</Name><IsTruncated>false</IsTruncated>
<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e1&quot;</ETag><Size>8</Size>
<UserMetadata><content-type>text/csv</content-type><X-Amz-Meta-Colour>blue</X-Amz-Meta-Colour></UserMetadata></Contents>
</ListBucketResult>"""


@pytest.fixture(params=["a.csv", "odd\tkey.csv"], ids=["plain", "odd"])
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def encrypted(httpserver: HTTPServer, key: str) -> S3ObjectStore:
    """A bucket `upload` with one object of this kind, as MinIO and S3 answer for it."""

    def answer(request: Request) -> Response:
        if "list-type" in request.args:
            text = LISTED.format(key=key.replace("\t", "&#9;")) if key.startswith(request.args["prefix"]) else ""
            return Response(text, content_type="application/xml")
        return Response(b"" if request.method == "HEAD" else REFUSED, 400, content_type="application/xml")

    httpserver.expect_request(re.compile(r"(?s).*")).respond_with_handler(answer)
    return store_of(httpserver)


def test_its_state_is_what_the_listing_tells_and_its_bytes_are_refused(encrypted: S3ObjectStore, key: str) -> None:
    ref = ObjectRef("upload", key)
    (listed,) = encrypted.list("upload")
    assert (listed.etag, listed.content_type, listed.metadata) == ("e1", "text/csv", {"colour": "blue"})
    for state in (encrypted.head(ref), encrypted.stat(ref)):
        assert state == listed
    opened = encrypted.open(ref)
    assert opened is not None
    assert opened[0] == listed
    with pytest.raises(PermanentError, match="encrypted with a key of its own"):
        list(opened[1])


class TwoStores(MemoryStore):
    """The bucket `upload` is another store's."""

    def __init__(self, other: S3ObjectStore) -> None:
        super().__init__("processed")
        self.other = other

    def head(self, ref: ObjectRef) -> ObjectState | None:
        return self.other.head(ref) if ref.bucket == "upload" else super().head(ref)

    def stat(self, ref: ObjectRef) -> ObjectState | None:
        return self.other.stat(ref) if ref.bucket == "upload" else super().stat(ref)

    def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> tuple[ObjectState, Iterable[bytes]] | None:
        return self.other.open(ref) if ref.bucket == "upload" else super().open(ref, if_etag=if_etag)

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        return self.other.list(bucket, prefix) if bucket == "upload" else super().list(bucket, prefix, start_after)


def test_it_ends_as_a_recorded_refusal_and_reconcile_agrees(encrypted: S3ObjectStore, key: str) -> None:
    lake = Lake(store=TwoStores(encrypted))
    outcome = lake.agree(ObjectRef("upload", key))
    assert (outcome.kind, outcome.status) == ("refused", 422)
    (record,) = lake.refusals()
    assert "encrypted with a key of its own" in record["reason"]
    assert reconcile(lake.runtime, check=True).found == {"agreeing": 1}
    assert reconcile(lake.runtime).done == {}
