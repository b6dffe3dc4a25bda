"""The S3 store on real servers of other makers: the contract of all stores, and where each differs from MinIO."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from penstock.settings.config import StoreSettings
from penstock.store.s3 import S3ObjectStore

from tests.components import S3ProxyServer, SeaweedServer, VersityServer
from tests.components.stores import StoreServer
from tests.store_contract import StoreContract, Unfinished
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
    def server(self, versity: StoreServer) -> StoreServer:
        return versity


class TestSeaweedFS(OtherStore):
    """SeaweedFS."""

    @pytest.fixture
    def server(self, seaweedfs: StoreServer) -> StoreServer:
        return seaweedfs


class TestS3Proxy(OtherStore):
    """s3proxy over a folder."""

    @pytest.fixture
    def server(self, s3proxy: StoreServer) -> StoreServer:
        return s3proxy
