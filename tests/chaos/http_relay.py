"""A relay for HTTP that reads whole requests and answers, in a thread of its own: the events and objects are small."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from concurrent.futures import Future
from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request or an answer: its first line in parts, and its fields as they came."""

    raw: bytes
    first: tuple[str, ...]
    fields: dict[str, str]

    @property
    def method(self) -> str:
        return self.first[0]

    @property
    def path(self) -> str:
        return unquote(self.first[1].partition("?")[0])

    @property
    def status(self) -> int:
        return int(self.first[1])


class Broken(Exception):
    """The connection to the client is to be reset."""


class HttpRelay(ABC):
    """Listens on loopback. `upstream` chooses the port for each request, `exchange` passes it on and answers."""

    def __init__(self, name: str, port: int = 0) -> None:
        self._loop = asyncio.new_event_loop()
        self.requests = 0
        self.port = port
        self._ready: Future[None] = Future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        self._ready.result(30)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @abstractmethod
    def upstream(self) -> int:
        """The port that the next request goes to."""

    @abstractmethod
    async def exchange(
        self,
        head: Head,
        body: bytes,
        store: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        writer: asyncio.StreamWriter,
    ) -> None:
        """Pass one request on and answer it; `Broken` resets the client's connection."""

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            started = asyncio.start_server(self._client, "127.0.0.1", self.port, backlog=512)
            server = self._loop.run_until_complete(started)
        except OSError as error:
            self._ready.set_exception(error)
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set_result(None)
        self._loop.run_forever()
        server.close()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        held: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}
        try:
            while (head := await read_head(reader)) is not None:
                body = await read_body(reader, head)
                self.requests += 1
                port = self.upstream()
                if port not in held or held[port][0].at_eof():
                    held[port] = await asyncio.open_connection("127.0.0.1", port)
                await self.exchange(head, body, held[port], writer)
        except (OSError, asyncio.IncompleteReadError, Broken, ValueError):
            writer.transport.abort()
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            for _, each in held.values():
                each.close()


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next head, or None when the other side has ended."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = raw[:-4].split(b"\r\n")
    pairs = (line.decode("latin-1").partition(":") for line in lines)
    return Head(raw, tuple(first.decode("latin-1").split(" ", 2)), {n.strip().lower(): v.strip() for n, _, v in pairs})


async def read_body(reader: asyncio.StreamReader, head: Head) -> bytes:
    """The body as it is on the wire, the frames of a chunked one included."""
    if "chunked" not in head.fields.get("transfer-encoding", ""):
        return await reader.readexactly(int(head.fields.get("content-length", "0")))
    pieces = []
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        pieces += [line, await reader.readexactly(size + 2)]
        if size == 0:
            return b"".join(pieces)
