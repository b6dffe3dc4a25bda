"""The S3 store on real servers of other makers: the contract of all stores, and where each differs from MinIO."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from penstock.settings.config import SourceRule, StoreSettings
from penstock.store import Store
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.components import S3ProxyServer, SeaweedServer, VersityServer
from tests.components.stores import StoreServer
from tests.store_contract import KEYS, StoreContract, Unfinished, write
from tests.uploads import UploadsClient


@pytest.fixture(scope="module")
def versity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with VersityServer(tmp_path_factory.mktemp("versity")) as server:
        yield server


@pytest.fixture(scope="module")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with SeaweedServer(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="module")
def s3proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with S3ProxyServer(tmp_path_factory.mktemp("s3proxy")) as server:
        yield server


class OtherStore(StoreContract):
    """The contract on the server that a subclass gives as the fixture `server`."""

    @pytest.fixture
    def client(self, server: StoreServer) -> UploadsClient:
        return server.endpoint.client()

    @pytest.fixture
    def bucket(self, client: UploadsClient, unique_name: str) -> str:
        client.make_bucket(unique_name)
        return unique_name

    @pytest.fixture
    def store(self, server: StoreServer) -> S3ObjectStore:
        endpoint = server.endpoint
        return S3ObjectStore(StoreSettings(endpoint.url, endpoint.access_key, endpoint.secret_key))

    @pytest.fixture
    def unfinished(self, client: UploadsClient, bucket: str) -> Unfinished:
        return lambda: client.unfinished(bucket)


class TestVersity(OtherStore):
    """Versity's gateway over a folder."""

    @pytest.fixture
    def unfinished(self, client: UploadsClient, bucket: str, store: S3ObjectStore) -> Unfinished:
        """Parts under way when an upload is aborted may leave it behind; reconcile removes such a one, as here."""

        def left() -> list[str]:
            store.abort_uploads(SourceRule(bucket), -5)
            return client.unfinished(bucket)

        return left

    @pytest.fixture
    def server(self, versity: StoreServer) -> StoreServer:
        return versity


class TestSeaweedFS(OtherStore):
    """SeaweedFS: a file system underneath decides about two things."""

    @pytest.mark.parametrize("key", [key for name, key in KEYS.items() if name != "backslash"])
    def test_key_arrives_exactly_as_it_is(self, store: Store, bucket: str, key: str) -> None:
        super().test_key_arrives_exactly_as_it_is(store, bucket, key)

    def test_backslash_in_a_key_is_a_slash(self, store: Store, bucket: str) -> None:
        write(store, ObjectRef(bucket, "a\\b.csv"), b"one")
        assert [state.ref.key for state in store.list(bucket)] == ["a/b.csv"]

    def test_listing_is_in_key_order_by_plain_prefix(self, store: Store, bucket: str) -> None:
        """It goes folder by folder: what is in `b/` comes before `b.x`, and every key comes once."""
        for key in ("b/2", "b/10", "b.x", "a", "bb", "B", "日"):
            write(store, ObjectRef(bucket, key), b"x")
        assert [state.ref.key for state in store.list(bucket)] == ["B", "a", "b/10", "b/2", "b.x", "bb", "日"]
        assert [state.ref.key for state in store.list(bucket, "b")] == ["b/10", "b/2", "b.x", "bb"]
        assert [state.ref.key for state in store.list(bucket, "b", "b/10")] == ["b/2", "b.x", "bb"]

    @pytest.fixture
    def server(self, seaweedfs: StoreServer) -> StoreServer:
        return seaweedfs


class TestS3Proxy(OtherStore):
    """s3proxy over a folder."""

    @pytest.fixture
    def server(self, s3proxy: StoreServer) -> StoreServer:
        return s3proxy
