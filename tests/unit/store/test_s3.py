"""The S3 store against moto's server, as the local stack wraps it, and against servers with faults."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from minio import Minio
from obstore.exceptions import GenericError
from penstock.errors import ConfigError, PermanentError, TemporaryError
from penstock.local.store.server import EmbeddedStore
from penstock.settings.config import SourceRule, StoreSettings
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.store_contract import KEYS, MIB, Broken, StoreContract, Unfinished, failing, write
from tests.uploads import UploadsClient

REF = ObjectRef("upload", "a")
_numbers = count()


def settings(url: str) -> StoreSettings:
    return StoreSettings(url, "reader", "reader-secret")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedStore]:
    embedded = EmbeddedStore(
        access_key="reader",
        secret_key="reader-secret",
        notify=lambda _ref, _document: None,
        wanted=lambda _name, _ref: False,
    )
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
def client(server: EmbeddedStore) -> UploadsClient:
    """Another client of the same server: it tells what is really there."""
    host = server.settings.endpoint.removeprefix("http://")
    return UploadsClient(host, "reader", "reader-secret", secure=False, region="us-east-1")


@pytest.fixture
def bucket(client: Minio) -> str:
    name = f"bucket-{next(_numbers)}"
    client.make_bucket(name)
    return name


@pytest.fixture
def store(server: EmbeddedStore) -> S3ObjectStore:
    return S3ObjectStore(server.settings)


@pytest.fixture
def unfinished(client: UploadsClient, bucket: str) -> Unfinished:
    return lambda: client.unfinished(bucket)


class TestS3ObjectStore(StoreContract):
    """The contract, over HTTP."""


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_other_clients_see_the_same_key(store: S3ObjectStore, client: Minio, bucket: str, key: str) -> None:
    write(store, ObjectRef(bucket, key), b"one")
    assert [found.object_name for found in client.list_objects(bucket, recursive=True)] == [key]
    with client.get_object(bucket, key) as response:
        assert response.read() == b"one"


def test_upload_that_was_given_up_is_found_and_aborted(
    store: S3ObjectStore, client: UploadsClient, bucket: str, unfinished: Unfinished
) -> None:
    client.begin_upload(bucket, "out/a.gz")
    client.begin_upload(bucket, "else/a.gz")
    outputs = SourceRule(bucket, "out/", ".gz")
    assert store.abort_uploads(outputs, -1, dry_run=True) == ("out/a.gz",)
    assert store.abort_uploads(outputs, -1) == ("out/a.gz",)
    assert unfinished() == ["else/a.gz"]


def test_ca_file_without_a_certificate_is_told_at_start(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("not a certificate")
    with pytest.raises(ConfigError, match=r"MINIO_CA_FILE=.*ca.pem: No certificates found"):
        S3ObjectStore(StoreSettings("https://127.0.0.1:1", "a", "b", ca_file=ca_file))


@pytest.mark.parametrize("key", ["a", "odd\nkey"], ids=["plain", "odd"])
@pytest.mark.parametrize(
    ("wrong", "setting"),
    [(("wrong-key", "reader-secret"), "MINIO_ACCESS_KEY"), (("reader", "wrong-secret"), "MINIO_SECRET_KEY")],
    ids=["key", "secret"],
)
def test_wrong_credentials_are_temporary_and_name_the_setting(
    server: EmbeddedStore, bucket: str, wrong: tuple[str, str], setting: str, key: str
) -> None:
    store = S3ObjectStore(StoreSettings(server.settings.endpoint, *wrong))
    ref = ObjectRef(bucket, key)
    for act in (store.head, store.stat, store.open, lambda ref: write(store, ref, b"x")):
        with pytest.raises(TemporaryError, match=rf"(?s)refuses the credentials.*check {setting}") as caught:
            act(ref)
        assert wrong[1] not in str(caught.value)
    with pytest.raises(TemporaryError, match="refuses the credentials"):
        store.check(bucket)


# A server that refuses


def answering(server: HTTPServer, status: int, code: str) -> S3ObjectStore:
    """A store whose server gives one answer to everything: S3's XML, which HEAD has no body for."""

    def answer(request: Request) -> Response:
        body = "" if request.method == "HEAD" else f"<Error><Code>{code}</Code><Message>no</Message></Error>"
        return Response(body, status, content_type="application/xml")

    server.expect_request(re.compile(r"(?s).*")).respond_with_handler(answer)
    return S3ObjectStore(settings(server.url_for("").rstrip("/")))


