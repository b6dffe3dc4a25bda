"""Raw HTTP whose heads and bodies break the rules, for each server of this project."""

from __future__ import annotations

import json
import random
import re
import socket
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress

from tests.fuzz.mutate import any_text, changed_bytes
from tests.fuzz.subjects import Subject, Wrong, found_before

# A request that is not whole is answered after a server's time for it, so no answer takes longer than this.
_ANSWER_SECONDS = 30.0
_NO_FAULT = (b"501", b"503", b"505")
_LINES = (
    b"Content-Length: -1",
    b"Content-Length: 1, 2",
    b"Content-Length: 99999999999999999999",
    b"Content-Length : 5",
    b"Content-Length: +5",
    b"Content-Length: \xb2",
    b"Content-Length: 5\r\nContent-Length: 5",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding: chunked",
    b" folded",
    b"\tfolded",
    b"no colon",
    b": no name",
    b"Host: a\r\nHost: b",
    b"Host: [::1",
    b"Host: \xff",
    b"Origin: null",
    b"A" * 9000 + b": 1",
    b"B: " + b"b" * 9000,
    b"C: c\r\n" * 150 + b"C: c",
    b"\0: 1",
    b"D: \0",
    b"E: e\rf: g",
    b"Cookie: penstock-session=\xff; ; =",
    b"Content-Type: multipart/form-data; boundary=" + b"\xff" * 9,
    b"Content-Type: application/json; charset=no-such",
    b"Content-Encoding: gzip",
    b"Expect: 200-ok",
    b"traceparent: 00-zz",
    b"ce-specversion: 1.0\r\nce-id: %ff\r\nce-source: \xff\r\nce-type: x",
    b"X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http",
    b"X-Callback-Url: http://[",
    b"Range: bytes=9-1",
    b"If-None-Match: *\r\nIf-Match: \xff",
    b"If-Modified-Since: Thu, 99 Foo 0000 99:99:99",
    b"Authorization: Bearer \xff",
    b"Authorization: Basic !!!",
    b"Authorization: AWS4-HMAC-SHA256 Credential=a, SignedHeaders=\xff, Signature=b",
    b"x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nx-amz-decoded-content-length: x",
    b"x-amz-copy-source: %ff\xff",
    b"x-amz-meta-\xff: \xff",
    b"x-amz-tagging: %\xff&&=",
    b"Connection: keep-alive, close, upgrade\r\nUpgrade: websocket",
)


class Heads(Subject):
    """Every request is answered or its connection closed; the server stays alive and answers with no unexpected 5xx."""

    alive: bytes
    """A request that is answered for as long as the server lives."""
    answer: bytes = b"HTTP/1.1 200"
    """How the answer to `alive` begins."""

    def __init__(self, address: tuple[str, int], samples: Sequence[bytes]) -> None:
        self._address = address
        self._samples = samples

    @abstractmethod
    def problem(self, said: bytes) -> str:
        """What is wrong with the server after it said this, "" for nothing."""

    def first(self) -> list[bytes]:
        """What one server read wrongly is tried on each of them."""
        return [*found_before("heads"), *super().first()] if self.name != "heads" else super().first()

    def case(self, rng: random.Random, number: int) -> bytes:
        data = rng.choice(self._samples)
        match rng.randrange(6):
            case 0:
                return changed_bytes(data, rng, self._samples)
            case 1:
                return data.replace(
                    b"\r\n", rng.choice((b"\n", b"\r", b"\r\n\r\n", b"\n\r\n", b"\0\r\n")), rng.randint(1, 3)
                )
            case 2:
                first, _, rest = data.partition(b"\r\n")
                target = any_text(rng).encode("utf-8", "replace")
                version = rng.choice((b"1.1", b"2", b"9.9", b""))
                return b"%s %s HTTP/%s\r\n%s" % (first.split()[0], target, version, rest)
            case 3:
                return data * rng.randint(2, 20)
            case 4:
                # A target that is odd in one place: behind its first part, so that it reaches the route.
                first, _, rest = data.partition(b"\r\n")
                method, target, version = first.split()
                path, mark, query = target.partition(b"?")
                odd = rng.choice(
                    (b"%ff", b"%00", b"%0a", b"%2e%2e/", b"//", b"%", b"\xff", b"#", b"\\", b"%b2", b"a" * 2000)
                )
                if rng.random() < 0.5:
                    path += odd
                else:
                    mark, query = (
                        b"?",
                        query
                        + b"&"
                        + rng.choice((b"versionId=", b"max-keys=", b"X-Amz-Expires=", b"path=", b""))
                        + odd,
                    )
                return b"%s %s%s%s %s\r\n%s" % (method, path, mark, query, version, rest)
            case _:
                first, _, rest = data.partition(b"\r\n")
                return first + b"\r\n" + rng.choice(_LINES) + b"\r\n" + rest

    def check(self, data: bytes) -> None:
        said = self.exchange(self.sent(data))
        for status in statuses(said):
            if status.startswith(b"5") and status not in _NO_FAULT:
                raise Wrong(f"answered {said[:400]!r}")
        if problem := self.problem(said):
            raise Wrong(f"{problem}; it answered {said[:400]!r}")
        alive = self.exchange(self.alive)
        if not alive.startswith(self.answer):
            raise Wrong(f"not alive afterwards: {alive[:200]!r}")

    def sent(self, data: bytes) -> bytes:
        """The bytes that are sent for a case, which holds nothing of the time or of this run."""
        return data

    def exchange(self, data: bytes) -> bytes:
        """All that comes back until the server closes the connection."""
        with socket.create_connection(self._address, timeout=_ANSWER_SECONDS) as connection:
            said = b""
            try:
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(data)
                    # The request ends here: a server that waits for more sees that none comes.
                    connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    said += piece
            except OSError as error:
                if isinstance(error, TimeoutError):
                    words = f"no answer and no end of the connection in {_ANSWER_SECONDS:.0f} s; {said[:200]!r}"
                    raise Wrong(words) from None
            return said


def statuses(said: bytes) -> list[bytes]:
    """The statuses of all answers; gunicorn answers in the version of the request."""
    return re.findall(rb"HTTP/1\.[0-9] ([0-9]{3}) ", said)


def request(line: str, body: bytes = b"", *headers: str) -> bytes:
    """A request of this first line, without its version, with a body of a stated length."""
    lines = [f"{line} HTTP/1.1", "Host: localhost", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def in_chunks(line: str, body: bytes, *headers: str) -> bytes:
    """The same with its body in chunks."""
    lines = [f"{line} HTTP/1.1", "Host: localhost", *headers, "Transfer-Encoding: chunked", "", ""]
    half = len(body) // 2
    parts = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part]
    return "\r\n".join(lines).encode() + b"".join(parts) + b"0\r\n\r\n"


def json_body(**members: object) -> bytes:
    return json.dumps(members).encode()
