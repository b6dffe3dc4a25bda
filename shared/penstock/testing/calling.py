"""One call of a handler, and what it made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from penstock.errors import EventError
from penstock.handler.options import parse_options
from penstock.handler.results import Handle
from penstock.runtime.outcome import bounded
from penstock.settings.config import Config
from penstock.store.headers import check_headers
from penstock.streams import Body, as_chunks, close_quietly
from penstock.testing.loading import function_of, texts, texts_of_renditions
from penstock.types import Context, Event, Result


@dataclass(frozen=True, slots=True)
class Output:
    """What a handler made: the whole body, and what goes with it. `document` is set when the body is a mapping."""

    data: bytes
    content_type: str
    metadata: Mapping[str, str]
    name: str | None = None
    document: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()

    @property
    def text(self) -> str:
        """`data` as UTF-8."""
        return self.data.decode()


def run(
    handle: Handle,
    data: bytes | Iterable[bytes],
    /,
    *,
    name: str = "input",
    content_type: str = "application/octet-stream",
    metadata: Mapping[str, str] | None = None,
    content_encoding: str = "",
    rendition: str | None = None,
    renditions: Mapping[str, Mapping[str, object]] | None = None,
    assets: Mapping[str, bytes] | None = None,
    **options: object,
) -> Output:
    """Call a handler once, as a direct call does, and read its result to the end.

    `data` is the input, whole or in chunks; an exception that the chunks raise is a source that cannot be read. The
    event's `size` is -1 for chunks. `options` are those of the `Options` beside `handle`, and are checked as those of a
    query string are. `renditions` gives the options of each output by name, as the setting RENDITIONS does;
    `rendition` says which one to make, by default the first. `assets` are the bytes that `context.asset` gives, by the
    name of the option; a test that does not need the object's name may leave the option out.

    Raises what the handler raises, `EventError` for options that it does not take, `HandlerError` for a result that
    cannot be stored, `PermanentError` for a content type that no header can carry, and `ConfigError` for a handler that
    cannot be loaded.
    """
    function = function_of(handle, Config("tested", renditions=texts_of_renditions(renditions)))
    rendition = rendition or next(iter(function.renditions))
    if rendition not in function.renditions:
        raise EventError(f"rendition {rendition!r} is unknown; give it in renditions={{{rendition!r}: {{...}}}}")
    given = parse_options(function.options_type, texts(options), function.renditions[rendition])
    named = {str(known): values for known, values in function.renditions.items() if known is not None}
    if isinstance(data, str):
        raise TypeError('the input is a str; give bytes: b"..." or text.encode()')
    body = data if isinstance(data, Body) else Body(lambda: [data] if isinstance(data, bytes) else data, name=name)
    size = len(data) if isinstance(data, bytes) else -1
    event = Event(name, size, content_type, metadata or {}, given, body, content_encoding)
    with body:
        try:
            context = Context(function.name, rendition, named)
            if assets is not None:
                context = replace(context, asset=assets.__getitem__)
            result = function.handle(event, context)
            check_headers(name, result.content_type, {})
            output = _output(result)
        except Exception as exc:
            if body.failure is None or body.failure is exc:
                raise
            raise body.failure from exc
        # A decoder may take the end of a broken source for the end of the input.
        if body.failure is not None:
            raise body.failure
        return output


def _output(result: Result) -> Output:
    body = result.body
    try:
        data = b"".join(as_chunks(body))
    finally:
        close_quietly(body)
    document = dict(body) if isinstance(body, Mapping) else None
    content_type = result.content_type if document is None else "application/json"
    return Output(data, content_type, dict(result.metadata), result.name, document, bounded(result.notes or ()))
