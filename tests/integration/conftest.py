"""Real servers for the tests that ask for them: each is started once a session, when the first test wants it.

A test that needs its own server (other options, a kill, a restart) makes it: `with MinioServer(tmp_path, tls=True) as
server`. The shared ones are never stopped, restarted or reconfigured by a test.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

# Whether pytest was started as a program or as a module decides if the checkout is importable; here it always is.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.components import (
    CassandraServer,
    Elasticsearch8Server,
    Elasticsearch9Server,
    ElasticsearchServer,
    KafkaServer,
    KubernetesServer,
    MinioServer,
    MosquittoServer,
    OpenSearch3Server,
    OpenSearchServer,
    PostgresServer,
)
from tests.integration.connect_helpers import RecordingFunction
from tests.integration.operators import Cluster, make_cluster


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with MinioServer(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MosquittoServer]:
    with MosquittoServer(tmp_path_factory.mktemp("mosquitto")) as server:
        yield server


@pytest.fixture(scope="session")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearchServer]:
    with OpenSearchServer(tmp_path_factory.mktemp("opensearch")) as server:
        yield server


@pytest.fixture(scope="session")
def opensearch3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearch3Server]:
    with OpenSearch3Server(tmp_path_factory.mktemp("opensearch3")) as server:
        yield server


@pytest.fixture(scope="session")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ElasticsearchServer]:
    with ElasticsearchServer(tmp_path_factory.mktemp("elasticsearch")) as server:
        yield server


@pytest.fixture(scope="session")
def elasticsearch8(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch8Server]:
    with Elasticsearch8Server(tmp_path_factory.mktemp("elasticsearch8")) as server:
        yield server


@pytest.fixture(scope="session")
def elasticsearch9(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch9Server]:
    with Elasticsearch9Server(tmp_path_factory.mktemp("elasticsearch9")) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("postgresql")) as server:
        yield server


@pytest.fixture(scope="session")
def cassandra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CassandraServer]:
    with CassandraServer(tmp_path_factory.mktemp("cassandra")) as server:
        yield server


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesServer]:
    with KubernetesServer(tmp_path_factory.mktemp("kubernetes")) as server:
        yield server


@pytest.fixture(scope="session")
def cluster(kubernetes: KubernetesServer) -> Cluster:
    """The same API server with the kinds of the operators; fails without PENSTOCK_CRDS."""
    return make_cluster(kubernetes)


@pytest.fixture
def function() -> Iterator[RecordingFunction]:
    """A function that answers 200 until the test decides otherwise."""
    made = RecordingFunction()
    yield made
    made.stop()


@pytest.fixture
def unique_name() -> str:
    """A new name for a bucket, topic, index or namespace, because the servers are shared."""
    return f"test-{uuid.uuid4().hex[:12]}"
