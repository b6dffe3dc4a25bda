"""Pass connections on, also across network namespaces: `python -m tests.components.relay LISTEN=TARGET...`.

An address is a loopback TCP port or the path of a Unix socket; a target may also be HOST:PORT. Unix sockets belong to
the file system and not to a network, which is how a program in a namespace of its own is reached without giving that
namespace an interface.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.components.process import LOOPBACK

_CHUNK_BYTES = 65536


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()  # a half-closed connection stays half-closed on the other side


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.isdigit():
        return await asyncio.open_connection(LOOPBACK, int(address))
    host, _, port = address.rpartition(":")
    if host:
        return await asyncio.open_connection(host, int(port))
    return await asyncio.open_unix_connection(address)


async def _serve(listen: str, target: str) -> asyncio.Server:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await _connect(target)
        except OSError:
            writer.transport.abort()  # the nearest thing to the refusal that the caller would have seen
            return
        try:
            await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))
        except OSError:
            pass  # one side went away; the other one learns it below
        finally:
            writer.close()
            far_writer.close()

    if listen.isdigit():
        return await asyncio.start_server(relay, LOOPBACK, int(listen))
    Path(listen).unlink(missing_ok=True)
    return await asyncio.start_unix_server(relay, listen)


async def main(pairs: list[str]) -> None:
    servers = [await _serve(*pair.split("=", 1)) for pair in pairs]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
