"""One object's page: each attempt with what the function said and logged, what it became and what it was made of."""

import json
from collections.abc import Sequence
from typing import Any, Final

from penstock.delivery.dead_letters import DeadLetter
from penstock.local.console.records import ConsoleRecord
from penstock.local.functions.crashes import CrashLog
from penstock.local.functions.function import LocalFunction
from penstock.local.functions.functions import LocalFunctions
from penstock.local.functions.logs import LogLine
from penstock.local.gateway.router import Route, Router
from penstock.types import ObjectRef

_MAX_LINES: Final = 40
_MAX_ATTEMPTS: Final = 100
# A function's log line may be read a moment after the answer was through.
_SLACK_SECONDS: Final = 1.0


def object_page(
    ref: ObjectRef, records: Sequence[ConsoleRecord], *, functions: LocalFunctions, router: Router, crashes: CrashLog
) -> dict[str, Any]:
    """What `records`, newest first, tell about `ref`; ready for JSON.

    `attempts` are those with the object as their source, oldest first. `made_from` names the objects that became it.
    `outputs` are the objects that each function makes of it, whether or not they are there yet.
    """
    deployed = {function.spec.name: function for function in functions}
    own = [each for each in records if (each["bucket"], each["key"]) == (ref.bucket, ref.key)]
    made_from = [each for each in records if each not in own]
    takers = [route for route in router.routes if route.config.takes(ref)]
    outputs = [
        {"function": route.name, "bucket": made.bucket, "key": made.key}
        for route in takers
        for rendition in _renditions(route)
        if route.address is not None and (made := route.address.of(ref, rendition)) is not None
    ]
    sources = {(each["bucket"], each["key"], each["function"]) for each in made_from}
    return {
        "bucket": ref.bucket,
        "key": ref.key,
        "attempts": [_attempt(each, deployed.get(each["function"]), crashes) for each in reversed(own[:_MAX_ATTEMPTS])],
        "takers": [route.name for route in takers],
        "outputs": outputs,
        "made_from": [{"bucket": b, "key": k, "function": f} for b, k, f in sorted(sources)],
    }


def _renditions(route: Route) -> Sequence[str | None]:
    return [*route.config.renditions] if route.config.renditions else [None]


def letter_document(letter: DeadLetter, crashes: CrashLog) -> dict[str, Any]:
    """A dead letter, ready for JSON. `object` is "" for one that is about no object."""
    key = letter.message.key if isinstance(letter.message.key, str) else letter.message.key.decode(errors="replace")
    return {
        "id": int(letter.id),
        "function": letter.message.target,
        "origin": letter.message.origin,
        "object": key if "/" in key else "",
        "code": letter.code,
        "reason": crashes.explained(letter.reason),
        "died": letter.died,
    }


def _attempt(record: ConsoleRecord, function: LocalFunction | None, crashes: CrashLog) -> ConsoleRecord:
    """A record with the log lines about it, and the trace of an unexpected error."""
    crash = crashes.of(record["incident"])
    record = record | {"reason": crashes.explained(record["reason"]), "trace": crash.trace if crash else ""}
    if function is None:
        return record | {"lines": [], "log": ""}
    since = record["at"] - record["ms"] / 1000 - _SLACK_SECONDS
    until = record["at"] + _SLACK_SECONDS
    lines = [
        _in_words(line, parsed)
        for line, parsed in ((line, _parsed(line)) for line in function.logs.tail(since=since) if line.time <= until)
        if not parsed or record["key"] in line.text or (record["incident"] and record["incident"] in line.text)
    ]
    return record | {"lines": lines[-_MAX_LINES:], "log": str(function.logs.path)}


def _parsed(line: LogLine) -> dict[str, Any]:
    """A line of Penstock's own log, else an empty dictionary."""
    try:
        found = json.loads(line.text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "message" in found else {}


def _in_words(line: LogLine, parsed: dict[str, Any]) -> dict[str, Any]:
    level = str(parsed.get("level", ""))
    return {"time": line.time, "level": level, "text": str(parsed.get("message", line.text))}
