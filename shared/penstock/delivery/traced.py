"""The way of each message as a trace: one step when the message is taken on, and one for each request.

The context comes with the message: as the header `traceparent` of a CloudEvent or of a webhook, or of a Kafka record,
which becomes `X-Kafka-traceparent`. Each request carries the context of its own step, and so does the CloudEvent in it:
a Broker passes the event on as it is, and changes the request's header.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from penstock.delivery.deliverer import HeldT, Message, Transport
from penstock.delivery.verdict import TargetAnswer
from penstock.errors import PermanentError
from penstock.process.tracing import Tracer

_HEADER: Final = "traceparent"
_EVENT_HEADER: Final = "ce-traceparent"
_OTHERS: Final = ("x-kafka-traceparent", _EVENT_HEADER)


def taken_on(message: Message[HeldT], tracer: Tracer) -> Message[HeldT]:
    """The message, in a trace: that of its headers, or a new one."""
    span = tracer.start(f"take {message.target}", "consumer", context_of(message), origin=message.origin)
    span.end()
    return _within(message, span.traceparent)


def context_of(message: Message[object]) -> str:
    """The message's own `traceparent`, "" without one."""
    found = {name.lower(): text for name, text in message.headers.items()}
    return next((found[name] for name in (_HEADER, *_OTHERS) if found.get(name)), "")


class TracedTransport:
    """Makes each request a step of its message's trace, and tells the receiver."""

    def __init__(self, inner: Transport, target: str, tracer: Tracer) -> None:
        self._inner = inner
        self._name = f"deliver {target}"
        self._tracer = tracer

    def send(self, message: Message[object], done: Callable[[TargetAnswer], None]) -> None:
        """As `Transport.send`."""
        span = self._tracer.start(self._name, "client", context_of(message), origin=message.origin)

        def answered(answer: TargetAnswer) -> None:
            span.note(http__response__status_code=answer.status)
            if answer.error is not None or answer.status >= 300:
                span.fail(answer.error or f"answered {answer.status}")
            span.end()
            done(answer)

        try:
            self._inner.send(_within(message, span.traceparent), answered)
        except PermanentError as exc:
            span.fail(str(exc))
            span.end()
            raise


def _within(message: Message[HeldT], traceparent: str) -> Message[HeldT]:
    own = {_HEADER: traceparent}
    if any(name.lower() == "ce-id" for name in message.headers):
        own[_EVENT_HEADER] = traceparent
    others = {name: text for name, text in message.headers.items() if name.lower() not in own}
    return replace(message, headers={**others, **own})
