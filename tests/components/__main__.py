"""Install or start the tests' real servers: `python -m tests.components install|start [NAME...]`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.components.cassandra import CASSANDRA, CassandraServer
from tests.components.cluster import ClusterServer
from tests.components.cluster.programs import install_programs
from tests.components.crds import GO_CRDS
from tests.components.databases import MariadbServer
from tests.components.errors import ComponentError
from tests.components.install import ensure_debian_package, progress
from tests.components.kafka import KAFKA, KafkaServer
from tests.components.keda import KEDA
from tests.components.knative import KNATIVE_CHECK, QUEUE_PROXY
from tests.components.kubernetes import KUBECONFORM, KUBERNETES, KWOK, KubernetesServer
from tests.components.minio import MC, MINIO, MinioServer
from tests.components.mosquitto import MosquittoServer
from tests.components.postgresql import PostgresServer
from tests.components.process import Server
from tests.components.prometheus import PROMETHEUS, RULE_CHECK, PrometheusServer
from tests.components.queues import (
    ELASTICMQ,
    NSQD,
    ElasticMqServer,
    NatsServer,
    NsqdServer,
    RabbitServer,
    RedisServer,
)
from tests.components.search import (
    ELASTICSEARCH,
    ELASTICSEARCH_8,
    ELASTICSEARCH_9,
    OPENSEARCH,
    OPENSEARCH_3,
    Elasticsearch8Server,
    Elasticsearch9Server,
    ElasticsearchServer,
    OpenSearch3Server,
    OpenSearchServer,
)
from tests.components.stores import S3PROXY, SEAWEEDFS, VERSITY, S3ProxyServer, SeaweedServer, VersityServer

SERVERS: Mapping[str, Callable[[Path | None], Server[Any]]] = {
    "minio": MinioServer,
    "kafka": KafkaServer,
    "mosquitto": MosquittoServer,
    "opensearch": OpenSearchServer,
    "opensearch3": OpenSearch3Server,
    "elasticsearch": ElasticsearchServer,
    "elasticsearch8": Elasticsearch8Server,
    "elasticsearch9": Elasticsearch9Server,
    "kubernetes": KubernetesServer,
    "cluster": ClusterServer,
    "postgresql": PostgresServer,
    "cassandra": CassandraServer,
    "prometheus": PrometheusServer,
    "redis": RedisServer,
    "nats": NatsServer,
    "elasticmq": ElasticMqServer,
    "nsqd": NsqdServer,
    "rabbitmq": RabbitServer,
    "mariadb": MariadbServer,
    "versity": VersityServer,
    "seaweedfs": SeaweedServer,
    "s3proxy": S3ProxyServer,
}
INSTALLERS: Mapping[str, Callable[[], Path]] = {
    "minio": MINIO.install,
    "mc": MC.install,
    "kafka": KAFKA.install,
    "mosquitto": lambda: ensure_debian_package("mosquitto"),
    "opensearch": OPENSEARCH.install,
    "opensearch3": OPENSEARCH_3.install,
    "elasticsearch": ELASTICSEARCH.install,
    "elasticsearch8": ELASTICSEARCH_8.install,
    "elasticsearch9": ELASTICSEARCH_9.install,
    "postgresql": lambda: ensure_debian_package("postgresql", "pg_lsclusters"),
    "cassandra": CASSANDRA.install,
    "kubernetes": KUBERNETES.install,
    "kwok": KWOK.install,
    "kubeconform": KUBECONFORM.install,
    "queue-proxy": QUEUE_PROXY.install,
    "knative-check": KNATIVE_CHECK.install,
    "keda": KEDA.install,
    "rule-check": RULE_CHECK.install,
    "prometheus": PROMETHEUS.install,
    "cluster": lambda: install_programs().knative,
    "redis": lambda: ensure_debian_package("redis-server"),
    "elasticmq": ELASTICMQ.install,
    "nats": lambda: ensure_debian_package("nats-server"),
    "nsqd": NSQD.install,
    "rabbitmq": lambda: ensure_debian_package("rabbitmq-server"),
    "mariadb": lambda: ensure_debian_package("mariadb-server", "mariadbd"),
    "versity": VERSITY.install,
    "seaweedfs": SEAWEEDFS.install,
    "s3proxy": S3PROXY.install,
    "crds": lambda: [source.install() for source in GO_CRDS][-1].parent,
}

# Left out where no name is given: `make cluster` and `make keda` build what they need, and nothing else does.
_ON_DEMAND = ("cluster", "keda")


def install(names: list[str]) -> bool:
    """Install the named components, or all; one that fails does not keep the others. Tells whether all worked."""
    complete = True
    for name in names or [each for each in INSTALLERS if each not in _ON_DEMAND]:
        try:
            progress(f"{name}: {INSTALLERS[name]()}")
        except ComponentError as error:
            progress(f"{name}: {error}")
            complete = False
    return complete


def start(names: list[str], folder: Path | None) -> None:
    """Run the named servers, print their endpoints as one JSON line, and stop them on Ctrl+C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end the `with` block through KeyboardInterrupt
    with ExitStack() as stack:
        endpoints: dict[str, Any] = {}
        for name in names:
            server = SERVERS[name](folder / name if folder else None)
            stack.enter_context(server)
            endpoints[name] = dataclasses.asdict(server.endpoint)
            memory_mb = server.resident_bytes() // 1_000_000
            progress(f"{name}: ready in {server.started_in_seconds:.1f} s, {memory_mb} MB, working in {server.folder}")
        print(json.dumps(endpoints, default=str), flush=True)
        signal.pause()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.components", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    installs = commands.add_parser(
        "install", help="put components into the cache (without a name: all but the cluster)"
    )
    installs.add_argument("names", nargs="*", metavar="NAME", help=", ".join(INSTALLERS))
    starts = commands.add_parser("start", help="run servers in the foreground; prints endpoints as one JSON line")
    starts.add_argument("names", nargs="+", metavar="NAME", help=", ".join(SERVERS))
    starts.add_argument("--folder", type=Path, help="keep data and logs here (default: temporary folders)")
    arguments = parser.parse_args()
    known = INSTALLERS if arguments.command == "install" else SERVERS
    if unknown := sorted(set(arguments.names) - set(known)):
        parser.error(f"unknown component {', '.join(unknown)}; there are: {', '.join(known)}")
    try:
        if arguments.command == "install":
            return 0 if install(arguments.names) else 1
        start(arguments.names, arguments.folder)
    except ComponentError as error:
        progress(str(error))
        return 1
    except KeyboardInterrupt:
        return 0 if arguments.command == "start" else 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
