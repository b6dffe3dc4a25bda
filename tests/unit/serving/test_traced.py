"""Requests to an application as steps of their callers' traces."""

from collections.abc import Iterable
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from penstock.process.tracing import Tracer
from penstock.serving.traced import TracedApplication

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def call(method: str, path: str, status: str = "200 OK", **environ: str) -> tuple[list[ReadableSpan], str]:
    """The steps of one request, and the context that the application saw."""
    exporter, seen = InMemorySpanExporter(), []
    tracer = Tracer("compress", exporter)

    def application(given: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(given.get("HTTP_TRACEPARENT", ""))
        start_response(status, [])
        return [b"body"]

    traced = TracedApplication(application, tracer)
    answer = traced({"REQUEST_METHOD": method, "PATH_INFO": path, **environ}, lambda *_: None)
    assert b"".join(answer) == b"body"
    tracer.stop()
    return list(exporter.get_finished_spans()), seen[0]


def test_request_is_a_step_of_its_callers_trace_and_looks_like_its_caller() -> None:
    [step], seen = call("POST", "/event", HTTP_TRACEPARENT=GIVEN)
    assert step.parent is not None
    assert f"{step.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert seen == f"00-4bf92f3577b34da6a3ce929d0e0e4736-{step.context.span_id:016x}-01"


RECORDED, NOT_RECORDED = GIVEN, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


@pytest.mark.parametrize("caller", [{}, {"HTTP_TRACEPARENT": NOT_RECORDED}, {"HTTP_TRACEPARENT": "malformed"}])
def test_events_own_context_counts_where_what_passed_it_on_records_nothing(caller: dict[str, str]) -> None:
    """Knative's Broker sends its own context, with the flag that says: do not record."""
    [step], _ = call("POST", "/event", HTTP_CE_TRACEPARENT=RECORDED, **caller)
    assert step.parent is not None
    assert f"{step.parent.span_id:016x}" == "00f067aa0ba902b7"


@pytest.mark.parametrize("event", [{}, {"HTTP_CE_TRACEPARENT": NOT_RECORDED}])
def test_request_that_is_not_to_be_recorded_is_not(event: dict[str, str]) -> None:
    assert call("POST", "/event", HTTP_TRACEPARENT=NOT_RECORDED, **event)[0] == []


@pytest.mark.parametrize(
    ("path", "name"), [("/event", "POST /event"), ("/holiday.jpg", "POST"), ("/", "POST"), ("/lambda", "POST /lambda")]
)
def test_names_of_files_are_no_names_of_steps(path: str, name: str) -> None:
    [step], _ = call("POST", path)
    assert step.name == name


@pytest.mark.parametrize("path", ["/_/health", "/_/ready", "/metrics"])
def test_what_is_asked_every_few_seconds_is_no_step(path: str) -> None:
    assert call("GET", path, HTTP_TRACEPARENT=GIVEN) == ([], GIVEN)


@pytest.mark.parametrize(
    ("status", "code"), [("503 Service Unavailable", StatusCode.ERROR), ("422 Unprocessable Content", StatusCode.UNSET)]
)
def test_a_fault_of_the_server_fails_the_step_and_one_of_the_caller_does_not(status: str, code: StatusCode) -> None:
    [step], _ = call("POST", "/event", status)
    assert step.status.status_code is code
    assert (step.attributes or {})["http.response.status_code"] == int(status[:3])
