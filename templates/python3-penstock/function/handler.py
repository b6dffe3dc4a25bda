"""Turn one input into one output. What is fetched, retried, written and recorded is the runtime's work."""

from collections.abc import Iterator
from dataclasses import dataclass

from penstock import Body, Context, Event, Result, option


@dataclass(frozen=True)
class Options:
    """Set them as OPTION_GREETING in stack.yml, or as ?greeting= in a direct call."""

    greeting: str = option("hello", "the line that goes before the input")


def handle(event: Event[Options], context: Context[Options]) -> Result:
    context.log.info("greeting %s, %d bytes", event.name, event.size)
    return Result(_greeted(event.options.greeting, event.body), content_type=event.content_type, name=event.name)


def _greeted(greeting: str, body: Body) -> Iterator[bytes]:
    yield greeting.encode() + b"\n"
    yield from body
