"""Raw HTTP against a function that is served as its image serves it: heads and bodies that break the rules."""

from __future__ import annotations

import json
import random
import socket
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.fuzz.mutate import any_text, changed_bytes
from tests.fuzz.subjects import Subject, Wrong
from tests.paths import ROOT
from tests.served import served

# A request that is not whole is answered after READ_TIMEOUT_SECONDS, so no answer takes longer than this.
_ANSWER_SECONDS = 30.0
_READ_TIMEOUT_SECONDS = 1
_EVENT = json.dumps({"bucket": "upload", "key": "a.csv"}).encode()


class Heads(Subject):
    """Every request is answered or its connection closed; the function stays alive and never answers 500."""

    name = "heads"

    def __init__(self, held: ExitStack) -> None:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="penstock-fuzz-")))
        (folder / "handler.py").write_text(
            "from penstock import Result\n\ndef handle(event, context):\n    return Result(event.body.read())\n"
        )
        settings = {
            "FUNCTION_NAME": "echo",
            "PYTHONPATH": str(ROOT / "shared"),
            "LOG_LEVEL": "ERROR",
            "READ_TIMEOUT_SECONDS": str(_READ_TIMEOUT_SECONDS),
        }
        running = held.enter_context(served(folder, settings))
        host, port = running.url.removeprefix("http://").split(":")
        self._address = (host, int(port))
        self._process = running.process
        fields = b"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            len(_EVENT),
            _EVENT,
        )
        chunked = b"POST /a.csv HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na,b\r\n0\r\n\r\n"
        self._samples = [
            b"POST /event HTTP/1.1\r\n" + fields,
            b"POST /a.csv HTTP/1.1\r\n" + fields,
            chunked,
            b"GET /_/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /metrics HTTP/1.0\r\n\r\n",
            b"POST / HTTP/1.1\r\nExpect: 100-continue\r\n" + fields,
            chunked.replace(b"0\r\n\r\n", b"0\r\nX-Trailer: 1\r\n\r\n"),
        ]
        self._lines = (
            b"Content-Length: -1",
            b"Content-Length: 1, 2",
            b"Content-Length: 99999999999999999999",
            b"Content-Length : 5",
            b"Transfer-Encoding: chunked, chunked",
            b"Transfer-Encoding: identity",
            b"Transfer-Encoding: \x0bchunked",
            b"Transfer-Encoding: chunked",
            b" folded",
            b"Host: a\r\nHost: b",
            b"A" * 9000 + b": 1",
            b"B: " + b"b" * 9000,
            b"\0: 1",
            b"traceparent: 00-zz",
            b"ce-specversion: 1.0\r\nce-id: %ff\r\nce-source: \xff\r\nce-type: x",
            b"X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http",
            b"Range: bytes=9-1",
            b"Authorization: Bearer \xff",
            b"Connection: keep-alive, close, upgrade\r\nUpgrade: websocket",
        )

    def case(self, rng: random.Random, number: int) -> bytes:
        data = rng.choice(self._samples)
        match rng.randrange(5):
            case 0:
                return changed_bytes(data, rng, self._samples)
            case 1:
                return data.replace(
                    b"\r\n", rng.choice((b"\n", b"\r", b"\r\n\r\n", b"\n\r\n", b"\0\r\n")), rng.randint(1, 3)
                )
            case 2:
                first, _, rest = data.partition(b"\r\n")
                target = any_text(rng).encode("utf-8", "replace")
                return b"%s %s HTTP/%s\r\n%s" % (
                    first.split()[0],
                    target,
                    rng.choice((b"1.1", b"2", b"9.9", b"")),
                    rest,
                )
            case 3:
                return data * rng.randint(2, 20)
            case _:
                first, _, rest = data.partition(b"\r\n")
                return first + b"\r\n" + rng.choice(self._lines) + b"\r\n" + rest

    def check(self, data: bytes) -> None:
        said = self._exchange(data)
        for answer in said.split(b"HTTP/1.1 ")[1:]:
            status = answer[:3]
            if status.startswith(b"5") and status not in (b"503", b"501", b"505"):
                raise Wrong(f"answered {answer[:400]!r}")
        if self._process.poll() is not None:
            raise Wrong(f"the function ended with {self._process.returncode}")
        alive = self._exchange(b"GET /_/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        if not alive.startswith(b"HTTP/1.1 200"):
            raise Wrong(f"the function is not alive afterwards: {alive[:200]!r}")

    def _exchange(self, data: bytes) -> bytes:
        """All that comes back until the function closes the connection."""
        with socket.create_connection(self._address, timeout=_ANSWER_SECONDS) as connection:
            said = b""
            try:
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(data)
                    # The request ends here: a function that waits for more sees that none comes.
                    connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    said += piece
            except ConnectionResetError:
                pass
            except TimeoutError:
                raise Wrong(
                    f"no answer and no end of the connection in {_ANSWER_SECONDS:.0f} s; {said[:200]!r}"
                ) from None
            return said
