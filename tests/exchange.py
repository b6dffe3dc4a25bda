"""Messages of the HTTP sender to a server, and servers on a raw socket that say what a test has them say."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from penstock.delivery.deliverer import Message, TargetAnswer
from penstock.delivery.http import HttpTarget, HttpTransport


def exchange(
    url: str,
    *messages: Message,
    timeout_seconds: float = 5.0,
    headers: dict[str, str] | None = None,
    keys: tuple[bytes, ...] = (),
) -> list[TargetAnswer]:
    """Send messages one after the other over one transport."""

    async def run() -> list[TargetAnswer]:
        loop = asyncio.get_running_loop()
        target = HttpTarget("t", url, headers or {}, keys=keys)
        transport = HttpTransport(target, timeout_seconds=timeout_seconds, loop=loop)
        answers = []
        for message in messages:
            future: asyncio.Future[TargetAnswer] = loop.create_future()
            transport.send(message, future.set_result)
            answers.append(await future)
        transport.close()
        await asyncio.sleep(0)
        return answers

    return asyncio.run(run())


def message(value: bytes = b"body", **headers: str) -> Message:
    return Message("k", value, {name.replace("_", "-"): text for name, text in headers.items()}, "test")


@contextmanager
def raw_server(*scripts: Callable[[socket.socket], None]) -> Iterator[str]:
    """Accept one connection per script, in order, and let the script speak on it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for script in scripts:
            connection, _ = listener.accept()
            with connection:
                script(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.close()
        thread.join(5)


@contextmanager
def unanswered_address() -> Iterator[tuple[str, int]]:
    """Host and port where packets that open a connection are dropped, as some networks do for a sleeping Service."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        host, port = listener.getsockname()
        # The only place in the queue is taken, and nothing accepts; Linux drops the packets of all others.
        with socket.create_connection((host, port)):
            yield host, port


def reply(text: bytes) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text)

    return script
