"""A message's way as a trace: which context a request carries, and what its step says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from penstock.delivery.deliverer import Message
from penstock.delivery.traced import TracedTransport, context_of, taken_on
from penstock.delivery.verdict import TargetAnswer
from penstock.errors import EventError
from penstock.events import read_traceparent
from penstock.process.tracing import Tracer

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Tracer:
    return Tracer("test", exporter)


class Receiver:
    """A transport that keeps what it is given, and answers with one status."""

    def __init__(self, answer: TargetAnswer) -> None:
        self.answer = answer
        self.messages: list[Message[object]] = []

    def send(self, message: Message[object], done: Callable[[TargetAnswer], None]) -> None:
        self.messages.append(message)
        done(self.answer)


def message(**headers: str) -> Message:
    return Message("k", b"", {name.replace("_", "-"): text for name, text in headers.items()}, "upload/0@1", "compress")


@pytest.mark.parametrize("name", ["traceparent", "Traceparent", "X_Kafka_traceparent", "ce_traceparent"])
def test_context_is_found_where_brokers_put_it(name: str) -> None:
    assert context_of(message(**{name: GIVEN})) == GIVEN


def test_message_goes_on_in_its_own_trace(tracer: Tracer) -> None:
    context = read_traceparent(taken_on(message(X_Kafka_traceparent=GIVEN), tracer).headers["traceparent"])
    assert context is not None
    assert context.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert context.parent_id != "00f067aa0ba902b7"


def test_cloudevent_carries_the_step_too_because_a_broker_changes_the_requests_header(tracer: Tracer) -> None:
    headers = taken_on(message(ce_id="1", ce_traceparent=GIVEN), tracer).headers
    assert headers["ce-traceparent"] == headers["traceparent"] != GIVEN
    assert "ce-traceparent" not in taken_on(message(traceparent=GIVEN), tracer).headers


@pytest.mark.parametrize("text", ["", "00-nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01"])
def test_message_without_a_right_context_begins_a_trace(tracer: Tracer, text: str) -> None:
    assert read_traceparent(taken_on(message(traceparent=text), tracer).headers["traceparent"]) is not None


def test_trace_that_its_sender_does_not_sample_is_carried_on_and_not_recorded(
    tracer: Tracer, exporter: InMemorySpanExporter
) -> None:
    made = taken_on(message(traceparent=GIVEN[:-2] + "00"), tracer)
    assert made.headers["traceparent"].endswith("-00")
    tracer.stop()
    assert exporter.get_finished_spans() == ()


def test_each_request_is_a_step_and_tells_the_receiver(tracer: Tracer, exporter: InMemorySpanExporter) -> None:
    receiver, answers = Receiver(TargetAnswer(503)), list[TargetAnswer]()
    transport = TracedTransport(receiver, "compress", tracer)
    for _ in range(2):
        transport.send(message(Traceparent=GIVEN, X_Topic="upload"), answers.append)
    tracer.stop()
    sent = [each.headers["traceparent"] for each in receiver.messages]
    assert len(set(sent)) == 2
    assert [set(each.headers) for each in receiver.messages] == [{"X-Topic", "traceparent"}] * 2
    steps = exporter.get_finished_spans()
    assert [(step.name, step.status.status_code) for step in steps] == [("deliver compress", StatusCode.ERROR)] * 2
    assert [f"{step.context.span_id:016x}" for step in steps] == [each.split("-")[2] for each in sent]
    assert [answer.status for answer in answers] == [503, 503]


def test_request_that_cannot_be_written_ends_its_step(tracer: Tracer, exporter: InMemorySpanExporter) -> None:
    class Refuses:
        def send(self, message: Message[object], done: Callable[[TargetAnswer], None]) -> None:
            raise EventError("a header with a line's end")

    with pytest.raises(EventError):
        TracedTransport(Refuses(), "compress", tracer).send(message(), lambda _: None)
    tracer.stop()
    [step] = exporter.get_finished_spans()
    assert step.status.status_code is StatusCode.ERROR
