"""A real Apache Cassandra 5 with a password for its one role: one node, with TLS if wanted, or a cluster of three."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cassandra import DriverException, OperationTimedOut
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import WhiteListRoundRobinPolicy
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.components.certificates import Certificates, make_certificates
from tests.components.install import HERE, JavaLibrary, java
from tests.components.process import LOOPBACK, Server, free_ports

CASSANDRA = JavaLibrary("cassandra", HERE / "java" / "cassandra")

# The role that a new node makes by itself.
_USERNAME = "cassandra"
_PASSWORD = "cassandra"
_STORE_PASSWORD = "certificates of the tests"
# What Cassandra's own conf/jvm17-server.options opens to it, as far as one node needs it.
_EXPORTS = (  # noqa: SIM905 - names as in that file
    "java.base/jdk.internal.misc java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry "
    "java.rmi/sun.rmi.server java.sql/java.sql java.base/java.lang.ref jdk.unsupported/sun.misc "
    "jdk.compiler/com.sun.tools.javac.file java.base/sun.nio.ch"
).split()
_OPENS = (  # noqa: SIM905 - names as in that file
    "java.base/java.lang.module java.base/jdk.internal.loader java.base/jdk.internal.ref "
    "java.base/jdk.internal.reflect "
    "java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.util.jar "
    "jdk.management/com.sun.management.internal java.base/sun.nio.ch java.base/java.io java.base/java.nio "
    "java.base/java.util java.base/java.util.concurrent java.base/java.util.concurrent.atomic java.base/java.lang "
    "java.base/java.math java.base/java.lang.reflect java.base/java.net java.rmi/sun.rmi.transport.tcp"
).split()


@dataclass(frozen=True, slots=True)
class CassandraEndpoint:
    """What a client needs."""

    host: str
    port: int
    username: str
    password: str
    ca_file: Path | None

    others: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """The beginning of a SINK: keyspace and table follow."""
        return f"cassandra://{','.join((self.host, *self.others))}:{self.port}"

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A session of its own, which waits 60 s for answers."""
        policy = WhiteListRoundRobinPolicy([self.host])
        cluster = Cluster(
            [self.host],
            port=self.port,
            auth_provider=PlainTextAuthProvider(self.username, self.password),
            ssl_context=ssl.create_default_context(cafile=str(self.ca_file)) if self.ca_file else None,
            execution_profiles={EXEC_PROFILE_DEFAULT: ExecutionProfile(policy, request_timeout=60)},
            connect_timeout=20,
        )
        try:
            yield cluster.connect()
        finally:
            cluster.shutdown()

    def run(self, statement: str, *values: object) -> list[Any]:
        """Run one statement over a session of its own; its values stand as `%s`."""
        with self.session() as session:
            return list(session.execute(statement, values or None))


