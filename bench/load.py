"""A load generator over kept connections, so light that it is not what is measured."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit


def post_all(
    url: str,
    bodies: Iterable[bytes],
    *,
    connections: int,
    content_type: str = "application/json",
    path: str = "/event",
) -> float:
    """Post every body to `path` over `connections` kept connections, one request at a time on each.

    Returns the seconds it took. Raises `RuntimeError` for any answer but 200 and 202, with its beginning.
    """
    todo: Iterator[bytes] = iter(bodies)
    lock = threading.Lock()
    failures: list[str] = []
    address = (urlsplit(url).hostname or "", urlsplit(url).port or 80)
    head = f"POST {path} HTTP/1.1\r\nHost: {address[0]}\r\nContent-Type: {content_type}\r\nContent-Length: ".encode()

    def work() -> None:
        with socket.create_connection(address, timeout=600) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not failures:
                with lock:
                    body = next(todo, None)
                if body is None:
                    return
                wire.sendall(b"%b%d\r\n\r\n%b" % (head, len(body), body))
                try:
                    answer = _read_answer(wire)
                except (OSError, RuntimeError) as exc:
                    failures.append(str(exc))
                    return
                if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
                    failures.append(answer[:2000].decode("utf-8", "replace"))

    threads = [threading.Thread(target=work) for _ in range(connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    if failures:
        raise RuntimeError(f"{url}{path}: {failures[0]}")
    return seconds


def _read_answer(wire: socket.socket) -> bytes:
    """One answer; one without its length ends with its head, as that to an event that is ignored."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(wire)
    lengths = (
        int(line.partition(b":")[2])
        for line in data[:end].split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    length = next(lengths, 0)
    while len(data) < end + 4 + length:
        data += _more(wire)
    return data


def _more(wire: socket.socket) -> bytes:
    part = wire.recv(1 << 20)
    if not part:
        raise RuntimeError("the function closed the connection within an answer")
    return part
