"""A WSGI application whose requests are steps of a trace."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from penstock.events import read_traceparent
from penstock.process.tracing import Tracer

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

Application = Callable[["WSGIEnvironment", Callable[..., Any]], Iterable[bytes]]

# Asked every few seconds, by the platform and by Prometheus.
_UNTRACED: Final = frozenset({"/_/health", "/_/ready", "/metrics"})
_NAMED_PATHS: Final = frozenset({"/event", "/lambda", "/status"})


class TracedApplication:
    """Makes each request a step of its caller's trace, or a new trace. `application` sees the step as its caller's."""

    def __init__(self, application: Application, tracer: Tracer) -> None:
        self._application = application
        self._tracer = tracer

    def __call__(self, environ: "WSGIEnvironment", start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path in _UNTRACED:
            return self._application(environ, start_response)
        method = environ["REQUEST_METHOD"]
        # Other paths hold names of files, which are too many for names of steps.
        name = f"{method} {path}" if path in _NAMED_PATHS else method
        with self._tracer.step(name, "server", _context_of(environ)) as step:

            def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
                step.note(http__response__status_code=int(status[:3]))
                if status >= "5":
                    step.fail(status)
                return start_response(status, headers, *error)

            return self._application({**environ, "HTTP_TRACEPARENT": step.traceparent}, start)


def _context_of(environ: "WSGIEnvironment") -> str:
    """The caller's `traceparent`, or the CloudEvent's where the caller sent none or one that is not recorded.

    A Broker that records no traces itself passes a request on as one that is not to be recorded. It leaves the event's
    own context as it was (https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md).
    """
    given: str = environ.get("HTTP_TRACEPARENT", "")
    caller, event = read_traceparent(given), read_traceparent(environ.get("HTTP_CE_TRACEPARENT"))
    if event and (caller is None or (event.is_recorded and not caller.is_recorded)):
        return str(event)
    return given
