"""A proxy between functions and the object store that breaks a share of the answers.

It reads whole requests and answers: objects of a campaign are small. It also notes when a target was last looked at
before it was deleted, which tells whether a stranger's object could have been known to the deleter.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.http_relay import Broken, Head, HttpRelay, read_body, read_head

WRITES = frozenset({"PUT", "POST", "DELETE"})
HTML = b"<html><body><h1>Welcome</h1><p>Please log in to use this network.</p></body></html>"
_UNAVAILABLE = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>'
)
# What each kind of fault can happen to: any request, an answer with a body, or the answer to a write.
ANY = frozenset({"refused", "slow", "error 500", "error 503", "bad gateway", "html"})
WITH_BODY = frozenset({"cut answer", "wrong length", "trickle"})
ON_WRITE = frozenset({"cut request", "reset after write"})
KINDS: Sequence[str] = sorted(ANY | WITH_BODY | ON_WRITE)
_SLOW_SECONDS = (0.2, 2.0)


@dataclass(frozen=True, slots=True)
class Deletion:
    """A DELETE of one object: when its key was last looked at before, and when the DELETE was answered."""

    looked: float
    ended: float


class FaultProxy(HttpRelay):
    """`http://127.0.0.1:PORT` in place of a store. `weather` names the faults and the share of requests they hit."""

    def __init__(self, upstream_port: int, seed: int) -> None:
        super().__init__("fault-proxy")
        self._upstream_port = upstream_port
        self._random = random.Random(seed)
        self._weather: tuple[tuple[str, ...], float] = ((), 0.0)
        self._looks: dict[str, float] = {}
        self._completes_to_reset = 0
        self.deletions: dict[str, list[Deletion]] = {}
        self.broken: Counter[str] = Counter()

    def set_weather(self, kinds: Sequence[str], share: float) -> None:
        """From now on break this share of the requests, each in one of these ways."""
        self._weather = (tuple(kinds), share)

    def reset_completes(self, count: int) -> None:
        """Cut so many more connections after the store has completed an upload in parts, before its answer."""
        self._completes_to_reset += count

    def upstream(self) -> int:
        return self._upstream_port

    async def exchange(
        self,
        head: Head,
        body: bytes,
        store: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        writer: asyncio.StreamWriter,
    ) -> None:
        fault = self._choose(head)
        if fault == "refused":
            raise self._break(fault)
        if (made := _answer_of(fault)) is not None:
            self.broken[fault] += 1
            writer.write(made if head.method != "HEAD" else made.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
            await writer.drain()
            return
        if fault == "cut request":
            store[1].write(head.raw + body[: len(body) // 2])
            await store[1].drain()
            raise self._break(fault)
        began = time.monotonic()
        if head.method in ("HEAD", "GET"):
            self._looks[head.path] = began
        store[1].write(head.raw + body)
        await store[1].drain()
        answer = await read_head(store[0])
        while answer is not None and answer.status == 100:
            answer = await read_head(store[0])
        if answer is None:
            raise Broken
        content = b"" if head.method == "HEAD" or answer.status in (204, 304) else await read_body(store[0], answer)
        if head.method == "DELETE":
            looked = self._looks.get(head.path, began)
            self.deletions.setdefault(head.path, []).append(Deletion(looked, time.monotonic()))
        if fault in ("reset after write", "reset after COMPLETE"):
            raise self._break(fault)
        await self._reply(fault, answer, content, writer)

    async def _reply(self, fault: str, answer: Head, content: bytes, writer: asyncio.StreamWriter) -> None:
        if fault == "slow":
            self.broken[fault] += 1
            await asyncio.sleep(self._random.uniform(*_SLOW_SECONDS))
        if fault in WITH_BODY and len(content) > 1:
            half = len(content) // 2
            if fault == "cut answer":
                writer.write(answer.raw + content[:half])
                await writer.drain()
                raise self._break(fault)
            self.broken[fault] += 1
            if fault == "wrong length" and "content-length" in answer.fields:
                given = answer.fields["content-length"].encode()
                lines = answer.raw.split(b"\r\n")
                kept = [line for line in lines if not line.lower().startswith(b"content-length:")]
                assert given
                raw = b"\r\n".join([kept[0], b"Content-Length: %d" % half, *kept[1:]])
                writer.write(raw + content[:half])
            elif fault == "trickle":
                writer.write(answer.raw)
                for at in range(0, len(content), max(1, len(content) // 5)):
                    writer.write(content[at : at + max(1, len(content) // 5)])
                    await writer.drain()
                    await asyncio.sleep(0.1)
            else:
                writer.write(answer.raw + content)
        else:
            writer.write(answer.raw + content)
        await writer.drain()

    def _choose(self, head: Head) -> str:
        method = head.method
        if self._completes_to_reset and method == "POST" and "uploadId=" in head.first[1]:
            self._completes_to_reset -= 1
            return "reset after COMPLETE"
        kinds, share = self._weather
        if not kinds or self._random.random() >= share:
            return ""
        fault = self._random.choice(kinds)
        return "" if fault in ON_WRITE and method not in WRITES else fault

    def _break(self, fault: str) -> Broken:
        self.broken[fault] += 1
        return Broken(fault)


def _answer_of(fault: str) -> bytes | None:
    """An answer that the store never gave, or None."""
    if fault == "html":
        return _made(b"200 OK", b"text/html", HTML)
    if fault == "error 503":
        return _made(b"503 Service Unavailable", b"application/xml", _UNAVAILABLE)
    if fault == "error 500":
        return _made(b"500 Internal Server Error", b"text/plain", b"broken")
    if fault == "bad gateway":
        return _made(b"502 Bad Gateway", b"text/html", HTML)
    return None


def _made(status: bytes, content_type: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (status, content_type, len(body), body)
