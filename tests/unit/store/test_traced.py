"""Requests to a store as steps of a trace."""

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from penstock.process.tracing import Tracer
from penstock.store.memory import MemoryStore
from penstock.store.traced import TracedStore
from penstock.types import ObjectRef


def test_requests_to_the_store_are_steps_of_what_the_thread_does() -> None:
    exporter = InMemorySpanExporter()
    tracer = Tracer("compress", exporter)
    store = TracedStore(MemoryStore("in"), tracer)
    ref = ObjectRef("in", "one.csv")
    with tracer.step("POST /event", "server"):
        store.put(ref, [b"text"], content_type="text/plain", metadata={})
        found = store.open(ref)
        assert found is not None
        assert b"".join(found[1]) == b"text"
        store.delete(ref)
        assert store.stat(ref) is None
    tracer.stop()
    *requests, whole = exporter.get_finished_spans()
    assert [step.name for step in requests] == ["store put", "store open", "store delete", "store stat"]
    assert {step.parent.span_id for step in requests if step.parent} == {whole.context.span_id}
    assert dict(requests[1].attributes or {}) == {"bucket": "in", "key": "one.csv", "size": 4}
