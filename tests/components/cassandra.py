"""A real Apache Cassandra of one node or several, with a password for its one role and, if wanted, TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cassandra import DriverException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import RoundRobinPolicy
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.components.certificates import Certificates, make_certificates
from tests.components.install import HERE, JavaLibrary, java
from tests.components.process import LOOPBACK, Server, free_ports

CASSANDRA = JavaLibrary("cassandra", HERE / "java" / "cassandra")

_ROLE = _PASSWORD = "cassandra"  # the role that a new server has
_KEYSPACE = "lake"
_STORE_PASSWORD = "certificates of the tests"
# What conf/jvm17-server.options of the distribution opens.
_EXPORTED = (
    *("java.base/jdk.internal.misc", "java.management.rmi/com.sun.jmx.remote.internal.rmi"),
    *("java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server", "java.sql/java.sql"),
)
_OPENED = (
    *("java.base/java.lang.module", "java.base/jdk.internal.loader", "java.base/jdk.internal.ref"),
    *("java.base/jdk.internal.reflect", "java.base/jdk.internal.math", "java.base/jdk.internal.module"),
    *("java.base/jdk.internal.util.jar", "jdk.management/com.sun.management.internal", "java.base/sun.nio.ch"),
    *("java.base/java.io", "java.base/java.lang", "java.base/java.lang.reflect", "java.base/java.nio"),
    *("java.base/java.util", "java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic"),
    "java.base/java.net",
)


@dataclass(frozen=True, slots=True)
class CassandraEndpoint:
    """What a client needs; `ca_file` is None for a server without TLS."""

    host: str
    port: int
    username: str
    password: str
    keyspace: str
    ca_file: Path | None

    @property
    def url(self) -> str:
        """The beginning of a SINK: a table's name follows."""
        return f"cassandra://{self.host}:{self.port}/{self.keyspace}"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session of its own, outside every keyspace."""
        cluster = Cluster(
            [self.host],
            port=self.port,
            auth_provider=PlainTextAuthProvider(self.username, self.password),
            ssl_context=ssl.create_default_context(cafile=str(self.ca_file)) if self.ca_file else None,
            execution_profiles={EXEC_PROFILE_DEFAULT: ExecutionProfile(RoundRobinPolicy(), request_timeout=60)},
            protocol_version=4,
            connect_timeout=10,
        )
        try:
            yield cluster.connect()
        finally:
            cluster.shutdown()

    def run(self, statement: str, *values: object) -> list[Any]:
        """Run one statement over a session of its own; `%s` stands for a value."""
        with self.session() as session:
            return list(session.execute(statement, values or None))


class CassandraServer(Server[CassandraEndpoint]):
    """Apache Cassandra 5.0; `tls` serves TLS with a certificate of a new authority.

    Several `nodes` listen on 127.0.0.1, 127.0.0.2 and so on, and hold a copy of everything each.
    """

    name = "cassandra"
    ready_timeout_seconds = 180

    def __init__(self, folder: Path | None = None, *, tls: bool = False, nodes: int = 1) -> None:
        super().__init__(folder)
        self._nodes = [f"127.0.0.{number}" for number in range(1, nodes + 1)]
        self._certificates = make_certificates(self.folder / "tls") if tls else None

    def install(self) -> None:
        self._jars = CASSANDRA.install()

    def prepare(self) -> CassandraEndpoint:
        self.port, storage_port = free_ports(2)
        for node in self._nodes:
            self._config(node).write_text("\n".join(self._lines(node, storage_port)) + "\n", encoding="utf-8")
        ca_file = self._certificates.ca_file if self._certificates else None
        return CassandraEndpoint(LOOPBACK, self.port, _ROLE, _PASSWORD, _KEYSPACE, ca_file)

    def launch(self) -> None:
        for node in self._nodes:
            if node != LOOPBACK:  # each joins those that are there already
                self.wait_until(self.is_ready, "ready for another node")
            self._start(node)

    def _start(self, node: str) -> None:
        exported = [f"--add-exports={package}=ALL-UNNAMED" for package in _EXPORTED]
        opened = [f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED]
        options = {
            "cassandra.config": self._config(node).as_uri(),
            "cassandra.storagedir": self.folder / node,
            "cassandra.logdir": self.folder,
            "cassandra-foreground": "yes",
            "cassandra.skip_wait_for_gossip_to_settle": 0,
            "cassandra.ring_delay_ms": 0 if node == LOOPBACK else 5000,
            "cassandra.superuser_setup_delay_ms": 0,
            "jdk.attach.allowAttachSelf": "true",
        }
        given = [f"-D{name}={value}" for name, value in options.items()]
        command = java(self._jars, "-Xms448m", "-Xmx448m", *exported, *opened, *given)
        self.run(f"cassandra-{node}", [*command, "org.apache.cassandra.service.CassandraDaemon"])

    def is_ready(self) -> bool:
        """Whether the role may log in, which a new server knows only some time after it listens."""
        if not all(child.listens_on(self.port) for child in self.children):
            return False
        try:
            with self.endpoint.session() as session:
                session.execute(
                    f"CREATE KEYSPACE IF NOT EXISTS {_KEYSPACE} WITH replication ="
                    f" {{'class': 'SimpleStrategy', 'replication_factor': {len(self._nodes)}}}"
                )
                hosts = session.cluster.metadata.all_hosts()
                return len(hosts) >= len(self.children)
        except (NoHostAvailable, DriverException):
            return False

    def _config(self, node: str) -> Path:
        return self.folder / f"{node}.yaml"

    def _lines(self, node: str, storage_port: int) -> list[str]:
        data = self.folder / node
        return [
            "cluster_name: tests",
            "partitioner: org.apache.cassandra.dht.Murmur3Partitioner",
            "num_tokens: 1",
            f"listen_address: {node}",
            f"rpc_address: {node}",
            f"storage_port: {storage_port}",
            f"native_transport_port: {self.port}",
            "endpoint_snitch: SimpleSnitch",
            "seed_provider:",
            "  - class_name: org.apache.cassandra.locator.SimpleSeedProvider",
            f"    parameters: [{{seeds: '{LOOPBACK}:{storage_port}'}}]",
            f"data_file_directories: [{data / 'data'}]",
            *(f"{name}_directory: {data / name}" for name in ("commitlog", "saved_caches", "hints", "cdc_raw")),
            "commitlog_sync: batch",  # what was acknowledged is there after a kill
            "commitlog_disk_access_mode: legacy",
            "memtable_heap_space: 64MiB",
            "memtable_offheap_space: 64MiB",
            "key_cache_size: 0MiB",
            "file_cache_size: 32MiB",
            "auto_snapshot: false",
            # Twice the usual times: the machine may be busy with other tests.
            "read_request_timeout: 10s",
            "write_request_timeout: 4s",
            "cas_contention_timeout: 4s",
            "authenticator: PasswordAuthenticator",
            "authorizer: CassandraAuthorizer",
            "role_manager: CassandraRoleManager",
            *(self._tls(self._certificates) if self._certificates else ()),
        ]

    def _tls(self, certificates: Certificates) -> Iterator[str]:
        key = serialization.load_pem_private_key(certificates.key_file.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(certificates.cert_file.read_bytes())
        store = self.folder / "tls" / "server.p12"
        encryption = serialization.BestAvailableEncryption(_STORE_PASSWORD.encode())
        store.write_bytes(pkcs12.serialize_key_and_certificates(b"server", key, certificate, None, encryption))  # type: ignore[arg-type]
        yield "client_encryption_options:"
        yield from ("  enabled: true", "  optional: false", "  store_type: PKCS12")
        yield from (f"  keystore: {store}", f"  keystore_password: {_STORE_PASSWORD}")
