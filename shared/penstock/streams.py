"""The bytes of an input as a file, the chunks of a result, and temporary files."""

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from penstock.errors import HandlerError, InputTooLarge, as_exception
from penstock.json_text import to_line

if TYPE_CHECKING:

    class _BinaryFile(io.RawIOBase, BinaryIO):
        """The class, and the protocol that libraries ask for, as typeshed declares `io.FileIO`."""

        closed: bool  # a slot: the property of the base class would need a dictionary
else:
    _BinaryFile = io.RawIOBase

CHUNK_BYTES = 256 * 1024
SPOOL_MEMORY_BYTES = 8 * 1024 * 1024


class Body(_BinaryFile):
    """The bytes of one input: a binary file that reads forward only, opened by the first read.

    It is an `io.RawIOBase`, so libraries that take a file take it: `io.TextIOWrapper`, `gzip`, `PIL.Image.open`,
    `pandas.read_csv`, `pyarrow.csv.open_csv`. Give `spool(body)` to a library that seeks. Iteration gives chunks of
    bytes in the source's own sizes, not lines. `io.TextIOWrapper(body)` iterates over lines.

    The read that passes `max_bytes` raises `InputTooLarge`. An exception of the source is kept in `failure`, and every
    later read raises it again: a decoder may take a broken connection for bad input, or go on without noticing.
    """

    # Slots, because a subclass of a C class keeps attributes in a dictionary. They halve the time of a chunk.
    __slots__ = (
        "_at",
        "_chunk",
        "_chunks",
        "_ended",
        "_max_bytes",
        "_name",
        "_opener",
        "_source",
        "bytes_read",
        "closed",
        "failure",
    )

    def __init__(
        self, opener: Callable[[], Iterable[bytes]], *, max_bytes: int | None = None, name: str = "input"
    ) -> None:
        self._opener = opener
        self._chunks: Iterator[bytes] | None = None
        self._source: Iterable[bytes] | None = None
        # The last chunk, and how many of its bytes were given out. Cutting it at each read would copy the rest.
        self._chunk = b""
        self._at = 0
        self._max_bytes = max_bytes
        self._name = name
        self.bytes_read = 0
        self.closed = False
        self.failure: Exception | None = None
        self._ended = False  # failed or closed: there are no further reads

    @classmethod
    def of(cls, data: bytes) -> "Body":
        """A body over bytes that are already in memory, for tests and small inputs."""
        return cls(lambda: [data])

    def _next(self) -> bytes:
        """The next non-empty chunk from the source, or b"" at its end."""
        if self._ended:
            raise self.failure or ValueError(f"{self._name}: read after it was closed")
        try:
            return self._take()
        except Exception as exc:
            self.failure = exc
            self._ended = True
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

    def _rest(self) -> bytes:
        """Take out the rest of the last chunk."""
        rest = self._chunk[self._at :]
        self._chunk, self._at = b"", 0
        return rest

    def _load(self) -> bool:
        """Get at least one byte into the last chunk; False at the end."""
        self._chunk = self._chunk or self._next()
        return bool(self._chunk)

    def _gather(self, size: int) -> None:
        """Get at least `size` bytes into the last chunk, fewer only at the end."""
        have = len(self._chunk) - self._at
        if have >= size:
            return
        parts = [self._chunk[self._at :]]
        while have < size and (chunk := self._next()):
            parts.append(chunk)
            have += len(chunk)
        self._chunk, self._at = b"".join(parts), 0

    def _cut(self, end: int) -> bytes:
        """Give out the last chunk up to `end`."""
        data = self._chunk[self._at : end]
        self._at += len(data)
        if self._at == len(self._chunk):
            self._chunk, self._at = b"", 0
        return data

    def __iter__(self) -> Iterator[bytes]:
        """Yield the rest, in chunks of the source's own size."""
        while chunk := self._rest() if self._chunk else self._next():
            yield chunk

    def __next__(self) -> bytes:
        """The next chunk."""
        if not self._load():
            raise StopIteration
        return self._rest()

    def read(self, size: int | None = -1) -> bytes:
        """Read `size` bytes, fewer only at the end. When `size` is negative or None, read all the rest."""
        if size is None or size < 0:
            return b"".join(self)
        self._gather(size)
        return self._cut(self._at + size)

    def read1(self, size: int = -1) -> bytes:
        """Read at most `size` bytes of the present chunk. If it is used up, read the next chunk."""
        if not self._load():
            return b""
        return self._rest() if size < 0 else self._cut(self._at + size)

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the present chunk; returns the number of bytes, 0 only at the end."""
        view = memoryview(buffer).cast("B")
        data = self.read1(len(view))
        view[: len(data)] = data
        return len(data)

    def readline(self, size: int | None = -1) -> bytes:
        """Read up to the next line feed, and the line feed too; at most `size` bytes."""
        parts: list[bytes] = []
        room = -1 if size is None else size
        while room and self._load():
            end = self._chunk.find(b"\n", self._at) + 1 or len(self._chunk)
            part = self._cut(end if room < 0 else min(end, self._at + room))
            parts.append(part)
            if part.endswith(b"\n"):
                break
            room = room if room < 0 else room - len(part)
        return b"".join(parts)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Read all lines, or only until they have `hint` bytes together."""
        lines: list[bytes] = []
        have = 0
        while line := self.readline():
            lines.append(line)
            have += len(line)
            if 0 < (hint or 0) <= have:
                break
        return lines

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end, without consuming them."""
        self._gather(size)
        return self._chunk[self._at : self._at + size]

    def readable(self) -> bool:
        return True

    def seek(self, _offset: int, _whence: int = 0) -> int:
        """Raise `io.UnsupportedOperation`, as other streams do that read forward only."""
        raise io.UnsupportedOperation(
            f"{self._name}: an input reads forward only; for a library that seeks: with spool(event.body) as file: ..."
        )

    def close(self) -> None:
        """Close the source's connection, if a read has opened it. The body cannot be read afterwards."""
        if self.closed:
            return
        self.closed = self._ended = True
        self._chunk, self._at = b"", 0
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


