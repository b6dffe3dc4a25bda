"""A receiver of traces by OTLP over HTTP, as a collector is, in this process.

As a program it listens on port 4318 of every address and prints each span as a line of JSON.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """One step of a trace; ids are hex, `parent` is "" for the first one."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: Mapping[str, str]
    failed: bool


class OtlpReceiver:
    """Listens until `stop`; `url` is the endpoint that programs on this machine are given.

    `told` is called with each span that comes.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, told: Callable[[ReceivedSpan], None] = lambda _: None
    ) -> None:
        self._spans: list[ReceivedSpan] = []
        self._told = told
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                status = 200 if self.path == "/v1/traces" else 404
                if status == 200:
                    receiver.take(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    values = {each.key: each.value for each in span.attributes}
                    texts = {key: value.string_value or str(value.int_value) for key, value in values.items()}
                    received = ReceivedSpan(
                        about["service.name"],
                        span.name,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        texts,
                        span.status.code == 2,  # STATUS_CODE_ERROR
                    )
                    self._spans.append(received)
                    self._told(received)

    def spans(self, trace: str = "") -> list[ReceivedSpan]:
        """What has come so far: all, or that of one trace."""
        return [span for span in list(self._spans) if trace in ("", span.trace)]

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def way(spans: list[ReceivedSpan], last: str) -> list[tuple[str, str]]:
    """Service and name of each step from the first one to that called `last`."""
    by_id = {span.id: span for span in spans}
    found = [span for span in spans if span.name == last]
    steps = found[:1]
    while steps and steps[0].parent in by_id:
        steps.insert(0, by_id[steps[0].parent])
    return [(step.service, step.name) for step in steps]


if __name__ == "__main__":
    OtlpReceiver("0.0.0.0", 4318, lambda span: print(json.dumps(asdict(span)), flush=True))
    threading.Event().wait()