ANSWERS = [
    (403, "AccessDenied", TemporaryError, "access denied; the policy must allow"),
    (403, "InvalidAccessKeyId", TemporaryError, "refuses the credentials .*check MINIO_ACCESS_KEY"),
    (403, "SignatureDoesNotMatch", TemporaryError, "refuses the credentials .*check MINIO_SECRET_KEY"),
    (403, "RequestTimeTooSkewed", TemporaryError, "clock and the store's differ too much"),
    (404, "NoSuchBucket", TemporaryError, "the bucket does not exist"),
    (400, "XMinioInvalidObjectName", PermanentError, "the store refuses it: XMinioInvalidObjectName"),
    (400, "KeyTooLongError", PermanentError, "the store refuses it: KeyTooLongError"),
    (500, "InternalError", TemporaryError, "the object store failed"),
    (503, "SlowDown", TemporaryError, "the object store failed"),
    (507, "XMinioStorageFull", TemporaryError, "the object store failed"),
]


@pytest.mark.parametrize("key", ["a", "odd\nkey"], ids=["plain", "odd"])
@pytest.mark.parametrize(("status", "code", "error", "text"), ANSWERS, ids=[answer[1] for answer in ANSWERS])
def test_refusal_of_the_server_is_never_taken_for_absence(
    httpserver: HTTPServer, status: int, code: str, error: type[Exception], text: str, key: str
) -> None:
    store = answering(httpserver, status, code)
    ref = ObjectRef("upload", key)
    for act in (lambda: store.stat(ref), lambda: store.open(ref), lambda: write(store, ref, b"x")):
        with pytest.raises(error, match=f"(?s){text}"):
            act()
    if status != 404:  # a 404 to HEAD may be either; stat asks again
        with pytest.raises(error, match=f"(?s){text}"):
            store.head(ref)


