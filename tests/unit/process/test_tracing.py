"""Traces are made where they are wanted, and nothing of OpenTelemetry is imported where they are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from penstock.errors import ConfigError
from penstock.process.tracing import Tracer, make_tracer

from tests.otlp import OtlpReceiver


def test_no_endpoint_means_no_tracer() -> None:
    assert make_tracer("compress", "") is None


def test_endpoint_that_is_not_a_url_is_named() -> None:
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_ENDPOINT='collector:4318': expected a URL"):
        make_tracer("compress", "collector:4318")


def test_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match=r"install penstock\[tracing\]"):
        make_tracer("compress", "http://127.0.0.1:9")


def test_request_that_fails_is_a_failed_step() -> None:
    exporter = InMemorySpanExporter()
    tracer = Tracer("compress", exporter)
    with pytest.raises(ZeroDivisionError), tracer.step("store put", "client"):
        _ = 1 / 0
    tracer.stop()
    [step] = exporter.get_finished_spans()
    assert (step.status.status_code, step.status.description) == (
        StatusCode.ERROR,
        "ZeroDivisionError: division by zero",
    )


def test_function_without_an_endpoint_imports_nothing_for_traces(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(
        "from penstock import Result\n\n\ndef handle(event, context):\n    return Result(event.body.read())\n"
    )
    program = f"""
import sys
from pathlib import Path
from penstock.serving.server import FunctionServer
from penstock.serving.wiring import make_served_runtime
from penstock.settings.environment import load_config

config = load_config({{"PORT": "1"}}, function="f")
server = FunctionServer(config, "127.0.0.1", lambda it: make_served_runtime(Path({str(tmp_path)!r}), config, it))
app = server.load()
assert app.test_client().post("/one.txt", data=b"x", content_type="text/plain").data == b"x"
print([name for name in sys.modules if "opentelemetry" in name or name.endswith(("tracing", "traced"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_text_that_utf_8_cannot_hold_costs_no_step() -> None:
    receiver = OtlpReceiver()
    tracer = make_tracer("compress", receiver.url)
    assert tracer is not None
    with tracer.step("whole", "client", key="a"):
        pass
    step = tracer.start("half \ud800", "client", key="b\udfff")
    step.fail("answered \ud800")
    step.end()
    tracer.stop()
    receiver.stop()
    assert {(each.name, each.attributes["key"]) for each in receiver.spans()} == {
        ("whole", "a"),
        (r"half \ud800", r"b\udfff"),
    }
