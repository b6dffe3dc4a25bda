"""A handler that uses all that an event, a context and a result have, and one of documents with hooks beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock import (
    Context,
    Event,
    NothingToDo,
    Result,
    TemporaryError,
    UnsupportedInput,
    option,
)


@dataclass(frozen=True)
class Options:
    times: int = option(1, "how often the input is repeated", ge=1, le=3)
    upper: bool = option(False, "whether to write in capitals")
    end: str | None = option(None, "what comes last")


def handle(event: Event[Options], context: Context[Options]) -> Result:
    """Uses all that an event, a context and a result have."""
    head = event.body.peek(4)
    if head.startswith(b"bad"):
        raise UnsupportedInput(f"{event.name}: starts with bad")
    if head.startswith(b"done"):
        raise NothingToDo(f"{event.name}: is done already")
    if head.startswith(b"wait"):
        raise TemporaryError(f"{event.name}: not yet", retry_after=5)
    if head.startswith(b"bug"):
        raise ZeroDivisionError
    options = event.options
    data = event.body.read() * options.times + (options.end or "").encode()
    metadata = {**event.metadata, "size": str(event.size), "rendition": str(context.rendition)}
    return Result(data.upper() if options.upper else data, event.content_type, metadata, name=f"{event.name}.out")


def documents(event: Event[Options], _context: Context[Options]) -> Result:
    return Result({"kind": "text", "size": len(event.body.read())})


calls: list[str] = []


def start(config: Any) -> None:
    calls.append(f"start {config.function}")


def stop() -> None:
    calls.append("stop")


def query(parameters: Mapping[str, str], sink: Any) -> Mapping[str, Any] | None:
    return {"found": [document["key"] for document in sink.search(parameters["q"])]}
