"""What the console's views read and do, as JSON under /ui/."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from flask import Blueprint, Response, request

from penstock.delivery.inbox import Inbox
from penstock.errors import EventError
from penstock.local.console.declared_options import declared_options
from penstock.local.console.dropped import Dropped
from penstock.local.console.feed import Feed
from penstock.local.console.folders import read_folder
from penstock.local.console.meter import Meter
from penstock.local.console.object_page import letter_document, object_page
from penstock.local.console.preview import preview_of
from penstock.local.console.records import ConsoleRecord, records_of
from penstock.local.functions.crashes import CrashLog
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.attempts import Attempts
from penstock.local.gateway.invocations import Invocation, InvocationLog
from penstock.local.gateway.router import Router
from penstock.render.drawing import PLACE_HEIGHT, PLACE_WIDTH, draw
from penstock.render.flow import flow_of
from penstock.settings.config import RESERVED_PREFIX
from penstock.store import Store
from penstock.streams import close_quietly
from penstock.types import ObjectRef

_MAX_RECORDS: Final = 500
_LETTERS: Final = 500


@dataclass(frozen=True, slots=True)
class Watched:
    """What the views look at. `overview` gives the present state as JSON text."""

    functions: LocalFunctions
    invocations: InvocationLog
    inbox: Inbox
    router: Router
    store: Store
    crashes: CrashLog
    attempts: Attempts
    overview: Callable[[], str]


def add_views(ui: Blueprint, watched: Watched) -> None:
    """Add the routes; errors are left to the application."""
    feed, meter, dropped = Feed(watched.overview), Meter(), Dropped(watched.inbox)

    def hear(invocation: Invocation) -> None:
        for record in records_of(invocation):
            feed.add(record)
            meter.add(record)

    watched.invocations.listen(hear)
    _add_events(ui, watched, feed, meter)
    _add_objects(ui, watched, feed)
    _add_dead_letters(ui, watched, dropped)
    _add_functions(ui, watched)


def _add_events(ui: Blueprint, watched: Watched, feed: Feed, meter: Meter) -> None:
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
        graph = flow_of(function.spec for function in watched.functions)
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


def _add_objects(ui: Blueprint, watched: Watched, feed: Feed) -> None:
    @ui.get("/folder")
    def folder() -> Response:
        arguments = request.args
        bucket, prefix = arguments.get("bucket", ""), arguments.get("prefix", "")
        if not bucket:
            raise EventError("expected ?bucket=...")
        words = arguments.get("words", "")
        return answer(read_folder(watched.store, bucket, prefix, words=words, offset=_number("offset", 0)))

    @ui.get("/preview")
    def preview() -> Response:
        ref = _ref(request.args)
        found = watched.store.open(ref)
        if found is None:
            return Response(f"{ref}: no such object\n", 404, content_type="text/plain; charset=utf-8")
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
        page = object_page(
            ref,
            feed.recent(_MAX_RECORDS, wanted=_about(ref)),
            functions=watched.functions,
            router=watched.router,
            crashes=watched.crashes,
        )
        letters = [letter_document(each, watched.crashes) for each in watched.inbox.dead_letters()]
        waiting = [
            asdict(each) | {"reason": watched.crashes.explained(each.reason)}
            for each in watched.attempts.waiting()
            if each.object == named
        ]
        letters = [each for each in letters if each["object"] == named]
        return answer(page | {"waiting": waiting, "dead_letters": letters})

    @ui.delete("/object")
    def delete() -> Response:
        ref = _ref(request.args)
        if ref.key.startswith(RESERVED_PREFIX):
            raise EventError(f"{ref.key}: what lies under {RESERVED_PREFIX} is Penstock's own; it stays")
        watched.store.delete(ref)
        return answer({"deleted": str(ref)})

    @ui.post("/rerun")
    def rerun() -> Response:
        ref = _ref(document())
        takers = [route.name for route in watched.router.routes if route.config.takes(ref)]
        if not takers:
            raise EventError(f"{ref}: no function takes it; see SOURCE of each function")
        watched.router.accept(ref, {"bucket": ref.bucket, "key": ref.key, "EventName": "console"})
        return answer({"sent_to": takers})


def _add_dead_letters(ui: Blueprint, watched: Watched, dropped: Dropped) -> None:
    @ui.get("/dead")
    def dead() -> Response:
        letters = watched.inbox.dead_letters(after=_number("after", 0), limit=_LETTERS)
        return answer(
            {"letters": [letter_document(each, watched.crashes) for each in letters], "more": len(letters) == _LETTERS}
        )

    @ui.post("/dismiss")
    def dismiss() -> Response:
        ids = document().get("ids")
        if not isinstance(ids, list) or not all(isinstance(number, int) for number in ids):
            raise EventError('expected {"ids": [1, 2]}')
        count, name = dropped.drop([str(number) for number in ids])
        return answer({"dropped": count, "undo": name})

    @ui.post("/restore")
    def restore() -> Response:
        return answer({"restored": dropped.restore(str(document().get("undo", "")))})


def _add_functions(ui: Blueprint, watched: Watched) -> None:
    @ui.get("/function")
    def function() -> Response:
        found = watched.functions.get(request.args.get("name", ""))
        environment = found.environment
        options = [
            asdict(each) | {"value": environment.get(f"OPTION_{each.name.upper()}", "")}
            for each in declared_options(found.spec.handler)
        ]
        return answer(
            {
                "name": found.spec.name,
                "folder": str(found.spec.handler),
                "image": found.spec.image,
                "environment": environment,
                "secrets": list(found.spec.secrets),
                "options": options,
                "log": str(found.logs.path),
                "lines": [asdict(line) for line in found.logs.tail(200)],
            }
        )


def answer(document: Any) -> Response:
    """JSON in ASCII, for names with half a surrogate pair too; no page or proxy may keep it."""
    return Response(json.dumps(document), headers={"Cache-Control": "no-store"}, content_type="application/json")


def document() -> Mapping[str, Any]:
    """The request's JSON object; raises `EventError`."""
    found = request.get_json(force=True, silent=True)
    if not isinstance(found, Mapping):
        raise EventError("expected a JSON object")
    return found


def _ref(given: Mapping[str, Any]) -> ObjectRef:
    bucket, key = given.get("bucket"), given.get("key")
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key:
        raise EventError("expected bucket and key")
    return ObjectRef(bucket, key)


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
