"""What the console's views read and do, as JSON under /ui/."""

import json
import mimetypes
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from flask import Blueprint, Response, request

from penstock.errors import EventError, Forbidden, TemporaryError
from penstock.json_text import read_object
from penstock.local.console.feed import Feed
from penstock.local.console.folders import read_folder
from penstock.local.console.meter import Meter
from penstock.local.console.object_page import object_page
from penstock.local.console.preview import preview_of
from penstock.local.console.records import ConsoleRecord, records_of
from penstock.local.console.source import ConsoleSource
from penstock.local.gateway.invocations import Invocation
from penstock.render.drawing import PLACE_HEIGHT, PLACE_WIDTH, draw
from penstock.render.flow import flow_of
from penstock.serving.responses import content_disposition
from penstock.settings.config import RESERVED_PREFIX, rule_texts
from penstock.streams import CHUNK_BYTES, close_quietly
from penstock.types import ObjectRef

_MAX_RECORDS: Final = 500
_LETTERS: Final = 500


def add_views(ui: Blueprint, source: ConsoleSource) -> None:
    """Add the routes; errors are left to the application."""
    feed, meter = Feed(lambda: json.dumps(source.overview())), Meter()

    def hear(invocation: Invocation) -> None:
        for record in records_of(invocation):
            feed.add(record)
            meter.add(record)

    source.listen(hear)
    _add_events(ui, source, feed, meter)
    _add_objects(ui, source, feed)
    _add_dead_letters(ui, source)
    _add_functions(ui, source)


def _add_events(ui: Blueprint, source: ConsoleSource, feed: Feed, meter: Meter) -> None:
    @ui.get("/feed")
    def listen() -> Response:
        last_id = request.headers.get("Last-Event-ID") or request.args.get("after", "")
        feed.enter()
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = Response(feed.stream(last_id), headers=headers, content_type="text/event-stream")
        response.call_on_close(feed.leave)
        return response

    @ui.get("/events")
    def events() -> Response:
        """Records, newest first: `before` a number, of one `function`, with an `outcome`, with `words` in them."""
        wanted = _wanted(request.args)
        last_id = feed.last_id  # read first: what happens meanwhile comes twice and not never
        found = feed.recent(_number("limit", 200, _MAX_RECORDS), before=_number("before", 0), wanted=wanted)
        return answer({"last_id": last_id, "records": found})

    @ui.get("/meter")
    def read_meter() -> Response:
        return answer(meter.read())

    @ui.get("/flow")
    def flow() -> Response:
        graph = flow_of(source.specs())
        drawing = draw(graph)
        numbers = {place: number for number, place in enumerate(graph.places)}
        places = [asdict(place) | dict(zip("xy", drawing.places[place], strict=True)) for place in graph.places]
        steps = [
            {
                "from": numbers[step.start],
                "to": numbers[step.end],
                "label": step.label,
                "path": drawing.paths[step],
                "at": drawing.labels[step],
            }
            for step in graph.steps
        ]
        size = {"width": drawing.width, "height": drawing.height}
        return answer(size | {"place": [PLACE_WIDTH, PLACE_HEIGHT], "places": places, "steps": steps})


def _add_objects(ui: Blueprint, source: ConsoleSource, feed: Feed) -> None:
    @ui.get("/folder")
    def folder() -> Response:
        arguments = request.args
        bucket, prefix = arguments.get("bucket", ""), arguments.get("prefix", "")
        if not bucket:
            raise EventError("expected ?bucket=...")
        words = arguments.get("words", "")
        return answer(read_folder(source.store, bucket, prefix, words=words, offset=_number("offset", 0)))

    @ui.get("/preview")
    def preview() -> Response:
        ref = _ref(request.args)
        found = source.store.open(ref)
        if found is None:
            return _no_object(ref)
        state, chunks = found
        try:
            shown = preview_of(ref.key, chunks)
        finally:
            close_quietly(chunks)
        return answer(
            shown
            | {
                "size": state.size,
                "type": state.content_type,
                "etag": state.etag,
                "metadata": dict(state.metadata),
                "modified": state.last_modified.timestamp() if state.last_modified else None,
            }
        )

    @ui.get("/about")
    def about() -> Response:
        """Everything that is known of one object: what was made of it and how, attempt by attempt."""
        ref = _ref(request.args)
        named = f"{ref.bucket}/{ref.key}"
        page = object_page(ref, feed.recent(_MAX_RECORDS, wanted=_about(ref)), source)
        waiting = [each for each in source.waiting() if each["object"] == named]
        letters = [each for each in source.dead_letters() if each["object"] == named]
        return answer(page | {"waiting": waiting, "dead_letters": letters})

    @ui.delete("/object")
    def delete() -> Response:
        ref = _changeable(source, "it stays")
        source.store.delete(ref)
        return answer({"deleted": str(ref)})

    @ui.get("/object")
    def download() -> Response:
        ref = _ref(request.args)
        found = source.store.open(ref)
        if found is None:
            return _no_object(ref)
        state, chunks = found
        name = ref.key.rpartition("/")[2] or "object"
        headers = {
            "Content-Length": str(state.size),
            # An object may hold anything, a page with scripts too: it is shown without any rights.
            "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'",
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": content_disposition(name, "inline" if "show" in request.args else "attachment"),
        }
        response = Response(iter(chunks), headers=headers, content_type=state.content_type)
        response.call_on_close(lambda: close_quietly(chunks))
        return response

    @ui.get("/place")
    def place() -> Response:
        """Where an object of this key is taken: the bucket to choose, and what every function takes."""
        key, routes = request.args.get("key", ""), source.routes
        wants = [[route.name, " ".join(rule_texts(route.config.sources))] for route in routes.routes]
        return answer({"bucket": routes.place(key), "takers": routes.takers(key), "wants": [w for w in wants if w[1]]})

    @ui.put("/object")
    def upload() -> Response:
        ref = _changeable(source, "choose another name")
        content_type = request.headers.get("Content-Type") or mimetypes.guess_type(ref.key)[0]
        stored = source.store.put(ref, _pieces(), content_type=content_type or "application/octet-stream", metadata={})
        return answer({"bucket": ref.bucket, "key": ref.key, "size": stored.size})

    @ui.post("/rerun")
    def rerun() -> Response:
        _check_may_write(source)
        ref = _ref(document())
        takers = [route.name for route in source.routes.routes if route.config.takes(ref)]
        if not takers:
            raise EventError(f"{ref}: no function takes it; see SOURCE of each function")
        source.send_again(ref, takers)
        return answer({"sent_to": takers})


