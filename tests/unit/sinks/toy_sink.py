"""A sink in one file: shelves of a server that lives in this process. `SINK=toy://HOST:PORT/SHELF`.

Nothing in Penstock knows it. tests/unit/sinks/test_toy_sink.py installs it as a package would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlsplit

from penstock.errors import ConfigError, TemporaryError
from penstock.settings.config import Config
from penstock.sinks import Sink
from penstock.sinks.address import Address
from penstock.store import Store
from penstock.streams import as_chunks
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Write

# What every shelf holds, by its URL and the address on it: the entry, its source and its bytes.
SHELVES: dict[str, dict[str, tuple[Entry, ObjectRef, bytes]]] = {}
TOKEN = "open sesame"


@dataclass(frozen=True, slots=True)
class ToyAddress(Address):
    """One shelf of a server."""

    form: ClassVar[str] = "toy://HOST:PORT/SHELF"
    url: str = field()
    shelf: str = field()

    @classmethod
    def parse(cls, text: str) -> ToyAddress:
        parts = urlsplit(text)
        if not parts.hostname or not parts.port or not parts.path.strip("/"):
            raise ConfigError(f"SINK={text!r}: expected {cls.form}")
        return cls(f"http://{parts.netloc}", parts.path.strip("/"))

    @property
    def secrets(self) -> tuple[str, ...]:
        return ("SINK_TOKEN",)

    def open(self, config: Config, store: Store | None) -> Sink:
        del store
        return ToySink(f"{self.url}/{self.shelf}", config.secrets.get("SINK_TOKEN", ""))


class ToySink:
    """The shelf at `url`."""

    removes_with_source = True
    refuses_beside = False
    batch_size = 1

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._held = SHELVES.setdefault(url, {})

    def address(self, source: ObjectRef, rendition: str | None) -> str:
        return f"{source.bucket}/{source.key}"

    def read_many(self, places: Sequence[tuple[str, Mark]]) -> list[Entry | None]:
        return [self._held[address][0] if address in self._held else None for address, _ in places]

    def beside(self, address: str, mark: Mark) -> Entry | None:
        return None

    def write_many(self, writes: Sequence[Write]) -> list[Entry | Exception]:
        return [self._write(write) for write in writes]

    def _write(self, write: Write) -> Entry:
        body = b"".join(as_chunks(write.result.body))
        entry = Entry(write.address, write.mark, size=len(body))
        self._held[write.address] = (entry, write.source.ref, body)
        return entry

    def refuse(self, address: str, refusal: Refusal, mark: Mark, source: ObjectState, previous: Entry | None) -> Entry:
        self._held[address] = (Entry(address, mark, refusal), source.ref, b"")
        return self._held[address][0]

    def remove(self, address: str, mark: Mark, previous: Entry) -> None:
        self._held.pop(address, None)

    def entries(self, bucket: str, prefix: str = "") -> Iterator[tuple[ObjectRef | None, Entry]]:
        for entry, source, _ in list(self._held.values()):
            if source.bucket == bucket and source.key.startswith(prefix):
                yield source, entry

    def refusal_address(self, address: str, mark: Mark) -> str:
        return address

    def forget(self, record: str) -> ObjectRef | None:
        return None

    def check(self) -> None:
        if self._token != TOKEN:
            raise TemporaryError(f"{self._url}: another token is needed; look at SINK_TOKEN")
