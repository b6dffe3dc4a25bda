"""A record of Kafka without a broker."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class FakeRecord:
    the_value: bytes | None = b"body"
    the_key: bytes | None = b"upload/donors.csv"
    the_headers: Sequence[tuple[str, bytes | None]] | None = None
    the_offset: int = 42
    the_partition: int = 3
    the_topic: str = "upload"

    def topic(self) -> str:
        return self.the_topic

    def partition(self) -> int:
        return self.the_partition

    def offset(self) -> int:
        return self.the_offset

    def key(self) -> bytes | None:
        return self.the_key

    def value(self) -> bytes | None:
        return self.the_value

    def headers(self) -> Sequence[tuple[str, bytes | None]] | None:
        return self.the_headers
