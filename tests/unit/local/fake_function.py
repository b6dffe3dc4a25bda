"""A small real server with the workload contract: what it does besides answering comes from path and environment."""

import http.server
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

print("hello from", os.environ["FUNCTION_NAME"], flush=True)
if code := os.environ.get("EXIT"):
    sys.exit(int(code))
MARK = Path(os.environ.get("MARK", "mark"))
if held := os.environ.get("HELD_IN_START"):
    Path(held).write_text(f"{os.getpid()}\n")
    time.sleep(600)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/crash":
            os._exit(3)
        if path == "/refuse-early":
            self.send(413, b"too large\n", close=True)
            return
        if path == "/notes":
            self.send(200, b"made\n", notes=self.headers["X-Want-Notes"])
            return
        if path == "/_/ready" and "READY_WAITS" in os.environ:
            time.sleep(600)
        if path == "/slow":
            MARK.touch()
            while MARK.exists():
                time.sleep(0.01)
        if path == "/drip":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"one", b"two"):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()
                while piece == b"one" and not MARK.exists():
                    time.sleep(0.01)
            self.wfile.write(b"0\r\n\r\n")
            return
        body = self.body()
        if path == "/event":
            target = {"address": "s3://processed/a.csv.gz", "size": 4, "notes": ["The encoding was guessed."]}
            source = {"bucket": "upload", "key": "a.csv", "size": 8}
            found = {"outcome": "processed", "source": source, "targets": [target]}
            self.send(int(os.environ.get("STATUS", "200")), json.dumps(found).encode(), "application/json")
            return
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "size": len(body),
            "body": body[:100].decode("latin-1"),
            "pid": os.getpid(),
            "environment": dict(os.environ),
        }
        kind = self.headers.get("X-Want-Type", "application/json")
        self.send(int(self.headers.get("X-Want-Status", "200")), json.dumps(seen).encode(), kind)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = answer  # noqa: N815

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def send(self, status: int, body: bytes, kind: str = "text/plain", *, close: bool = False, notes: str = "") -> None:
        self.send_response(status)
        if notes:
            self.send_header("x-penstock-notes", notes)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Prints nothing: the tests look at the log."""


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.02)
print("goodbye", flush=True)