def test_server_that_is_down_is_temporary_and_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    store = S3ObjectStore(settings(f"http://127.0.0.1:{port}"))
    for key in ("a", "odd\nkey"):
        for act in (store.head, store.stat, store.open, store.delete, lambda ref: write(store, ref, b"x")):
            with pytest.raises(TemporaryError, match="the object store failed"):
                act(ObjectRef("upload", key))
    with pytest.raises(TemporaryError, match="the object store failed"):
        list(store.list("upload"))
    with pytest.raises(TemporaryError, match="the object store failed"):
        store.check("upload")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (200, "not an S3 server; MINIO_ENDPOINT must lead to MinIO's API"),
        (302, "not an S3 server; MINIO_ENDPOINT must lead to MinIO's API"),
        (404, "not an S3 server; MINIO_ENDPOINT must lead to MinIO's API"),
        (502, "it answered 502 Bad Gateway and no S3 error; see its log"),
    ],
)
def test_page_where_the_store_should_be_is_told_in_words(httpserver: HTTPServer, status: int, text: str) -> None:
    page = Response("<html>Console</html>", status, {"Location": "/login"}, content_type="text/html")
    httpserver.expect_request(re.compile(".*")).respond_with_response(page)
    url = httpserver.url_for("").rstrip("/")
    with pytest.raises(TemporaryError, match=f"^MINIO_ENDPOINT={url}: bucket upload: .*{text}") as caught:
        S3ObjectStore(settings(url)).check("upload")
    assert "Error performing" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://127.0.0.1:{closed}", "nothing listens there; start it, or check host and port"),
        ("http://store.invalid:9000", "its host name does not resolve"),
        ("https://127.0.0.1:{open}", "it does not speak TLS; MINIO_ENDPOINT needs http://"),
    ],
)
def test_store_that_cannot_be_reached_is_told_in_words(httpserver: HTTPServer, url: str, text: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    url = url.format(closed=closed, open=httpserver.port)
    store = S3ObjectStore(settings(url))
    with pytest.raises(TemporaryError, match=f"^MINIO_ENDPOINT={url}: bucket upload: .*{text}") as caught:
        store.check("upload")
    assert "Error performing" not in str(caught.value)
    with pytest.raises(TemporaryError, match=text):
        list(store.list("upload"))


def test_key_with_403_in_it_is_no_access_denied(httpserver: HTTPServer) -> None:
    store = answering(httpserver, 500, "InternalError")
    with pytest.raises(TemporaryError) as caught:
        store.open(ObjectRef("upload", "room-403.csv"))
    assert "access denied" not in str(caught.value)


def test_error_text_holds_no_credentials(httpserver: HTTPServer) -> None:
    store = answering(httpserver, 500, "InternalError")
    for key in ("a", "odd\nkey"):
        with pytest.raises(TemporaryError) as caught:
            store.stat(ObjectRef("upload", key))
        assert "reader" not in str(caught.value)
        assert "\n" not in str(caught.value).replace(key, "")


@pytest.mark.parametrize(
    ("content_type", "metadata"),
    [
        ("text/x\nX-Evil: 1", {}),
        ("text/x", {"name": "two\nlines"}),
        ("text/x", {"two words": "1"}),
        ("text/x", {"a:b": "1"}),
    ],
)
@pytest.mark.parametrize("key", ["a", "odd\nkey"], ids=["plain", "odd"])
def test_what_no_header_can_carry_is_refused_and_brings_nothing_down(
    store: S3ObjectStore, bucket: str, content_type: str, metadata: dict[str, str], key: str
) -> None:
    with pytest.raises(PermanentError, match="an HTTP header cannot carry"):
        store.put(ObjectRef(bucket, key), [b"x"], content_type=content_type, metadata=metadata)
    assert store.stat(ObjectRef(bucket, key)) is None


# A server that is slow, or breaks off


class OneAnswer:
    """Listens for one request, answers with a length of 64 MiB, sends one of them, and waits to be told more."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.go_on = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        self._listener.close()  # the next connection is refused at once
        with connection:
            connection.recv(65536)
            connection.sendall(
                b'HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\nETag: "e"\r\n'
                b"Last-Modified: Sat, 21 Nov 2026 05:00:00 GMT\r\n\r\n" + b"x" * MIB
            )
            self.go_on.wait(60)

    def close(self) -> None:
        self.go_on.set()
        self._thread.join(60)


@pytest.fixture
def one_answer() -> Iterator[OneAnswer]:
    server = OneAnswer()
    yield server
    server.close()


@pytest.mark.parametrize("key", ["a", "odd\nkey"], ids=["plain", "odd"])
def test_object_is_handed_on_while_it_arrives(one_answer: OneAnswer, key: str) -> None:
    opened = S3ObjectStore(settings(one_answer.url)).open(ObjectRef("upload", key))
    assert opened is not None
    state, chunks = opened
    assert state.size == 64 * MIB
    # The server holds the rest back: who waited for the whole object would wait in vain.
    first = next(iter(chunks))
    assert first == b"x" * len(first)
    assert 0 < len(first) <= MIB


@pytest.mark.parametrize("key", ["a", "odd\nkey"], ids=["plain", "odd"])
def test_connection_that_breaks_off_is_a_temporary_error_not_a_short_object(one_answer: OneAnswer, key: str) -> None:
    opened = S3ObjectStore(settings(one_answer.url)).open(ObjectRef("upload", key))
    assert opened is not None
    one_answer.go_on.set()
    with pytest.raises(TemporaryError, match="the connection broke while it was read"):
        list(opened[1])


def test_failure_of_the_chunks_is_told_and_not_that_of_the_abort_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """s3proxy may refuse to abort an upload while a part is under way."""

    class Writer:
        def __enter__(self) -> Writer:
            return self

        def write(self, data: bytes) -> None:
            pass

        def __exit__(self, *_given: object) -> None:
            raise GenericError("the abort was answered 400")

    monkeypatch.setattr("penstock.store.s3.obstore.open_writer", lambda *_given, **_named: Writer())
    settings = StoreSettings("http://127.0.0.1:9", "a", "b")
    with pytest.raises(Broken):
        S3ObjectStore(settings).put(
            ObjectRef("upload", "a"), failing(11 * MIB, Broken()), content_type="t/x", metadata={}
        )
