"""The answer to one reader of one object, for Object Lambda and for signed URLs alike."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flask import Response

from penstock.process.deadline import within
from penstock.runtime.reading import Variant, check_taken, make, stored, variant_of
from penstock.runtime.runtime import Runtime
from penstock.serving.conditions import answer_without_content, apply_range
from penstock.serving.responses import whole_response
from penstock.sinks.carried import carried
from penstock.streams import close_quietly
from penstock.types import CONTENT_HEADERS, ObjectState


def read_response(
    runtime: Runtime,
    opened: tuple[ObjectState, Iterable[bytes]],
    options: Mapping[str, str],
    environ: Mapping[str, Any],
    *,
    is_present: bool = True,
) -> Response:
    """The variant of an opened source, whole, or as the conditions and the range of `environ` ask for it.

    `is_present` says that it was not opened by a version's id: only the present state has a stored target. The bytes
    of the source are closed. Raises what the handler raises, `Forbidden` for a state that SOURCE does not take,
    `EventError` for wrong options, and werkzeug's error for a range that cannot be given.
    """
    source, chunks = opened
    try:
        with within(runtime.config.deadline_seconds):
            check_taken(runtime, source)
            variant = variant_of(runtime, source, options)
            if (empty := answer_without_content(environ, variant.etag)) is not None:
                return empty
            if runtime.config.store_on_read and is_present and not variant.has_options:
                close_quietly(chunks)
                response = _stored(runtime, variant)
            else:
                response = _made(runtime, variant, chunks)
    finally:
        close_quietly(chunks)
    response.set_etag(variant.etag)
    return apply_range(response, environ, response.content_length or 0)


def _stored(runtime: Runtime, variant: Variant) -> Response:
    state, chunks = stored(runtime, variant)
    response = Response(chunks, content_type=state.content_type, direct_passthrough=True)
    response.content_length = state.size
    response.call_on_close(lambda: close_quietly(chunks))
    for name in CONTENT_HEADERS & state.headers.keys():
        response.headers[name.title()] = state.headers[name]
    return response


def _made(runtime: Runtime, variant: Variant, chunks: Iterable[bytes]) -> Response:
    result, body = make(runtime, variant, chunks)
    try:
        response = whole_response(result, str(variant.source.ref))
    except Exception as exc:
        # As for a target: the broken source, rather than what a decoder made of it.
        if body.failure is not None and body.failure is not exc:
            raise body.failure from exc
        raise
    finally:
        body.close()
    if variant.source.headers and runtime.store is not None:
        # The headers that a stored target would have (ADR 51).
        content = {name: value for name, value in variant.source.headers.items() if name in CONTENT_HEADERS}
        source = replace(variant.source, headers=content)
        kept = carried(runtime.store, source, result, source.ref.key, follow_encryption=False)
        for name, value in kept.headers.items():
            response.headers[name.title()] = value
    return response
