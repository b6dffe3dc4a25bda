"""One JSON object per log line, with the event and trace that the current request works on.

On a terminal the lines are for people instead.
"""

import json
import logging
import re
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from penstock.errors import ConfigError
from penstock.settings.table import LOG_LEVEL

event_id: ContextVar[str] = ContextVar("event_id", default="")
trace_id: ContextVar[str] = ContextVar("trace_id", default="")

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_JSON = json.JSONEncoder(default=str, ensure_ascii=False)  # json.dumps would make one for every line

# What JSON does not escape and a terminal obeys: DEL and C1 controls, line and paragraph ends, the order of writing.
_COMMANDS = "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"


class JsonFormatter(logging.Formatter):
    """Writes time (UTC), level, logger, message, event_id, trace_id, and what `extra` gave."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in _given(record).items() if name not in line}
        for name, variable in (("event_id", event_id), ("trace_id", trace_id)):
            if value := variable.get():
                line[name] = value
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        # One odd field must not cost the line, nor half of a surrogate pair in a key, which no stream takes.
        try:
            encoded = _JSON.encode(line)
        except (ValueError, RecursionError):
            encoded = _JSON.encode({name: _encodable(value) for name, value in line.items()})
        text = encoded.encode("utf-8", "replace").decode()
        return (
            text
            if text.isascii() and "\x7f" not in text
            else re.sub(_COMMANDS, lambda found: f"\\u{ord(found[0]):04x}", text)
        )


def _given(record: logging.LogRecord) -> dict[str, object]:
    """What the caller gave as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _KNOWN}


def _encodable(value: object) -> object:
    """The value, or its text if JSON has no form for it: it contains itself, or is nested too deeply."""
    try:
        _JSON.encode(value)
    except (ValueError, RecursionError):
        return str(value)
    return value


def formatter_for(stream: TextIO) -> logging.Formatter:
    """Lines for people where `stream` is a terminal, with their stack traces readable; else JSON."""
    if not stream.isatty():
        return JsonFormatter()
    from penstock.terminal import LineFormatter  # a function in a container never needs it

    return LineFormatter(_given)


def parse_level(text: str) -> str:
    """The value of LOG_LEVEL in upper case; raises `ConfigError` for an unknown level."""
    return LOG_LEVEL.value({LOG_LEVEL.name: text})


def set_up_logging(level: str, stream: TextIO | None = None) -> None:
    """Send everything at `level` and above to one stream, by default stderr; raises `ConfigError` for an unknown level.

    The lines are JSON, and for people where the stream is a terminal.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter_for(stream))
    logging.basicConfig(level=parse_level(level), handlers=[handler], force=True)


def say_problems(problems: Sequence[str]) -> int:
    """Log what is wrong with a configuration, one line each; returns the exit code that goes with it."""
    for problem in problems:
        logging.getLogger("penstock.serve").error("%s", problem)
    return ConfigError.exit_code