def read_chunks(stream: BinaryIO, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Yield a file's bytes from its present position."""
    while chunk := stream.read(chunk_bytes):
        yield chunk


def as_chunks(body: bytes | BinaryIO | Iterable[bytes] | Mapping[str, Any]) -> Iterable[bytes]:
    """A result's body as chunks. A mapping becomes one chunk of JSON.

    A chunk that is not made of bytes raises `HandlerError` when it is reached.
    """
    if isinstance(body, bytes | bytearray | memoryview):
        return (bytes(body),)
    if isinstance(body, Mapping):
        return (to_line(body),)
    if isinstance(body, Body):
        return body
    return _bytes_only(read_chunks(cast("BinaryIO", body)) if hasattr(body, "read") else body)


def _bytes_only(chunks: Iterable[bytes]) -> Iterator[bytes]:
    try:
        for chunk in chunks:
            if type(chunk) is not bytes and not isinstance(chunk, bytearray | memoryview):
                kind = type(chunk).__name__
                remedy = "give text.encode()" if kind == "str" else "give bytes"
                raise HandlerError(f"the body of a Result gave a chunk of type {kind}; {remedy}")
            yield chunk
    except SystemExit as exc:
        raise HandlerError("the body of a Result raised SystemExit; raise penstock.PermanentError instead") from exc
    except (Exception, GeneratorExit, KeyboardInterrupt):  # closed before its end, or Ctrl+C
        raise
    except BaseException as exc:
        raise as_exception(exc) from exc


def close_quietly(stream: object) -> None:
    """Close a file, a generator or a response that is not needed any more, and ignore what closing raises."""
    close = getattr(stream, "close", None)
    if close is not None:
        with contextlib.suppress(Exception):
            close()


def spool(chunks: Iterable[bytes], memory_bytes: int = SPOOL_MEMORY_BYTES) -> BinaryIO:
    """Copy chunks into a temporary file that can seek: in memory up to `memory_bytes`, then on disk.

    The file is at its beginning. Closing it removes it: `with spool(event.body) as file: ...`.
    """
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
    """One body for several readers. Each reads from the beginning. The first call copies it into a temporary file."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._file: BinaryIO | None = None

    def __call__(self) -> Iterable[bytes]:
        self._file = self._file or spool(self._body)
        self._file.seek(0)
        return read_chunks(self._file)

    def close(self) -> None:
        close_quietly(self._file)
