"""`SINK=cassandra://HOSTS/KEYSPACE/TABLE`: an index in one table of Apache Cassandra."""

import logging
import re
from dataclasses import dataclass
from typing import ClassVar, Final

from penstock.errors import ConfigError
from penstock.settings.config import Config
from penstock.sinks import Sink
from penstock.sinks.address import Address
from penstock.store import Store

_USERNAME: Final = "SINK_USERNAME"
_PASSWORD: Final = "SINK_PASSWORD"  # noqa: S105 - the name of a setting
_PORT: Final = 9042
_FORM: Final = re.compile(r"cassandra://(?P<hosts>[^/?#]+)/(?P<keyspace>[^/?#]+)/(?P<table>[^/?#]+)(?P<query>\?.*)?")
_HOST: Final = re.compile(r"(?:\[(?P<literal>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9_.-]+))(?::(?P<port>[0-9]{1,5}))?")
# Cassandra's own limit is 48 characters; these names mean the same with quotes and without.
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

_log = logging.getLogger("penstock.sinks")


@dataclass(frozen=True, slots=True)
class CassandraAddress(Address):
    """`cassandra://HOST[:PORT][,HOST...]/KEYSPACE/TABLE[?tls=on|off]`; the port is 9042 by default, one for all hosts.

    The hosts are the ones that are asked first; they tell of the others. The default is `tls=on`: the certificate of
    each node is checked.
    """

    form: ClassVar[str] = "cassandra://HOST,HOST/KEYSPACE/TABLE"
    hosts: tuple[str, ...]
    port: int
    keyspace: str
    table: str
    has_tls: bool

    @classmethod
    def parse(cls, text: str) -> "CassandraAddress":
        found = _FORM.fullmatch(text)
        hosts = [_HOST.fullmatch(host) for host in found["hosts"].split(",")] if found else []
        if found is None or None in hosts:
            raise ConfigError(f"SINK={text!r}: expected {cls.form}")
        named = [host for host in hosts if host is not None]
        ports = {int(host["port"]) for host in named if host["port"]} or {_PORT}
        [port, *others] = ports
        if others or not 0 < port < 65_536:
            raise ConfigError(f"SINK={text!r}: give all hosts one port, from 1 to 65535")
        for what in ("keyspace", "table"):
            if not _NAME.fullmatch(found[what]):
                raise ConfigError(
                    f"SINK={text!r}: the {what} {found[what]!r}: give a name of a-z, 0-9 and _ that begins with a "
                    "letter, at most 48 characters"
                )
        if found["query"] not in (None, "?tls=on", "?tls=off"):
            raise ConfigError(f"SINK={text!r}: {found['query']}: give tls=on, which is the default, or tls=off")
        names = tuple(dict.fromkeys(host["literal"] or host["host"] for host in named))
        return cls(names, port, found["keyspace"], found["table"], found["query"] != "?tls=off")

    @property
    def url(self) -> str:
        """The first host, for those that need one place to look at."""
        host = f"[{self.hosts[0]}]" if ":" in self.hosts[0] else self.hosts[0]
        return f"cassandra://{host}:{self.port}"

    @property
    def secrets(self) -> tuple[str, ...]:
        return (_USERNAME, _PASSWORD)

    @property
    def is_searchable(self) -> bool:
        return False

    def open(self, config: Config, store: Store | None) -> Sink:
        del store
        try:
            from penstock.sinks.cassandra import CassandraSink
        except ModuleNotFoundError as exc:
            missing = (exc.name or "").partition(".")[0]
            raise ConfigError(
                f"SINK={config.sink!r}: {missing} is not installed: add the line of requirements-cassandra.txt to "
                "the function's requirements.txt, or install penstock[cassandra]"
            ) from exc
        username, password = config.secrets.get(_USERNAME, ""), config.secrets.get(_PASSWORD, "")
        if bool(username) != bool(password):
            raise ConfigError(f"SINK={config.sink!r}: set {_USERNAME} and {_PASSWORD} together, or neither")
        if not self.has_tls and not set(self.hosts) <= set(_LOOPBACK):
            _log.warning(
                "SINK: documents%s go to %s without TLS: leave tls=off out, or let only pods that may know them into "
                "this network",
                " and the password" if password else "",
                self.url,
            )
        return CassandraSink(
            self,
            username=username,
            password=password,
            ca_file=config.store.ca_file if config.store else None,
            name=f"penstock-{config.function}",
        )
