"""Lines with their numbers before them; an option says which number is the first."""

from collections.abc import Iterator
from dataclasses import dataclass

from penstock import Body, Context, Event, Result, option


@dataclass(frozen=True)
class Options:
    first: int = option(1, "the number of the first line", ge=0)


def handle(event: Event[Options], context: Context[Options]) -> Result:
    return Result(numbered(event.body, event.options.first), content_type="text/plain")


def numbered(body: Body, first: int) -> Iterator[bytes]:
    """Made while it is written: an input of any size needs the memory of one line."""
    for number, line in enumerate(iter(body.readline, b""), first):
        yield b"%d %s" % (number, line)
