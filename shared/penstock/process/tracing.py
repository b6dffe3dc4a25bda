"""Traces in OpenTelemetry, sent by OTLP over HTTP. Nothing of it is imported unless an endpoint is set.

What else OpenTelemetry's own variables say holds too: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, OTEL_BSP_SCHEDULE_DELAY and their like
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from penstock.errors import ConfigError
from penstock.json_text import encodable
from penstock.settings.plaintext import without_login

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span as OpenTelemetrySpan

SpanKind = Literal["client", "server", "consumer"]
Attribute = str | int | float | bool

_HEADER: Final = "traceparent"


class Span:
    """One step of a trace. `traceparent` is the header that makes the next step its child."""

    def __init__(self, span: "OpenTelemetrySpan") -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def note(self, **attributes: Attribute) -> None:
        """Add attributes; `__` in a name stands for a dot."""
        for name, value in attributes.items():
            # One text that UTF-8 cannot hold would cost all steps that are sent with this one.
            self._span.set_attribute(name.replace("__", "."), encodable(value) if isinstance(value, str) else value)

    def fail(self, why: str) -> None:
        """Mark the step as failed."""
        from opentelemetry.trace import StatusCode

        self._span.set_status(StatusCode.ERROR, encodable(why))

    def end(self) -> None:
        self._span.end()


class Tracer:
    """Makes the spans of one program; safe to share between threads, made after a fork."""

    def __init__(self, service: str, exporter: "SpanExporter") -> None:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create()
        if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: service}))
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("penstock")

    def start(self, name: str, kind: SpanKind, parent: str = "", **attributes: Attribute) -> Span:
        """Begin a step that its caller ends.

        `parent` is a traceparent header; "" is the step that this thread is in, or a new trace. A malformed one is a
        new trace, as W3C Trace Context asks.
        """
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind as Kind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract({_HEADER: parent}, Context()) if parent else None
        span = Span(self._tracer.start_span(encodable(name), context, Kind[kind.upper()]))
        span.note(**attributes)
        return span

    @contextmanager
    def step(self, name: str, kind: SpanKind, parent: str = "", **attributes: Attribute) -> Iterator[Span]:
        """A step that lasts as long as the block, in which other steps of this thread are its children."""
        from opentelemetry import context, trace

        span = self.start(name, kind, parent, **attributes)
        token = context.attach(trace.set_span_in_context(span._span))
        try:
            yield span
        except BaseException as exc:
            span.fail(f"{type(exc).__name__}: {exc}")
            raise
        finally:
            context.detach(token)
            span.end()

    def stop(self) -> None:
        """Send what is left; takes at most a few seconds when the endpoint does not answer."""
        self._provider.shutdown()


def make_tracer(service: str, endpoint: str) -> Tracer | None:
    """The tracer that sends to an OTLP endpoint such as `http://collector:4318`, None for "".

    Raises `ConfigError` when OpenTelemetry is not installed.
    """
    if not endpoint:
        return None
    if not endpoint.startswith(("http://", "https://")):
        raise ConfigError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT={without_login(endpoint)!r}: expected a URL such as http://collector:4318"
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, and the package {exc.name} is missing: install penstock[tracing]"
        ) from exc
    return Tracer(service, OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))
