"""One JSON object per log line, with the event and trace that the current request works on."""

import json
import logging
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


class JsonFormatter(logging.Formatter):
    """Writes time (UTC), level, logger, message, event_id, trace_id, and what `extra` gave."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _KNOWN and name not in line}
        for name, variable in (("event_id", event_id), ("trace_id", trace_id)):
            if value := variable.get():
                line[name] = value
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        # A key may hold half of a surrogate pair, which no stream takes: the line must not be lost because of it.
        return _JSON.encode(line).encode("utf-8", "replace").decode()


def parse_level(text: str) -> str:
    """The value of LOG_LEVEL in upper case; raises `ConfigError` for an unknown level."""
    return LOG_LEVEL.value({LOG_LEVEL.name: text})


def set_up_logging(level: str, stream: TextIO = sys.stderr) -> None:
    """Send everything at `level` and above to one stream as JSON lines; raises `ConfigError` for an unknown level."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=parse_level(level), handlers=[handler], force=True)


def say_problems(problems: Sequence[str]) -> int:
    """Log what is wrong with a configuration, one line each; returns the exit code that goes with it."""
    for problem in problems:
        logging.getLogger("penstock.serve").error("%s", problem)
    return ConfigError.exit_code
