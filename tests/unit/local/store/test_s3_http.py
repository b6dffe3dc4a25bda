"""Requests as the embedded store reads them: signatures, names, bodies, and what is refused."""

import socket

import pytest
import urllib3
from minio.error import S3Error
from penstock.connect.minio.listen import minio_lines
from penstock.errors import PenstockError
from penstock.lake.minio_admin import Admin
from penstock.local.store.server import EmbeddedStore

from tests.unit.local.store.conftest import ACCESS_KEY, SECRET_KEY, client, put


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


def test_what_only_minio_has_is_refused_in_words(server: EmbeddedStore) -> None:
    """Else moto answers for it: with a bucket that does not exist, or with a listing in place of a stream of events."""
    with pytest.raises(
        PenstockError, match=r"NotImplemented: this is the store of penstock up, which has no admin API"
    ):
        Admin(server.settings).info()
    with pytest.raises(PenstockError, match="tells its functions alone of events: penstock up prints a line for each"):
        next(minio_lines(server.settings, "upload", ["s3:ObjectCreated:*"]))
