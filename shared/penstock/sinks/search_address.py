"""`SINK=opensearch+https://HOST:PORT/INDEX`: an index of a search server, OpenSearch or Elasticsearch."""

from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlsplit

from penstock.errors import ConfigError
from penstock.settings.config import Config
from penstock.settings.plaintext import warn_if_plain
from penstock.sinks import Sink
from penstock.sinks.address import Address, port_of
from penstock.store import Store

_HTTPS = 443
_USERNAME, _PASSWORD, _CA = "SINK_USERNAME", "SINK_PASSWORD", "SINK_CA"


@dataclass(frozen=True, slots=True)
class SearchAddress(Address):
    """`opensearch+http(s)://host:port/index`; `elasticsearch+http(s)` means the same."""

    form: ClassVar[str] = "opensearch+https://HOST:PORT/INDEX"
    # A field without a default; without field() the property of Address would be taken for one.
    url: str = field()
    index: str = field()

    @classmethod
    def parse(cls, text: str) -> "SearchAddress":
        url = urlsplit(text)
        index = url.path.strip("/")
        if not url.hostname or not port_of(url, _HTTPS) or not index or "/" in index:
            raise ConfigError(f"SINK={text!r}: expected {cls.form}")
        return cls(f"{url.scheme.partition('+')[2]}://{url.netloc}", index)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (_USERNAME, _PASSWORD, _CA)

    @property
    def is_searchable(self) -> bool:
        return True

    def open(self, config: Config, store: Store | None) -> Sink:
        del store
        from penstock.sinks.opensearch import OpenSearchSink

        ca = config.secrets.get(_CA, "")
        if ca and "-----BEGIN CERTIFICATE-----" not in ca:
            raise ConfigError(f"{_CA}: holds no certificate in PEM; set {_CA}_FILE to the file that has it")
        if config.secrets.get(_PASSWORD):
            warn_if_plain(self.url, _PASSWORD)
        return OpenSearchSink(
            self.url,
            self.index,
            username=config.secrets.get(_USERNAME, ""),
            password=config.secrets.get(_PASSWORD, ""),
            ca_file=config.store.ca_file if config.store else None,
            ca=ca,
        )
