"""Bytes on the move: a body that is opened late and counted, and small tools for chunks."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, BinaryIO, cast

from penstock.errors import InputTooLarge

CHUNK_BYTES = 256 * 1024
SPOOL_MEMORY_BYTES = 8 * 1024 * 1024


class Body:
    """The bytes of one input: readable, iterable, opened on first use, never more than `max_bytes`.

    Raises `InputTooLarge` from the read that passes the limit. Whatever a read raised is kept in `failure` and
    raised by every later one: a decoder may take a broken connection for bad input, or go on without noticing.
    """

    def __init__(
        self, opener: Callable[[], Iterable[bytes]], *, max_bytes: int | None = None, name: str = "input"
    ) -> None:
        self._opener = opener
        self._chunks: Iterator[bytes] | None = None
        self._source: Iterable[bytes] | None = None
        self._rest = b""
        self._max_bytes = max_bytes
        self._name = name
        self.bytes_read = 0
        self.failure: Exception | None = None

    @classmethod
    def of(cls, data: bytes) -> "Body":
        """A body over bytes that are already in memory, for tests and small inputs."""
        return cls(lambda: [data])

    def _next(self) -> bytes:
        """The next non-empty chunk from the source, or b"" at its end."""
        if self.failure is not None:
            raise self.failure
        try:
            return self._take()
        except Exception as exc:
            self.failure = exc
            raise

    def _take(self) -> bytes:
        if self._chunks is None:
            self._source = self._opener()
            self._chunks = iter(self._source)
        for chunk in self._chunks:
            if not chunk:
                continue
            self.bytes_read += len(chunk)
            if self._max_bytes is not None and self.bytes_read > self._max_bytes:
                raise InputTooLarge(
                    f"{self._name}: larger than {self._max_bytes} bytes; raise MAX_INPUT_BYTES or hand it to a Job"
                )
            return chunk
        return b""

    def __iter__(self) -> Iterator[bytes]:
        """Yield what is left, in chunks of the source's own size."""
        if self._rest:
            rest, self._rest = self._rest, b""
            yield rest
        while chunk := self._next():
            yield chunk

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, fewer only at the end; everything that is left when `size` is negative."""
        if size < 0:
            return b"".join(self)
        data = self.peek(size)
        self._rest = self._rest[len(data) :]
        return data

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end, without consuming them."""
        if len(self._rest) < size:
            parts, have = [self._rest], len(self._rest)
            while have < size and (chunk := self._next()):
                parts.append(chunk)
                have += len(chunk)
            self._rest = b"".join(parts)
        return self._rest[:size]

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Let go of the source's connection; a body that was never read has none."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> "Body":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_chunks(stream: BinaryIO, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Yield a file's bytes from where it stands."""
    while chunk := stream.read(chunk_bytes):
        yield chunk


def as_chunks(body: bytes | BinaryIO | Iterable[bytes] | Mapping[str, Any]) -> Iterable[bytes]:
    """A result's body as chunks; a mapping becomes one chunk of JSON."""
    if isinstance(body, bytes | bytearray | memoryview):
        return (bytes(body),)
    if isinstance(body, Mapping):
        return (json.dumps(body, ensure_ascii=False, sort_keys=True).encode() + b"\n",)
    if hasattr(body, "read"):
        return read_chunks(cast("BinaryIO", body))
    return body


def close_quietly(stream: object) -> None:
    """Close a file, a generator or a response that is no longer wanted; whatever it says is of no interest."""
    close = getattr(stream, "close", None)
    if close is not None:
        with contextlib.suppress(Exception):
            close()


def spool(chunks: Iterable[bytes], memory_bytes: int = SPOOL_MEMORY_BYTES) -> BinaryIO:
    """Copy chunks to a temporary file that lives in memory up to `memory_bytes`, then on disk; rewound."""
    file = tempfile.SpooledTemporaryFile(max_size=memory_bytes)  # noqa: SIM115 - the caller closes it
    try:
        for chunk in chunks:
            file.write(chunk)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return cast("BinaryIO", file)


class Replay:
    """A body that several read, each from its beginning: fetched once, when the first does, and kept in a spool."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._file: BinaryIO | None = None

    def __call__(self) -> Iterable[bytes]:
        self._file = self._file or spool(self._body)
        self._file.seek(0)
        return read_chunks(self._file)

    def close(self) -> None:
        close_quietly(self._file)
