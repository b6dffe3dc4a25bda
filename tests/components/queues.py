"""Real queues beside Kafka and Mosquitto: Redis, NATS with JetStream, nsqd, RabbitMQ, ElasticMQ; each with a disk."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.components.certificates import make_certificates
from tests.components.errors import ComponentError
from tests.components.http import request_json
from tests.components.install import HERE, GoModule, JavaLibrary, ensure_debian_package, java
from tests.components.process import LOOPBACK, Server, free_ports

NSQD = GoModule("nsqd", HERE / "go" / "nsqd", {"nsqd": "."})
ELASTICMQ = JavaLibrary("elasticmq", HERE / "java" / "elasticmq")
_RABBIT = "/usr/lib/rabbitmq/lib"


@dataclass(frozen=True, slots=True)
class QueueEndpoint:
    """What a client needs; user name and password stand in for the one that the server demands."""

    host: str
    port: int
    username: str = ""
    password: str = ""

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


class RedisServer(Server[QueueEndpoint]):
    """Redis that writes each change to disk before it answers, with a password.

    With `tls` it speaks TLS too, at `tls_port`, signed by `ca_file`.
    """

    name = "redis"

    def __init__(self, folder: Path | None = None, *, tls: bool = False) -> None:
        super().__init__(folder)
        self._tls = tls

    def install(self) -> None:
        self._program = ensure_debian_package("redis-server")

    def prepare(self) -> QueueEndpoint:
        self.port, self.tls_port = free_ports(2)
        self._tls_options: dict[str, str] = {}
        if self._tls:
            made = make_certificates(self.folder / "certificates")
            self.ca_file = made.ca_file
            self._tls_options = {
                "--tls-port": str(self.tls_port),
                "--tls-cert-file": str(made.cert_file),
                "--tls-key-file": str(made.key_file),
                "--tls-ca-cert-file": str(made.ca_file),
                "--tls-auth-clients": "no",
            }
        return QueueEndpoint(LOOPBACK, self.port, "", "redis secret")

    def launch(self) -> None:
        options = {
            "--port": str(self.port),
            "--bind": LOOPBACK,
            "--dir": str(self.folder),
            "--save": "",
            "--appendonly": "yes",
            "--appendfsync": "always",
            "--requirepass": self.endpoint.password,
            **self._tls_options,
        }
        self.run("redis", [self._program, *(word for pair in options.items() for word in pair)])

    def is_ready(self) -> bool:
        return self.listens_on(self.port) and _says(self.port, b"PING\r\n", b"-NOAUTH")


class ElasticMqServer(Server[QueueEndpoint]):
    """ElasticMQ, which speaks the protocol of Amazon SQS and asks for no keys."""

    name = "elasticmq"

    def install(self) -> None:
        self._jars = ELASTICMQ.install()

    def prepare(self) -> QueueEndpoint:
        (self.port,) = free_ports(1)
        database = f"jdbc:h2:{self.folder / 'messages'};WRITE_DELAY=0"
        self._config = self.folder / "elasticmq.conf"
        self._config.write_text(
            'include classpath("application.conf")\n'
            f'node-address {{ protocol = http, host = "{LOOPBACK}", port = {self.port}, context-path = "" }}\n'
            f'rest-sqs {{ enabled = true, bind-hostname = "{LOOPBACK}", bind-port = {self.port} }}\n'
            "rest-stats { enabled = false }\n"
            f'queues-storage {{ enabled = true, path = "{self.folder / "queues.conf"}" }}\n'
            f'messages-storage {{ enabled = true, driver-class = "org.h2.Driver", uri = "{database}" }}\n',
            encoding="utf-8",
        )
        return QueueEndpoint(LOOPBACK, self.port)

    def launch(self) -> None:
        command = java(self._jars, "-Xmx128m", f"-Dconfig.file={self._config}")
        self.run("elasticmq", [*command, "org.elasticmq.server.Main"])

    def is_ready(self) -> bool:
        return self.listens_on(self.port)


class NatsServer(Server[QueueEndpoint]):
    """A NATS server with JetStream and one user. With `tls` it speaks TLS too, signed by `ca_file`."""

    name = "nats"

    def __init__(self, folder: Path | None = None, *, tls: bool = False) -> None:
        super().__init__(folder)
        self._tls = tls

    def install(self) -> None:
        self._program = ensure_debian_package("nats-server")

    def prepare(self) -> QueueEndpoint:
        (self.port,) = free_ports(1)
        endpoint = QueueEndpoint(LOOPBACK, self.port, "lake", "nats-secret")
        tls = ""
        if self._tls:
            made = make_certificates(self.folder / "certificates")
            self.ca_file = made.ca_file
            tls = f'allow_non_tls: true\ntls {{ cert_file: "{made.cert_file}", key_file: "{made.key_file}" }}\n'
        self._config = self.folder / "nats.conf"
        self._config.write_text(
            f'listen: "{endpoint.address}"\n'
            f'jetstream: {{ store_dir: "{self.folder / "jetstream"}" }}\n'
            f'authorization: {{ user: "{endpoint.username}", password: "{endpoint.password}" }}\n'
            f"{tls}",
            encoding="utf-8",
        )
        return endpoint

    def launch(self) -> None:
        self.run("nats", [self._program, "-c", self._config])

    def is_ready(self) -> bool:
        return self.listens_on(self.port) and _says(self.port, b"", b"INFO ")


@dataclass(frozen=True, slots=True)
class NsqdEndpoint(QueueEndpoint):
    """The address for clients, and the HTTP API."""

    url: str = ""

    def depth(self, topic: str) -> int:
        """Messages that wait in a topic; 0 before its first message, when nsqd answers `"topics": null`."""
        found: dict[str, Any] = request_json("GET", f"{self.url}/stats?format=json&topic={topic}")
        return sum(each["depth"] for each in found["topics"] or ())


class NsqdServer(Server[NsqdEndpoint]):
    """One nsqd, without a lookup service."""

    name = "nsqd"

    def install(self) -> None:
        self._program = NSQD.install() / "nsqd"

    def prepare(self) -> NsqdEndpoint:
        self.port, self._http_port = free_ports(2)
        return NsqdEndpoint(LOOPBACK, self.port, url=f"http://{LOOPBACK}:{self._http_port}")

    def launch(self) -> None:
        http = f"{LOOPBACK}:{self._http_port}"
        options = ["-tcp-address", self.endpoint.address, "-http-address", http, "-data-path", str(self.folder)]
        self.run("nsqd", [self._program, *options])

    def is_ready(self) -> bool:
        return self.listens_on(self.port) and self.listens_on(self._http_port)


class RabbitServer(Server[QueueEndpoint]):
    """RabbitMQ, one node with a port mapper (epmd) of its own; `tls_port` speaks TLS, signed by `ca_file`.

    `config` has more settings of the application `rabbit`, as terms of Erlang.
    """

    name = "rabbitmq"

    def __init__(self, folder: Path | None = None, *, config: str = "") -> None:
        super().__init__(folder)
        self._config = config

    def install(self) -> None:
        ensure_debian_package("rabbitmq-server")
        found = sorted(Path(_RABBIT).glob("rabbitmq_server-*/sbin/rabbitmq-server"))
        epmd = shutil.which("epmd")
        if not found or epmd is None:
            raise ComponentError(f"rabbitmq: no server below {_RABBIT}, or no epmd; reinstall rabbitmq-server")
        self._program, self._epmd = found[-1], epmd

    def prepare(self) -> QueueEndpoint:
        self.port, self.tls_port, self._epmd_port, self._node_port = free_ports(4)
        (self.folder / "plugins").write_text("[].\n", encoding="ascii")
        made = make_certificates(self.folder / "certificates")
        self.ca_file = made.ca_file
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.ssl.1 = {LOOPBACK}:{self.tls_port}\n"
            f"ssl_options.cacertfile = {made.ca_file}\n"
            f"ssl_options.certfile = {made.cert_file}\n"
            f"ssl_options.keyfile = {made.key_file}\n"
            "ssl_options.verify = verify_none\n",
            encoding="utf-8",
        )
        (self.folder / "advanced.config").write_text(f"[{{rabbit, [{self._config}]}}].\n", encoding="utf-8")
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(secrets.token_hex(20), encoding="ascii")
            cookie.chmod(0o400)
        return QueueEndpoint(LOOPBACK, self.port, "guest", "guest")

    def launch(self) -> None:
        self.run("epmd", [self._epmd, "-port", str(self._epmd_port), "-address", LOOPBACK])
        env = {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": "penstock@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            # So the script becomes the server itself, and a kill reaches it.
            "RABBITMQ_ALLOW_INPUT": "yes",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput -kernel inet_dist_use_interface {127,0,0,1}",
            "LANG": os.environ.get("LANG", "C.UTF-8"),
        }
        self.run("rabbitmq", [self._program], env)

    def is_ready(self) -> bool:
        # A broker answers a protocol that it does not speak with the one that it does.
        return self.listens_on(self.port) and _says(self.port, b"AMQP\x00\x00\x00\x00", b"AMQP")


def _says(port: int, request: bytes, answer: bytes) -> bool:
    """Whether a server answers a connection's first bytes with these."""
    try:
        with socket.create_connection((LOOPBACK, port), 5) as connection:
            connection.settimeout(5)
            connection.sendall(request)
            return connection.recv(4096).startswith(answer)
    except OSError:
        return False
