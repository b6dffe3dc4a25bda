"""What each route of a function does, and what each request counts and logs."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Response, g, request

from penstock import events
from penstock.errors import EventError, Forbidden, PenstockError, TemporaryError, UnsupportedInput
from penstock.events.signature import SignatureCheck
from penstock.process import metric_table
from penstock.process.deadline import BoundedChunks, called_by, check_caller, within
from penstock.process.log import event_id, trace_id
from penstock.process.loopback import page_problem
from penstock.process.metrics import Metrics
from penstock.runtime.answers import Failure
from penstock.runtime.outcome import Outcome
from penstock.runtime.runtime import Runtime
from penstock.serving.access import CallerTokens
from penstock.serving.callers import leaving_check
from penstock.serving.health import Health
from penstock.serving.key_readings import KeyReadings
from penstock.serving.last_failures import LastFailures
from penstock.serving.requests import (
    MAX_CALL_BYTES,
    body_chunks,
    came_as_cloudevent,
    input_name,
    limit_body,
    query_options,
)
from penstock.serving.responses import (
    failure_of,
    json_response,
    result_response,
    results_response,
)
from penstock.streams import read_chunks, spool
from penstock.types import ObjectRef

if TYPE_CHECKING:
    from penstock.serving.object_lambda import LambdaRoute

# A batch of some thousand notifications; objects never travel in an event.
MAX_EVENT_BYTES = 16 * 1024 * 1024
MAX_EVENT_OBJECTS = 5000
_HEAD_BYTES = 64 * 1024
# The platforms and Prometheus cannot be given a token, nor can a browser: a signature opens what it reads. These are
# names of routes: a POST to the same path is a direct call or an event.
_OPEN_ROUTES = frozenset({"alive", "ready", "metrics", "read"})
_NO_CHANGE = (events.Kind.ACCESSED, events.Kind.OTHER)


class FunctionRoutes:
    """What each route of a function does."""

    def __init__(self, runtime: Runtime, health: Health, metrics: Metrics, hosts: frozenset[str]) -> None:
        self._runtime = runtime
        self._hosts = hosts
        self._function, self._sink = runtime.function, runtime.sink
        self._health = health
        self._metrics = metrics
        config = runtime.config
        self._max_body, self._max_body_name = min(
            (config.max_body_bytes, "MAX_BODY_BYTES"), (config.max_input_bytes, "MAX_INPUT_BYTES")
        )
        self._tokens = CallerTokens(config.secrets.get("FUNCTION_TOKEN", ""))
        self._signatures = SignatureCheck(config.hmac_keys)
        self._search, self._body_mode = config.search, config.body_mode
        self._deadline_seconds = config.deadline_seconds
        self._readings = KeyReadings(config.store_profile)
        self._failures = LastFailures()
        self._log = logging.getLogger("penstock.app")

    def begin(self) -> None:
        """Before each request: count it, and log under its event and trace."""
        g.started = time.perf_counter()
        self._metrics.enter()
        headers, path = request.headers, request.path  # each look at Flask's `request` finds it anew
        _follow(headers.get("traceparent"))
        event_id.set(headers.get("ce-id", ""))
        if self._hosts:
            problem = page_problem(
                headers.get("Host", ""), headers.get("Origin", ""), self._hosts, server="this function"
            )
            if problem:
                raise Forbidden(problem)
        # No route matches a line's end, and Knative tries a 404 again.
        if "\n" in path or "\r" in path:
            raise EventError(f"path {path[:80]!r}: has the end of a line in it; leave out %0A and %0D")
        if request.endpoint not in _OPEN_ROUTES:
            self._tokens.check(headers.get("Authorization", ""))

    def account(self, response: Response) -> Response:
        """After each request: name the trace in the response, and count how it ended."""
        mode = g.get("mode", "object")
        if traceparent := g.get("traceparent"):
            response.headers["traceparent"] = traceparent
        if mode == "read" and response.status_code >= HTTPStatus.BAD_REQUEST:
            response.headers["Cache-Control"] = "no-store"
        if mode == "read" or request.method == "POST":
            self._metrics.add(metric_table.REQUESTS.name, 1, mode, str(response.status_code))
            self._metrics.observe_seconds(time.perf_counter() - g.started)
        return response

    def end(self, _error: BaseException | None) -> None:
        """After each request, also after one that failed."""
        self._metrics.leave()
        event_id.set("")  # what this thread logs later is not about this request
        trace_id.set("")

    def body_limit(self) -> int:
        """The most bytes that the present request's body may have."""
        return {"body": self._max_body, "lambda": MAX_CALL_BYTES}.get(g.get("mode", ""), MAX_EVENT_BYTES)

    def alive(self) -> tuple[str, int]:
        return "ok\n", 200

    def ready(self) -> tuple[str, int]:
        problem = self._health.problem()
        return (f"{problem}\n", 503) if problem else ("ok\n", 200)

    def metrics(self) -> Response:
        text, content_type = self._metrics.render()
        return Response(text, content_type=content_type)

    def description(self) -> Response:
        from penstock.serving.description import function_description  # seldom asked for

        reads = "SIGNED_URL_KEY" in self._runtime.config.secrets
        return json_response(function_description(self._function.name, reads=reads), 200)

    def query(self) -> Response:
        """`GET /?...`: the function's own search."""
        name = self._function.name
        if not self._search:
            raise Forbidden(f"{name}: search is switched off (SEARCH=off)")
        if self._function.query is None:
            raise EventError(f"{name} answers no queries; POST a file here, or an event to /event")
        if self._sink is None:
            raise TemporaryError(f"{name} has no SINK to search; set SINK")
        with _for_caller():
            check_caller(f"{name}: search")  # it may have waited for a thread
            found = self._function.query(query_options("parameter"), self._sink)
        if found is None:
            return json_response({"error": "NotFound", "reason": "no such document"}, 404)
        return json_response(found, 200)

    def status(self) -> Response:
        """`GET /status?bucket=&key=`: whether the targets of one object are ready; nothing is written."""
        from penstock.runtime.status import status_document, status_of  # not needed for a start

        given = query_options("parameter")
        if set(given) != {"bucket", "key"}:
            raise EventError("status: ask /status?bucket=BUCKET&key=KEY")
        with _for_caller(), within(self._deadline_seconds):
            found = status_of(self._runtime, ObjectRef(given["bucket"], given["key"]))
        if found.state == "pending":
            found = replace(found, reason=self._failures.reason(found.ref))
        return json_response(status_document(found, self._function.name), 200)

    def take(self, path: str) -> Response:
        """`POST` to any other path: an event by its headers, else the bytes of one input."""
        # An event that was sent to a wrong path must not be taken for a file.
        if events.is_object_request(dict(request.headers)):
            return self.take_events()
        g.mode = "body"
        if not self._body_mode:
            raise Forbidden(
                f"{self._function.name}: direct calls are switched off (BODY_MODE=off); POST events to /event"
            )
        return self._transform(path)

    def answer_lambda(self) -> Response:
        """`POST /lambda`: answer a reader of the object store. A start does not need what only this imports."""
        with _for_caller():
            return self._lambda.answer()

    @cached_property
    def _lambda(self) -> "LambdaRoute":
        from penstock.serving.object_lambda import LambdaRoute

        return LambdaRoute(self._runtime)

    def take_events(self) -> Response:
        """`POST /event`: make the targets of the named objects agree with them."""
        limit_body(MAX_EVENT_BYTES, "events", f"at most {MAX_EVENT_BYTES} in one request")
        found = events.parse_each(b"".join(self._body()), dict(request.headers), MAX_EVENT_OBJECTS)
        notifications = [each for each in found if isinstance(each, events.Notification)]
        odd = [Failure(None, each.error) for each in found if isinstance(each, events.OddRecord)]
        if len(notifications) == 1:
            event_id.set(event_id.get() or notifications[0].id)
            _follow(notifications[0].traceparent)
        # Several events about one object ask the same question: it is answered once.
        wanted = {each.refs: each for each in notifications if each.kind not in _NO_CHANGE}
        self._metrics.add(metric_table.EVENTS.name, len(notifications) - len(wanted), "ignored")
        taken = []
        for each in wanted.values():
            refused = self._readings.refused(each)
            if refused is None:
                taken.append(each)
            else:
                odd.append(refused)
        self._metrics.add(metric_table.EVENTS.name, len(odd), "failed")
        results = [*self._readings.agree(taken, self._agree), *odd]
        self._log_failures(results)
        return results_response(results, self._function.name, as_cloudevent=came_as_cloudevent())

    def _body(self) -> Iterable[bytes]:
        """The request's body; raises `Unauthorized` at its end unless it is signed as the settings want."""
        return self._signatures.checked(request.headers.get, body_chunks())

    def _agree(self, refs: Sequence[ObjectRef]) -> Sequence[Outcome | Failure]:
        with _for_caller():
            return [self._ended(*ended) for ended in zip(refs, self._runtime.agree_all(refs), strict=True)]

    def _ended(self, ref: ObjectRef, ended: Outcome | Exception) -> Outcome | Failure:
        """Count how one object ended; log it unless `_log_failures` does."""
        if isinstance(ended, Exception):
            how_ended = "failed" if isinstance(ended, PenstockError) else "crashed"
            self._metrics.add(metric_table.EVENTS.name, 1, how_ended)
            failure = failure_of(ended, ref)
            self._failures.failed(ref, failure)
            return failure
        self._failures.ended(ref)
        how = {"outcome": ended.kind, "changed": ended.changed, "reason": ended.reason}
        self._log.info("%s: %s", ref, ended.kind, extra=how)
        self._metrics.add(metric_table.EVENTS.name, 1, ended.kind)
        if ended.changed and ended.source is not None:
            self._metrics.add(metric_table.INPUT_BYTES.name, ended.source.size)
            self._metrics.add(metric_table.OUTPUT_BYTES.name, sum(entry.size or 0 for entry in ended.entries.values()))
        return ended

    def _log_failures(self, results: Sequence[Outcome | Failure]) -> None:
        """Log the failures of one request in one line: a sender of bad events must not fill the log."""
        failed = [(each.ref, each.error) for each in results if isinstance(each, Failure) and each.error is not None]
        if not failed:
            return
        ref, error = failed[0]
        text = str(error)
        subject = f"{ref}: {text}" if ref is not None and not text.startswith(str(ref)) else text
        if len(failed) == 1:
            self._log.warning("%s", subject, extra={"outcome": "failed", "error": type(error).__name__})
            return
        errors = Counter(type(error).__name__ for _, error in failed)
        how = {"outcome": "failed", "errors": dict(errors)}
        self._log.warning("%d of %d records failed, the first: %s", len(failed), len(results), subject, extra=how)

    def _transform(self, path: str) -> Response:
        """Body mode: run the handler on the request's body, and answer with its result."""
        limit_body(self._max_body, "body", f"{self._max_body_name} is {self._max_body}")
        name = input_name(path)
        if request.mimetype == "multipart/form-data":  # the file is one part of it, and the rest would be worked on too
            raise UnsupportedInput(
                f"{name}: came as a form (multipart/form-data); send the file alone: curl --data-binary @FILE"
            )
        with spool(self._body()) as body, _for_caller(), within(self._deadline_seconds):
            # A webhook that was pointed here by mistake must not be gzipped, answered 200 and lost.
            if events.looks_like_notification(body.read(_HEAD_BYTES)):
                raise UnsupportedInput("this looks like a bucket notification: POST it to /event")
            size = body.seek(0, 2)
            body.seek(0)
            content_type = request.headers.get("Content-Type") or "application/octet-stream"
            chunks = BoundedChunks(read_chunks(body), name)
            return result_response(self._runtime.transform(name, size, content_type, query_options(), chunks), name)


def _for_caller() -> AbstractContextManager[None]:
    """A block that works for the present request's caller, and ends early when it has left."""
    return called_by(leaving_check(request.environ))


def _follow(traceparent: str | None) -> None:
    """Log under this trace and name it in the response; a malformed one is left out."""
    found = events.read_traceparent(traceparent)
    g.traceparent = str(found) if found else ""
    trace_id.set(found.trace_id if found else "")