def _add_dead_letters(ui: Blueprint, source: ConsoleSource) -> None:
    @ui.get("/dead")
    def dead() -> Response:
        letters = source.dead_letters(after=_number("after", 0), limit=_LETTERS)
        return answer({"letters": letters, "more": len(letters) == _LETTERS})

    @ui.post("/replay")
    def replay() -> Response:
        _check_may_write(source)
        return answer({"replayed": source.replay(_ids())})

    @ui.post("/dismiss")
    def dismiss() -> Response:
        _check_may_write(source)
        count, name = source.drop(_ids())
        return answer({"dropped": count, "undo": name})

    @ui.post("/restore")
    def restore() -> Response:
        _check_may_write(source)
        return answer({"restored": source.restore(str(document().get("undo", "")))})


def _add_functions(ui: Blueprint, source: ConsoleSource) -> None:
    @ui.get("/function")
    def function() -> Response:
        return answer(source.function(request.args.get("name", "")))


def _check_may_write(source: ConsoleSource) -> None:
    if not source.allows_writes:
        raise Forbidden("this console only reads; start it with --allow-writes to change something")


def _changeable(source: ConsoleSource, remedy: str) -> ObjectRef:
    """The object that a request wants to change: one that functions read or write. Raises `Forbidden`, `EventError`.

    The store's credentials may reach more. What lies under Penstock's own prefix is refused with the remedy.
    """
    _check_may_write(source)
    ref = _ref(request.args)
    if ref.key.startswith(RESERVED_PREFIX):
        raise EventError(f"{ref.key}: what lies under {RESERVED_PREFIX} is Penstock's own; {remedy}")
    buckets = source.routes.buckets()
    if ref.bucket not in buckets:
        raise EventError(f"bucket {ref.bucket!r}: expected one of {', '.join(buckets)}")
    return ref


def _ids() -> list[str]:
    ids = document().get("ids")
    if not isinstance(ids, list) or not all(type(number) is int for number in ids):
        raise EventError('expected {"ids": [1, 2]}')
    return [str(number) for number in ids]


def _pieces() -> Iterator[bytes]:
    expected, seen = request.content_length, 0
    while chunk := request.stream.read(CHUNK_BYTES):
        seen += len(chunk)
        yield chunk
    if expected is not None and seen != expected:
        raise TemporaryError(f"the upload broke off after {seen} of {expected} bytes")


def answer(document: Any) -> Response:
    """JSON in ASCII, for names with half a surrogate pair too; no page or proxy may keep it."""
    return Response(json.dumps(document), headers={"Cache-Control": "no-store"}, content_type="application/json")


def document() -> Mapping[str, Any]:
    """The request's JSON object; raises `EventError`."""
    return read_object(request.get_data(cache=False))


def _ref(given: Mapping[str, Any]) -> ObjectRef:
    bucket, key = given.get("bucket"), given.get("key")
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key:
        raise EventError("expected bucket and key")
    return ObjectRef(bucket, key)


def _no_object(ref: ObjectRef) -> Response:
    return Response(f"{ref}: no such object\n", 404, content_type="text/plain; charset=utf-8")


def _number(name: str, default: int, most: int = 10**9) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise EventError(f"{name}={text[:40]!r}: expected a whole number")
    return min(int(text), most)


def _wanted(given: Mapping[str, str]) -> Callable[[ConsoleRecord], bool]:
    function, outcome, words = given.get("function", ""), given.get("outcome", ""), given.get("words", "").casefold()

    def matches(record: ConsoleRecord) -> bool:
        return (
            (not function or record["function"] == function)
            and (not outcome or record["outcome"] == outcome)
            and (not words or words in record["object"].casefold() or words in record["reason"].casefold())
        )

    return matches


def _about(ref: ObjectRef) -> Callable[[ConsoleRecord], bool]:
    address = str(ref)

    def matches(record: ConsoleRecord) -> bool:
        made = any(target["address"] == address for target in record["targets"])
        return made or (record["bucket"] == ref.bucket and record["key"] == ref.key)

    return matches