@dataclass(frozen=True, slots=True)
class _Node:
    """One node's folder, addresses and configuration."""

    folder: Path
    host: str
    port: int
    storage_port: int
    seeds: Sequence[str]
    options: Mapping[str, Any]
    # How many nodes keep each login. Cassandra makes the first one, whole, when a quorum of them is there.
    login_replicas: int = 1

    def write(self) -> None:
        data = self.folder / "data"
        options: dict[str, Any] = {
            "cluster_name": "penstock tests",
            "num_tokens": 1,
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "listen_address": self.host,
            "rpc_address": self.host,
            "native_transport_port": self.port,
            "storage_port": self.storage_port,
            "endpoint_snitch": "SimpleSnitch",
            "seed_provider": [
                {
                    "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                    "parameters": [{"seeds": ",".join(f"{seed}:{self.storage_port}" for seed in self.seeds)}],
                }
            ],
            "authenticator": "PasswordAuthenticator",
            "authorizer": "CassandraAuthorizer",
            "role_manager": "CassandraRoleManager",
            # Batch: a write is on disk before it is answered, so that a killed server loses nothing.
            "commitlog_sync": "batch",
            "data_file_directories": [str(data / "data")],
            "commitlog_directory": str(data / "commitlog"),
            "saved_caches_directory": str(data / "saved_caches"),
            "hints_directory": str(data / "hints"),
            "cdc_raw_directory": str(data / "cdc_raw"),
            "memtable_heap_space": "32MiB",
            "memtable_offheap_space": "32MiB",
            "key_cache_size": "4MiB",
            "file_cache_size": "16MiB",
            "concurrent_writes": 8,
            "concurrent_reads": 8,
            **self.options,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(json.dumps(options), encoding="utf-8")  # JSON is YAML

    def command(self, jars: Path, *, heap: str) -> list[str | Path]:
        opened = [
            *(f"--add-exports={name}=ALL-UNNAMED" for name in _EXPORTS),
            *(f"--add-opens={name}=ALL-UNNAMED" for name in _OPENS),
        ]
        settings = {
            "cassandra.config": f"file://{self._config}",
            "cassandra.storagedir": self.folder / "data",
            "cassandra-foreground": "yes",
            "cassandra.ring_delay_ms": "1",
            "cassandra.skip_wait_for_gossip_to_settle": "0",
            "cassandra.superuser_setup_delay_ms": "0",
            "cassandra.system_auth.default_rf": str(self.login_replicas),
            "jdk.attach.allowAttachSelf": "true",
            "java.io.tmpdir": self.folder,
        }
        given = [f"-D{name}={value}" for name, value in settings.items()]
        start = java(jars, f"-Xmx{heap}", "-Xms64m", "-Xss512k", "-XX:+UseSerialGC", *opened, *given)
        return [*start, "org.apache.cassandra.service.CassandraDaemon"]

    @property
    def _config(self) -> Path:
        return self.folder / "cassandra.yaml"


class CassandraServer(Server[CassandraEndpoint]):
    """Cassandra with authentication; its one role may do everything.

    `tls` serves TLS with a certificate of a new authority.
    """

    name = "cassandra"
    ready_timeout_seconds = 180

    def __init__(self, folder: Path | None = None, *, tls: bool = False) -> None:
        super().__init__(folder)
        self._certificates = make_certificates(self.folder / "tls") if tls else None

    def install(self) -> None:
        self._jars = CASSANDRA.install()

    def prepare(self) -> CassandraEndpoint:
        self.port, storage = free_ports(2)
        ca_file = None
        encryption: dict[str, Any] = {}
        if self._certificates:
            encryption["client_encryption_options"] = self._encryption(self._certificates)
            ca_file = self._certificates.ca_file
        self._node = _Node(self.folder, LOOPBACK, self.port, storage, [LOOPBACK], encryption)
        self._node.write()
        return CassandraEndpoint(LOOPBACK, self.port, _USERNAME, _PASSWORD, ca_file)

    def launch(self) -> None:
        self.run("cassandra", self._node.command(self._jars, heap="448m"))

    def is_ready(self) -> bool:
        if not self.listens_on(self.port):
            return False
        try:
            return bool(self.endpoint.run("SELECT key FROM system.local"))
        except (NoHostAvailable, DriverException, OperationTimedOut):
            return False

    def _encryption(self, certificates: Certificates) -> dict[str, Any]:
        key = serialization.load_pem_private_key(certificates.key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        certificate = x509.load_pem_x509_certificate(certificates.cert_file.read_bytes())
        store = self.folder / "tls" / "server.p12"
        how = serialization.BestAvailableEncryption(_STORE_PASSWORD.encode())
        store.write_bytes(pkcs12.serialize_key_and_certificates(b"server", key, certificate, None, how))
        given = {"store_type": "PKCS12", "keystore": str(store), "keystore_password": _STORE_PASSWORD}
        return {"enabled": True, "optional": False, **given}


class CassandraCluster(Server[CassandraEndpoint]):
    """Three nodes of one ring, on addresses of loopback; the login is on each.

    `children` are the nodes, in the order of the endpoint's hosts. Each has every row of a keyspace of three replicas.
    """

    name = "cassandra-cluster"
    ready_timeout_seconds = 300
    hosts = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
    # Half a heap of a single node: 128 MiB are not enough for the schema's compactions.
    _HEAP = "256m"

    def install(self) -> None:
        self._jars = CASSANDRA.install()

    def prepare(self) -> CassandraEndpoint:
        port, storage = free_ports(2)
        first, *others = self.hosts
        # All are seeds with a third of the ring each, so none waits for another one's data.
        self._nodes = [
            _Node(
                self.folder / host,
                host,
                port,
                storage,
                self.hosts,
                {"initial_token": str(-(2**63) + number * (2**64 // 3)), "auto_bootstrap": False},
                login_replicas=len(self.hosts),
            )
            for number, host in enumerate(self.hosts)
        ]
        for node in self._nodes:
            node.write()
        return CassandraEndpoint(first, port, _USERNAME, _PASSWORD, None, tuple(others))

    def launch(self) -> None:
        for node in self._nodes:
            self.run(node.host, node.command(self._jars, heap=self._HEAP))

    def is_ready(self) -> bool:
        """All three answer, know each other and have the login; after a kill one may think another one down still."""
        try:
            return all(self._peers(host) == 2 for host in self.hosts)
        except (NoHostAvailable, DriverException, OperationTimedOut):
            return False

    def start_nodes(self, *numbers: int) -> None:
        """Start nodes again that were killed, and wait until all three are one ring."""
        for number in numbers:
            self.children[number].start()
        self.wait_until(self.is_ready, "whole again")

    def _peers(self, host: str) -> int:
        return len(replace(self.endpoint, host=host).run("SELECT peer FROM system.peers"))
