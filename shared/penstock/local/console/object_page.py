"""One object's page: each attempt with what the function said and logged, what it became and what it was made of."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from penstock.delivery import dead_letters
from penstock.delivery.dead_letters import DeadLetter
from penstock.json_text import read_json
from penstock.local.console.records import ConsoleRecord
from penstock.local.console.source import ConsoleSource
from penstock.local.functions.crashes import CrashLog
from penstock.local.functions.logs import LogLine
from penstock.local.gateway.router import Route
from penstock.types import ObjectRef

_MAX_LINES: Final = 40
_MAX_ATTEMPTS: Final = 100
# A function's log line may be read a moment after the answer was through.
_SLACK_SECONDS: Final = 1.0


def object_page(ref: ObjectRef, records: Sequence[ConsoleRecord], source: ConsoleSource) -> dict[str, Any]:
    """What `records`, newest first, tell about `ref`; ready for JSON.

    `attempts` are those with the object as their source, oldest first. `made_from` names the objects that became it.
    `outputs` are the objects that each function makes of it, whether or not they are there yet.
    """
    own = [each for each in records if (each["bucket"], each["key"]) == (ref.bucket, ref.key)]
    made_from = [each for each in records if each not in own]
    takers = [route for route in source.routes.routes if route.config.takes(ref)]
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
        "attempts": source.explained(own[:_MAX_ATTEMPTS][::-1]),
        "takers": [route.name for route in takers],
        "outputs": outputs,
        "made_from": [{"bucket": b, "key": k, "function": f} for b, k, f in sorted(sources)],
    }


def _renditions(route: Route) -> Sequence[str | None]:
    return [*route.config.renditions] if route.config.renditions else [None]


def letter_document(letter: DeadLetter, crashes: CrashLog) -> dict[str, Any]:
    """A dead letter, ready for JSON, with the error itself where its reason names an incident."""
    document = dead_letters.letter_document(letter)
    return document | {"reason": crashes.explained(document["reason"])}


def log_span(record: ConsoleRecord) -> tuple[float, float]:
    """From when to when the log lines about a record were written, in epoch seconds."""
    return record["at"] - record["ms"] / 1000 - _SLACK_SECONDS, record["at"] + _SLACK_SECONDS


def with_log(record: ConsoleRecord, lines: Iterable[LogLine], log: str) -> ConsoleRecord:
    """A record with those of its function's lines that are about it. `log` says where the whole log is."""
    since, until = log_span(record)
    found = [
        _in_words(line, parsed)
        for line, parsed in ((line, _parsed(line)) for line in lines if since <= line.time <= until)
        if not parsed or record["key"] in line.text or (record["incident"] and record["incident"] in line.text)
    ]
    return record | {"lines": found[-_MAX_LINES:], "log": log}


def _parsed(line: LogLine) -> dict[str, Any]:
    """A line of Penstock's own log, else an empty dictionary."""
    try:
        found = read_json(line.text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "message" in found else {}


def _in_words(line: LogLine, parsed: dict[str, Any]) -> dict[str, Any]:
    level = str(parsed.get("level", ""))
    return {"time": line.time, "level": level, "text": str(parsed.get("message", line.text))}
