"""The SINK setting, read once into an address. It answers every question about a sink, so no caller asks for the kind.

A sink is one module with a class of `Address` and a class of `Sink`. `SINK=SCHEME:...` chooses the address class: those
that come with Penstock stand in `_BUILT_IN`. A package that is installed beside it adds another one as an entry point,
named as the scheme, in the group `penstock.sinks`:

    [project.entry-points."penstock.sinks"]
    toy = "toy_sink:ToyAddress"

The module is imported when a SINK names its scheme, so a function imports no other sink than its own. What only the
open sink needs (a database, an HTTP client) is imported in `open`: a server reads its address before it forks.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any, ClassVar, Final
from urllib.parse import SplitResult

from penstock.errors import ConfigError
from penstock.settings.config import Config, SourceRule
from penstock.settings.plaintext import has_login, without_login
from penstock.sinks import Sink
from penstock.store import Store
from penstock.types import ObjectRef

ENTRY_POINTS: Final = "penstock.sinks"
_log = logging.getLogger("penstock.sinks")
_SEARCH: Final = "penstock.sinks.search_address:SearchAddress"
_BUILT_IN: Final = {
    "s3": "penstock.sinks.bucket_address:BucketAddress",
    "sqlite": "penstock.sinks.sqlite_address:SqliteAddress",
    "postgresql": "penstock.sinks.postgresql_address:PostgresqlAddress",
    "cassandra": "penstock.sinks.cassandra_address:CassandraAddress",
    "opensearch+https": _SEARCH,
    "opensearch+http": _SEARCH,
    "elasticsearch+https": _SEARCH,
    "elasticsearch+http": _SEARCH,
}


class Address(ABC):
    """Where results go. A method that a class does not replace answers for an index that needs nothing.

    `form` shows how such a SINK is written.
    """

    __slots__ = ()
    form: ClassVar[str]

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> "Address":
        """Read a SINK of this scheme; raises `ConfigError`."""

    @abstractmethod
    def open(self, config: Config, store: Store | None) -> Sink:
        """The sink for one function; raises `ConfigError`. `store` is None where MINIO_ENDPOINT is not set."""

    @property
    def bucket(self) -> str:
        """The bucket of the object store that it writes, "" for none."""
        return ""

    @property
    def file(self) -> PurePosixPath | None:
        """The file on the function's own disk that it writes: its folder needs a volume, and only one pod has it."""
        return None

    @property
    def url(self) -> str:
        """The server that it calls, besides the object store, "" for none."""
        return ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the settings that hold its credentials; each begins with SINK_."""
        return ()

    @property
    def has_rendition(self) -> bool:
        """Whether several renditions of one source have different places."""
        return False

    @property
    def is_searchable(self) -> bool:
        """Whether the function can search what it has written, in answer to GET."""
        return False

    def of(self, source: ObjectRef, rendition: str | None) -> ObjectRef | None:
        """The object that is made from one source; None where it makes none."""
        del source, rendition
        return None

    def outputs_of(self, rule: SourceRule) -> SourceRule | None:
        """The objects that it may write for the inputs of `rule`, never too few of them; None when it writes none."""
        del rule
        return None

    def outputs(self, rules: Iterable[SourceRule]) -> tuple[SourceRule, ...]:
        """As `outputs_of`, for all of a function's inputs."""
        return tuple(found for rule in rules if (found := self.outputs_of(rule)) is not None)

    def in_bucket(self, bucket: str) -> str:
        """The SINK that writes the same keys into another bucket, "" where it writes no bucket."""
        del bucket
        return ""

    def contradictions(self, config: Config, *, has_store: bool) -> Iterator[str]:
        """Which of the function's other settings contradict this SINK, and why."""
        del has_store
        if config.renditions:
            yield "an index keeps one document per object and takes no RENDITIONS"


def parse_sink(text: str) -> Address:
    """Read the SINK setting; raises `ConfigError` that shows the accepted forms."""
    if has_login(text):
        raise ConfigError("SINK: leave the credentials out of the URL; use SINK_USERNAME and SINK_PASSWORD")
    scheme = text.partition(":")[0]
    found = _class_of(scheme)
    if found is None:
        *forms, last = dict.fromkeys(_load(name).form for name in _BUILT_IN.values())
        raise ConfigError(f"SINK={without_login(text)!r}: expected {', '.join(forms)} or {last}")
    try:
        return found.parse(text)
    except ValueError as exc:  # of urlsplit
        raise ConfigError(f"SINK={text!r}: {exc}; expected {found.form}") from exc


def _class_of(scheme: str) -> type[Address] | None:
    if scheme in _BUILT_IN:
        return _load(_BUILT_IN[scheme])
    # Looking through what is installed takes milliseconds, which no start with a built-in sink pays.
    from importlib.metadata import entry_points

    for entry in entry_points(group=ENTRY_POINTS, name=scheme):
        try:
            found: Any = entry.load()
        except (ImportError, AttributeError) as exc:
            raise ConfigError(f"SINK={scheme}:...: cannot import {entry.value}: {exc}; install it again") from exc
        if not (isinstance(found, type) and issubclass(found, Address)):
            raise ConfigError(f"SINK={scheme}:...: {entry.value} is not a class of penstock.sinks.address.Address")
        return found
    return None


def _load(name: str) -> type[Address]:
    module, _, attribute = name.partition(":")
    found: type[Address] = getattr(import_module(module), attribute)
    return found


def overlap(one: SourceRule, other: SourceRule) -> bool:
    """Whether some key could match both rules; true in doubt (`*` counts as any text)."""

    def fits(left: str, right: str) -> bool:
        return left.startswith(right) or right.startswith(left)

    return one.bucket == other.bucket and fits(one.prefix, other.prefix) and fits(one.suffix[::-1], other.suffix[::-1])


# What the addresses of database servers share.


def port_of(url: SplitResult, default: int) -> int:
    """The URL's port, the default when it has none, 0 when it is not a number."""
    try:
        return default if url.port is None else url.port
    except ValueError:
        return 0


def needs_extra(sink: str, exc: ModuleNotFoundError, extra: str) -> ConfigError:
    """The error for a sink whose driver is not installed; `extra` is its extra of the package."""
    missing = (exc.name or "").partition(".")[0]
    return ConfigError(
        f"SINK={sink!r}: {missing} is not installed: add the line of requirements-{extra}.txt to "
        f"the function's requirements.txt, or install penstock[{extra}]"
    )


def warn_without_tls(url: str, switch: str) -> None:
    """Log that documents go to this server in the open; `switch` is what turned TLS off."""
    _log.warning(
        "SINK: documents go to %s without TLS: leave %s out, or let only pods that may know them into this network",
        url,
        switch,
    )
