"""Real servers for the tests: installed into a cache, started on loopback, stopped with the test (see README.md)."""

from tests.components.cassandra import CassandraCluster, CassandraEndpoint, CassandraServer
from tests.components.databases import DatabaseEndpoint, MariadbServer
from tests.components.errors import ComponentError
from tests.components.kafka import KafkaEndpoint, KafkaServer
from tests.components.knative import QueueProxyEndpoint, QueueProxyServer
from tests.components.kubernetes import KubernetesEndpoint, KubernetesServer
from tests.components.minio import MinioEndpoint, MinioServer
from tests.components.mosquitto import MosquittoEndpoint, MosquittoServer
from tests.components.postgresql import PostgresEndpoint, PostgresServer
from tests.components.prometheus import PrometheusApi, PrometheusEndpoint, PrometheusServer
from tests.components.queues import ElasticMqServer, NatsServer, NsqdServer, QueueEndpoint, RabbitServer, RedisServer
from tests.components.search import (
    Elasticsearch8Server,
    Elasticsearch9Server,
    ElasticsearchServer,
    OpenSearch3Server,
    OpenSearchServer,
    SearchEndpoint,
)
from tests.components.stores import S3ProxyServer, SeaweedServer, StoreServer, VersityServer

__all__ = [
    "CassandraCluster",
    "CassandraEndpoint",
    "CassandraServer",
    "ComponentError",
    "DatabaseEndpoint",
    "ElasticMqServer",
    "Elasticsearch8Server",
    "Elasticsearch9Server",
    "ElasticsearchServer",
    "KafkaEndpoint",
    "KafkaServer",
    "KubernetesEndpoint",
    "KubernetesServer",
    "MariadbServer",
    "MinioEndpoint",
    "MinioServer",
    "MosquittoEndpoint",
    "MosquittoServer",
    "NatsServer",
    "NsqdServer",
    "OpenSearch3Server",
    "OpenSearchServer",
    "PostgresEndpoint",
    "PostgresServer",
    "PrometheusApi",
    "PrometheusEndpoint",
    "PrometheusServer",
    "QueueEndpoint",
    "QueueProxyEndpoint",
    "QueueProxyServer",
    "RabbitServer",
    "RedisServer",
    "S3ProxyServer",
    "SearchEndpoint",
    "SeaweedServer",
    "StoreServer",
    "VersityServer",
]
