"""`SINK=cassandra://HOST[,HOST...][:PORT]/KEYSPACE/TABLE`: an index in one table of Apache Cassandra."""

import re
from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import urlsplit

from penstock.errors import ConfigError
from penstock.settings.config import Config
from penstock.sinks import Sink
from penstock.sinks.address import Address, needs_extra, port_of, warn_without_tls
from penstock.store import Store

_USERNAME: Final = "SINK_USERNAME"
_PASSWORD: Final = "SINK_PASSWORD"  # noqa: S105 - the name of a setting
_PORT: Final = 9042
_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")
# Names that mean the same with quotes and without; at most 48 characters (cassandra.apache.org/doc, "Data definition").
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")
_LOOPBACK: Final = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class CassandraAddress(Address):
    """`cassandra://HOST[,HOST...][:PORT]/KEYSPACE/TABLE[?tls=on|off]`; the port is 9042 by default, for every host.

    The hosts are the first that are asked. They name the other nodes. TLS with a checked certificate is the default.
    """

    form: ClassVar[str] = "cassandra://HOST:PORT/KEYSPACE/TABLE"
    hosts: tuple[str, ...]
    port: int
    keyspace: str
    table: str
    has_tls: bool

    @classmethod
    def parse(cls, text: str) -> "CassandraAddress":
        url = urlsplit(text)
        hosts = tuple((url.hostname or "").split(","))
        keyspace, slash, table = url.path.removeprefix("/").partition("/")
        port = port_of(url, _PORT)
        if not all(_HOST.fullmatch(host) for host in hosts) or not port or not slash or url.fragment:
            raise ConfigError(f"SINK={text!r}: expected {cls.form}")
        if not _NAME.fullmatch(keyspace) or not _NAME.fullmatch(table):
            raise ConfigError(
                f"SINK={text!r}: keyspace {keyspace!r}, table {table!r}: give names of a-z, 0-9 and _ that begin with "
                "a letter and have at most 48 characters"
            )
        if url.query not in ("", "tls=on", "tls=off"):
            raise ConfigError(f"SINK={text!r}: ?{url.query}: give tls=on, which is the default, or tls=off")
        return cls(hosts, port, keyspace, table, url.query != "tls=off")

    @property
    def url(self) -> str:
        return f"cassandra://{self.hosts[0]}:{self.port}"

    @property
    def secrets(self) -> tuple[str, ...]:
        return (_USERNAME, _PASSWORD)

    def open(self, config: Config, store: Store | None) -> Sink:
        del store
        try:
            from penstock.sinks.cassandra import CassandraSink
        except ModuleNotFoundError as exc:
            raise needs_extra(config.sink, exc, "cassandra") from exc
        if not self.has_tls and not set(self.hosts) <= set(_LOOPBACK):
            warn_without_tls(self.url, "tls=off")
        return CassandraSink(
            self,
            username=config.secrets.get(_USERNAME, ""),
            password=config.secrets.get(_PASSWORD, ""),
            ca_file=config.store.ca_file if config.store else None,
        )
