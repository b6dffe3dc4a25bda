"""`SINK=sqlite:///PATH`: an index in one SQLite file on the function's own disk."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from penstock.errors import ConfigError
from penstock.settings.config import Config
from penstock.sinks import Sink
from penstock.sinks.address import Address
from penstock.store import Store


@dataclass(frozen=True, slots=True)
class SqliteAddress(Address):
    """`sqlite:///absolute/path` or `sqlite:relative/path`."""

    form: ClassVar[str] = "sqlite:///PATH"
    path: str

    @classmethod
    def parse(cls, text: str) -> "SqliteAddress":
        rest = text.partition(":")[2]
        # Three slashes or none: after two, the first name would be a host's.
        if not rest.strip("/") or (rest.startswith("//") and not rest.startswith("///")):
            raise ConfigError(f"SINK={text!r}: expected {cls.form}")
        return cls(rest[2:] if rest.startswith("///") else rest)

    @property
    def file(self) -> PurePosixPath:
        return PurePosixPath(self.path)

    @property
    def is_searchable(self) -> bool:
        return True

    def open(self, config: Config, store: Store | None) -> Sink:
        del store
        from penstock.sinks.sqlite import SqliteSink

        return SqliteSink(Path(self.path), config.function)
