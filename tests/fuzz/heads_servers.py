"""The servers that raw HTTP is sent to: each started as it runs for its users, in a process of its own."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack, redirect_stderr
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote_to_bytes

from penstock.delivery.measures import DeliveryMeasures
from penstock.process.status_server import StatusServer

from tests.fuzz.heads import Heads, in_chunks, json_body, request, statuses
from tests.integration.processes import running
from tests.paths import EVENTS, ROOT
from tests.ports import free_port
from tests.served import served, wait_until_ready
from tests.waiting import wait_until

_READ_TIMEOUT_SECONDS = 1
_EVENT = json_body(bucket="upload", key="a.csv")
_PUT = (EVENTS / "minio_put.json").read_bytes()
_JSON = "Content-Type: application/json"
_HANDLER = "from penstock import Result\n\ndef handle(event, context):\n    return Result(event.body.read())\n"
_TOKEN = "hunter2"
_SIGNED = b"SIGNED"


class FunctionHeads(Heads):
    """A function, served as its image serves it."""

    name = "heads"
    alive = b"GET /_/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    def __init__(self, held: ExitStack) -> None:
        folder = _folder(held)
        (folder / "handler.py").write_text(_HANDLER)
        settings = {
            "FUNCTION_NAME": "echo",
            "PYTHONPATH": str(ROOT / "shared"),
            "LOG_LEVEL": "ERROR",
            "READ_TIMEOUT_SECONDS": str(_READ_TIMEOUT_SECONDS),
        }
        server = held.enter_context(served(folder, settings))
        self._process = server.process
        chunked = in_chunks("POST /a.csv", b"a,b")
        samples = [
            request("POST /event", _EVENT, _JSON),
            request("POST /a.csv", _EVENT, _JSON),
            chunked,
            self.alive,
            b"GET /metrics HTTP/1.0\r\n\r\n",
            request("POST /", _EVENT, "Expect: 100-continue", _JSON),
            chunked.replace(b"0\r\n\r\n", b"0\r\nX-Trailer: 1\r\n\r\n"),
        ]
        host, _, port = server.url.removeprefix("http://").partition(":")
        super().__init__((host, int(port)), samples)

    def problem(self, said: bytes) -> str:
        return _ended(self._process)


class BridgeHeads(Heads):
    """The bridge. Only a request that it answers 202 may leave something in its inbox."""

    name = "heads-bridge"
    alive = FunctionHeads.alive

    def __init__(self, held: ExitStack) -> None:
        folder, port = _folder(held), free_port()
        self._url = f"http://127.0.0.1:{port}"
        # Nothing is delivered or tried again while this runs, so what is stored stays.
        command = ["bridge", "--to", "sink=http://127.0.0.1:9/", "--inbox", str(folder / "inbox.db"), "--listen"]
        command += [f"127.0.0.1:{port}", "--allow-anonymous", "--min-wait-seconds", "3600"]
        command += ["--max-wait-seconds", "3600", "--max-in-flight", "1"]
        log = folder / "log"
        self._process = held.enter_context(running(command, log, {"CONSOLE_TOKEN": _TOKEN}))
        wait_until_ready(self._url, self._process)
        self._log = _Log(log)
        authorised = f"Authorization: Bearer {_TOKEN}"
        chunked = in_chunks("POST /", _PUT, _JSON)
        samples = [
            request("POST /", _PUT, _JSON),
            request("POST /", b"unreadable"),
            chunked,
            chunked.replace(b"0\r\n\r\n", b"0\r\nX-Trailer: 1\r\n\r\n"),
            request("POST /dead-letters", _EVENT, _JSON, "ce-knativeerrorcode: 422", "ce-knativeerrordata: e30="),
            request("POST /inbox/replay", json_body(ids=[]), _JSON, authorised),
            request("POST /inbox/restore", json_body(undo="no-such"), _JSON, authorised),
            request("GET /inbox/dead-letters?after=999999999", b"", authorised),
            request("GET /inbox/attempts?after=999999999", b"", authorised),
            self.alive,
            b"GET /metrics HTTP/1.0\r\n\r\n",
        ]
        self._kept = self._counted()
        super().__init__(("127.0.0.1", port), samples)

    def problem(self, said: bytes) -> str:
        before, self._kept = self._kept, self._counted()
        if self._kept != before and b"202" not in statuses(said):
            return f"the inbox holds {self._kept} in place of {before}"
        return _ended(self._process) or self._log.trace()

    def _counted(self) -> int:
        asked = urllib.request.Request(f"{self._url}/inbox", headers={"Authorization": f"Bearer {_TOKEN}"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            counts = json.load(answer)
        return int(counts["pending"] + counts["dead"])


class _StackHeads(Heads):
    """A server of `penstock up`, which runs gateway and store in one process."""

    def _start(self, held: ExitStack) -> tuple[Mapping[str, int], str]:
        """The ports of gateway and store by name, and the secret key of the store."""
        folder = _folder(held)
        function = folder / "echo"
        function.mkdir()
        (function / "handler.py").write_text(_HANDLER)
        (folder / "stack.yml").write_text(
            "functions:\n  echo:\n    handler: ./echo\n    image: example/echo:1\n"
            '    environment: {SOURCE: "s3://upload/*.csv", SINK: "s3://processed/{key}"}\n'
        )
        ports = {"gateway": free_port(), "store": free_port()}
        data, log = folder / "data", folder / "log"
        command = ["up", "--stack", str(folder / "stack.yml"), "--data", str(data), "--no-password", "--quiet"]
        command += ["--port", str(ports["gateway"]), "--store-port", str(ports["store"])]
        self._process = held.enter_context(running(command, log, {"PYTHONPATH": str(ROOT / "shared")}))
        health = f"http://127.0.0.1:{ports['gateway']}/healthz"
        wait_until(lambda: urllib.request.urlopen(health, timeout=30).close() is None)
        self._log = _Log(log)
        return ports, (data / "store-secret").read_text().strip()

    def problem(self, said: bytes) -> str:
        return _ended(self._process) or self._log.trace()


class GatewayHeads(_StackHeads):
    """The gateway of the local stack, with a function behind it."""

    name = "heads-gateway"
    alive = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def __init__(self, held: ExitStack) -> None:
        ports, _ = self._start(held)
        chunked = in_chunks("POST /function/echo/a", b"a,b")
        samples = [
            request("POST /function/echo/a.csv", b"a,b"),
            chunked,
            chunked.replace(b"0\r\n\r\n", b"0\r\nX-Trailer: 1\r\n\r\n"),
            request("POST /function/echo/a", b"a,b", "Expect: 100-continue"),
            request("POST /async-function/echo/a", b"a,b"),
            request("POST /function/echo/event", _EVENT, _JSON),
            request("POST /events", b"unreadable", _JSON),
            request("GET /system/functions"),
            request("POST /system/scale-function/echo", json_body(serviceName="echo", replicas=1), _JSON),
            request("PUT /ui/object?bucket=upload&key=a.txt", b"kept"),
            request("GET /ui/objects?bucket=upload&prefix="),
            request("GET /ui/"),
            b"GET /metrics HTTP/1.0\r\n\r\n",
            self.alive,
        ]
        super().__init__(("127.0.0.1", ports["gateway"]), samples)


class StoreHeads(_StackHeads):
    """The store of the local stack. Only a request that it answers 2xx may change an object."""

    name = "heads-store"
    alive = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = b"HTTP/1.1 403"  # it is not signed

    def __init__(self, held: ExitStack) -> None:
        ports, self._secret_key = self._start(held)
        many = b"<Delete><Object><Key>other</Key></Object></Delete>"
        samples = [
            request("PUT /processed/kept?SIGNED", b"a,b"),
            request("PUT /processed/other?SIGNED", b"a,b", "Expect: 100-continue", "Content-Type: text/csv"),
            in_chunks("PUT /processed/kept?SIGNED", b"a,b"),
            request("PUT /processed/kept?SIGNED", b"a=b", "Content-Type: application/x-www-form-urlencoded"),
            request("PUT /processed/copy?SIGNED", b"", "x-amz-copy-source: /processed/kept"),
            request("GET /processed/kept?SIGNED", b"", "Range: bytes=0-1"),
            request("HEAD /processed/kept?SIGNED", b"", "If-None-Match: x"),
            request("GET /processed?list-type=2&max-keys=2&prefix=k&SIGNED"),
            request("POST /processed/large?uploads&SIGNED"),
            request("POST /processed?delete&SIGNED", many),
            request("DELETE /processed/other?SIGNED"),
            self.alive,
        ]
        super().__init__(("127.0.0.1", ports["store"]), samples)
        self.exchange(self.sent(samples[0]))
        self._kept = self._content()

    def sent(self, data: bytes) -> bytes:
        """The first request, with the signature that is right for its method and target."""
        line, end, rest = data.partition(b"\r\n")
        words = line.split(b" ")
        if len(words) < 2 or _SIGNED not in words[1]:
            return data
        words[1] = signed(words[0], words[1], self._secret_key)
        return b" ".join(words) + end + rest

    def problem(self, said: bytes) -> str:
        before, self._kept = self._kept, self._content()
        if self._kept != before and not any(status.startswith(b"2") for status in statuses(said)):
            return f"the object is {self._kept[:200]!r} in place of {before[:200]!r}"
        return super().problem(said)

    def _content(self) -> bytes:
        """The body of the object that is there all the time, or the answer that is given in its place."""
        said = self.exchange(self.sent(b"GET /processed/kept?SIGNED HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        head, _, body = said.partition(b"\r\n\r\n")
        return body if head.startswith(b"HTTP/1.1 200") else head


class StatusHeads(Heads):
    """The probes and metrics of connectors."""

    name = "heads-status"
    alive = b"GET /_/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = b"HTTP/1.0 200"

    def __init__(self, held: ExitStack) -> None:
        log = _folder(held) / "log"
        held.enter_context(redirect_stderr(held.enter_context(log.open("w", buffering=1))))
        self._log = _Log(log)
        server = StatusServer(("127.0.0.1", 0), DeliveryMeasures(), ill=str, unready=str)
        server.start()
        held.callback(server.stop)
        samples = [
            self.alive,
            b"GET /metrics?a=b HTTP/1.0\r\n\r\n",
            request("POST /_/ready", b"a"),
        ]
        super().__init__(("127.0.0.1", server.port), samples)

    def problem(self, said: bytes) -> str:
        return self._log.trace()


def signed(method: bytes, target: bytes, secret_key: str) -> bytes:
    """A target whose query has SIGNED in it, with AWS Signature Version 4 in the place of that word."""
    path, _, query = target.partition(b"?")
    date = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    scope = f"{date[:8]}/us-east-1/s3/aws4_request"
    fields = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"penstock/{scope}",
        "X-Amz-Date": date,
        "X-Amz-Expires": "600",
        "X-Amz-SignedHeaders": "host",
    }
    shown = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items()).encode()
    query = query.replace(_SIGNED, shown, 1)
    pairs = [part.partition(b"=") for part in query.split(b"&") if part]
    parts = [
        (quote(unquote_to_bytes(name), safe="-_.~"), quote(unquote_to_bytes(value), safe="-_.~"))
        for name, _, value in pairs
    ]
    canonical = "\n".join(
        (
            method.decode("latin-1"),
            quote(unquote_to_bytes(path), safe="/-_.~"),
            "&".join(sorted(f"{name}={value}" for name, value in parts)),
            "host:localhost",
            "",
            "host",
            "UNSIGNED-PAYLOAD",
        )
    )
    key = f"AWS4{secret_key}".encode()
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return path + b"?" + query + f"&X-Amz-Signature={key.hex()}".encode()


class _Log:
    """What a server writes, which must hold no trace."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("rb")
        self._file.read()

    def trace(self) -> str:
        """The last of what was written since the last call, if a trace is in it."""
        text = self._file.read().decode(errors="replace")
        return f"its log has a trace: {text[-1500:]}" if "Traceback" in text else ""


def _ended(process: subprocess.Popen[bytes]) -> str:
    return f"the server ended with {process.returncode}" if process.poll() is not None else ""


def _folder(held: ExitStack) -> Path:
    return Path(held.enter_context(tempfile.TemporaryDirectory(prefix="penstock-fuzz-")))


SERVERS: Mapping[str, Callable[[ExitStack], Heads]] = {
    each.name: each for each in (FunctionHeads, BridgeHeads, GatewayHeads, StoreHeads, StatusHeads)
}
"""All of them by name."""
