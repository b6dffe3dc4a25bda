"""MinIO behind a private authority: every client takes MINIO_CA_FILE, none goes without verification."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from penstock.errors import ConfigError, PenstockError
from penstock.lake import Bucket, DeclaredLake, NotificationTarget, Rule, TargetRef, apply, plan
from penstock.settings.config import StoreSettings
from penstock.settings.environment import load_store_settings
from penstock.store.any_key import AnyKeyClient
from penstock.store.minio_client import connect
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef
from urllib3.exceptions import HTTPError

from tests.components import MinioServer
from tests.components.certificates import make_certificates
from tests.integration.connect_helpers import RecordingFunction
from tests.integration.processes import store_settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with MinioServer(tmp_path_factory.mktemp("tls"), tls=True) as server:
        server.endpoint.client().make_bucket("upload")
        server.endpoint.client().put_object("upload", "one", io.BytesIO(b"1"), 1)
        yield server


@pytest.fixture
def settings(server: MinioServer) -> StoreSettings:
    """With the authority that signed the server's certificate."""
    return load_store_settings({**store_settings(server), "MINIO_CA_FILE": str(server.endpoint.ca_file)})


@pytest.fixture(params=["another authority", "none"])
def distrusting(request: pytest.FixtureRequest, settings: StoreSettings, tmp_path: Path) -> StoreSettings:
    """With another authority, or with those of the system only."""
    ca_file = make_certificates(tmp_path).ca_file if request.param == "another authority" else None
    return dataclasses.replace(settings, ca_file=ca_file)


def lake(url: str, folder: Path) -> DeclaredLake:
    ref = TargetRef("webhook", "bridge")
    target = NotificationTarget(ref, {"endpoint": url, "queue_dir": str(folder)}, {"auth_token": "token"})
    return DeclaredLake("tls", (Bucket("processed"),), (target,), (Rule("processed", ref),))


def test_a_lake_is_applied_and_events_arrive(server: MinioServer, settings: StoreSettings, tmp_path: Path) -> None:
    receiver = RecordingFunction()
    declared = lake(receiver.url, tmp_path / "queue")
    try:
        assert apply(settings, declared) != []
        assert apply(settings, declared) == []
        S3ObjectStore(settings).put(ObjectRef("processed", "two"), [b"2"], content_type="text/plain", metadata={})
        server.wait_until(lambda: len(receiver.calls) >= 1, "delivered")
    finally:
        receiver.stop()


def test_every_client_reads_with_the_right_authority(settings: StoreSettings) -> None:
    for client in (S3ObjectStore(settings), AnyKeyClient(settings)):
        opened = client.open(ObjectRef("upload", "one"))
        assert opened is not None
        assert b"".join(opened[1]) == b"1"


def test_lake_says_whose_certificate_is_not_trusted(
    server: MinioServer, distrusting: StoreSettings, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(distrusting, lake("http://127.0.0.1:1", tmp_path))

    why = f"MINIO_CA_FILE={distrusting.ca_file} did not sign it" if distrusting.ca_file else "MINIO_CA_FILE is not set"
    assert str(caught.value).startswith(f"{server.endpoint.url}: its certificate is not trusted (")
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "read",
    [
        lambda settings: S3ObjectStore(settings).head(ObjectRef("upload", "one")),
        lambda settings: S3ObjectStore(settings).put(
            ObjectRef("upload", "two"), [b"2"], content_type="text/plain", metadata={}
        ),
        lambda settings: AnyKeyClient(settings).head(ObjectRef("upload", "one")),
        lambda settings: list(S3ObjectStore(settings).list("upload")),
    ],
    ids=["obstore head", "obstore put", "minio-py head", "minio-py list"],
)
def test_no_store_client_goes_on_with_a_certificate_that_is_not_trusted(
    distrusting: StoreSettings, read: Callable[[StoreSettings], object]
) -> None:
    with pytest.raises(PenstockError, match=r"(?i)certificate"):
        read(distrusting)


def test_plain_minio_py_does_not_go_on_either(distrusting: StoreSettings) -> None:
    with pytest.raises(HTTPError, match="CERTIFICATE_VERIFY_FAILED"):
        connect(distrusting).list_buckets()


def test_an_endpoint_without_tls_is_told(server: MinioServer, settings: StoreSettings, tmp_path: Path) -> None:
    plain = dataclasses.replace(settings, endpoint=server.endpoint.url.replace("https://", "http://"))

    with pytest.raises(ConfigError, match="speaks TLS; write MINIO_ENDPOINT with https://"):
        plan(plain, lake("http://127.0.0.1:1", tmp_path))


def test_tls_to_an_endpoint_without_it_is_told(settings: StoreSettings, tmp_path: Path) -> None:
    with MinioServer(tmp_path / "plain") as plain:
        wrong = dataclasses.replace(settings, endpoint=plain.endpoint.url.replace("http://", "https://"))

        with pytest.raises(ConfigError, match="answers without TLS; write MINIO_ENDPOINT with http://"):
            plan(wrong, lake("http://127.0.0.1:1", tmp_path))
