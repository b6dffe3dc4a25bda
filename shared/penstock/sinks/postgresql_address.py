"""`SINK=postgresql://HOST:PORT/DATABASE/TABLE`: an index in one table of a PostgreSQL server."""

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
_PORT: Final = 5432
# Names that mean the same with quotes and without. PostgreSQL cuts names after 63 bytes, those of indexes too.
_TABLE: Final = re.compile(r"(?:(?P<schema>[a-z_][a-z0-9_]{0,62})\.)?(?P<table>[a-z_][a-z0-9_]{0,47})")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class PostgresqlAddress(Address):
    """`postgresql://HOST[:PORT]/DATABASE/[SCHEMA.]TABLE[?sslmode=verify-full|disable]`; the port is 5432 by default.

    `sslmode` has PostgreSQL's own words. The default is `verify-full`: TLS, and the certificate is checked.
    """

    form: ClassVar[str] = "postgresql://HOST:PORT/DATABASE/TABLE"
    host: str
    port: int
    database: str
    schema: str
    table: str
    has_tls: bool

    @classmethod
    def parse(cls, text: str) -> "PostgresqlAddress":
        url = urlsplit(text)
        database, slash, name = url.path.removeprefix("/").partition("/")
        port = port_of(url, _PORT)
        if not url.hostname or not port or not database or not slash or url.fragment:
            raise ConfigError(f"SINK={text!r}: expected {cls.form}")
        named = _TABLE.fullmatch(name)
        if named is None:
            raise ConfigError(
                f"SINK={text!r}: the table {name!r}: give TABLE or SCHEMA.TABLE, each of a-z, 0-9 and _, the table "
                "at most 48 characters"
            )
        if url.query not in ("", "sslmode=verify-full", "sslmode=disable"):
            raise ConfigError(
                f"SINK={text!r}: ?{url.query}: give sslmode=verify-full, which is the default, or sslmode=disable"
            )
        return cls(url.hostname, port, database, named["schema"] or "", named["table"], url.query != "sslmode=disable")

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{host}:{self.port}"

    @property
    def secrets(self) -> tuple[str, ...]:
        return (_USERNAME, _PASSWORD)

    @property
    def is_searchable(self) -> bool:
        return True

    def open(self, config: Config, store: Store | None) -> Sink:
        del store
        try:
            from penstock.sinks.postgresql import PostgresqlSink
        except ModuleNotFoundError as exc:
            raise needs_extra(config.sink, exc, "postgresql") from exc
        if not config.secrets.get(_USERNAME):
            raise ConfigError(f"SINK={config.sink!r}: {_USERNAME} is not set: give the role to connect as")
        if not self.has_tls and self.host not in _LOOPBACK:
            warn_without_tls(self.url, "sslmode=disable")
        return PostgresqlSink(
            self,
            username=config.secrets.get(_USERNAME, ""),
            password=config.secrets.get(_PASSWORD, ""),
            ca_file=config.store.ca_file if config.store else None,
            name=f"penstock-{config.function}",
        )
