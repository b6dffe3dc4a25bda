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
from penstock.settings.config import Config, StoreSettings
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
        line |= {name: _shown(value) for name, value in _given(record).items() if name not in line}
        for name, variable in (("event_id", event_id), ("trace_id", trace_id)):
            if value := variable.get():
                line[name] = value
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        # A key may hold half of a surrogate pair, which no stream takes: the line must not be lost over it.
        text = _JSON.encode(line).encode("utf-8", "replace").decode()
        return (
            text
            if text.isascii() and "\x7f" not in text
            else re.sub(_COMMANDS, lambda found: f"\\u{ord(found[0]):04x}", text)
        )


def _given(record: logging.LogRecord) -> dict[str, object]:
    """What the caller gave as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _KNOWN}


def _shown(value: object) -> object:
    """What a line shows of a field: JSON would write settings as a list, and not as the text that hides secrets."""
    try:
        return _with_texts_of_settings(value)
    except RecursionError:  # it contains itself, or is nested too deeply for JSON
        return str(value)


def _with_texts_of_settings(value: object) -> object:
    if isinstance(value, Config | StoreSettings):
        return str(value)
    if isinstance(value, dict):
        return {name: _with_texts_of_settings(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_with_texts_of_settings(part) for part in value]
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
