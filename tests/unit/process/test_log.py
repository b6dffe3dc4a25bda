"""Log lines carry the event and the trace of their request, and any text is one line."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from penstock.process.log import JsonFormatter, event_id, set_up_logging, trace_id


@pytest.fixture
def lines() -> Iterator[Any]:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    set_up_logging("INFO", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = before, level


def test_line_has_time_level_logger_and_message(lines: Any) -> None:
    logging.getLogger("penstock.x").info("%s: done", "a\nb")
    (line,) = lines()
    assert (line["level"], line["logger"], line["message"]) == ("info", "penstock.x", "a\nb: done")
    assert line["time"].endswith("+00:00")
    assert "event_id" not in line


def test_line_has_the_event_and_the_trace_of_its_request(lines: Any) -> None:
    tokens = event_id.set("e-1"), trace_id.set("0af7")
    logging.getLogger("x").info("within")
    event_id.reset(tokens[0])
    trace_id.reset(tokens[1])
    logging.getLogger("x").info("after")
    within, after = lines()
    assert (within["event_id"], within["trace_id"]) == ("e-1", "0af7")
    assert "event_id" not in after


def test_extra_fields_are_kept_and_cannot_take_the_place_of_others(lines: Any) -> None:
    logging.getLogger("x").info("real", extra={"outcome": "processed", "level": "fake", "time": "fake", "odd": {1}})
    (line,) = lines()
    assert (line["outcome"], line["odd"], line["level"]) == ("processed", "{1}", "info")
    assert line["time"] != "fake"


def test_field_that_contains_itself_is_in_the_line_as_text(lines: Any) -> None:
    endless: list[object] = [1]
    endless.append(endless)
    logging.getLogger("x").info("real", extra={"odd": endless})
    assert lines()[0]["odd"] == "[1, [...]]"


def test_trace_of_an_exception_is_in_the_line(lines: Any) -> None:
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        logging.getLogger("x").exception("failed")
    (line,) = lines()
    assert "RuntimeError: boom" in line["trace"]


@pytest.mark.parametrize("text", ["日本語", "half \ud800 pair", "nul \0", "\u2028"])
def test_any_text_is_one_line(text: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8", newline="\n")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.handle(logging.makeLogRecord({"msg": "%s", "args": (text,), "levelname": "INFO"}))
    stream.flush()
    (line,) = raw.getvalue().decode().split("\n")[:-1]
    assert json.loads(line)["message"].encode("utf-8", "replace") == text.encode("utf-8", "replace")


def test_log_line_commands_no_terminal() -> None:
    odd = "".join(
        map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)])
    )
    line = JsonFormatter().format(logging.makeLogRecord({"msg": "a %s 猫", "args": (odd,), "levelname": "INFO"}))
    assert [char for char in line if not (char.isprintable() or char == " ")] == []
    assert json.loads(line)["message"] == f"a {odd} 猫"


def test_log_line_without_other_characters_keeps_its_del_escaped() -> None:
    line = JsonFormatter().format(logging.makeLogRecord({"msg": "a\x7fb", "levelname": "INFO"}))
    assert "\x7f" not in line
    assert json.loads(line)["message"] == "a\x7fb"
