"""Real servers for the tests: installed into a cache, started on loopback, stopped with the test (see README.md)."""

from tests.components.errors import ComponentError
from tests.components.kafka import KafkaEndpoint, KafkaServer
from tests.components.knative import QueueProxyEndpoint, QueueProxyServer
from tests.components.kubernetes import KubernetesEndpoint, KubernetesServer
from tests.components.minio import MinioEndpoint, MinioServer
from tests.components.mosquitto import MosquittoEndpoint, MosquittoServer
from tests.components.postgresql import PostgresEndpoint, PostgresServer
from tests.components.search import ElasticsearchServer, OpenSearchServer, SearchEndpoint

__all__ = [
    "ComponentError",
    "ElasticsearchServer",
    "KafkaEndpoint",
    "KafkaServer",
    "KubernetesEndpoint",
    "KubernetesServer",
    "MinioEndpoint",
    "MinioServer",
    "MosquittoEndpoint",
    "MosquittoServer",
    "OpenSearchServer",
    "PostgresEndpoint",
    "PostgresServer",
    "QueueProxyEndpoint",
    "QueueProxyServer",
    "SearchEndpoint",
]
