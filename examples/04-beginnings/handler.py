"""The first lines of a text, in several lengths at once: one option set for each rendition."""

from dataclasses import dataclass

from penstock import Context, Event, Result, option


@dataclass(frozen=True)
class Options:
    lines: int = option(10, "how many lines to keep", ge=1)


def handle(event: Event[Options], context: Context[Options]) -> Result:
    # Called once for each rendition; the lines are read and split for the first and shared by the others.
    lines = context.shared("lines", event.body.readlines)
    return Result(b"".join(lines[: event.options.lines]), content_type="text/plain")
