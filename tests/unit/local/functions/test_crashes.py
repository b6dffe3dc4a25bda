"""Stack traces are found among what functions print, and shown from the handler's first frame on."""

import json
from pathlib import Path

import penstock
import pytest
from penstock.local.functions.crashes import Crash, CrashLog, in_words, without_own_frames

OWN = Path(penstock.__file__).parent / "runtime" / "work.py"
TRACE = f"""\
Traceback (most recent call last):
  File "{OWN}", line 121, in step
    act(*given)
  File "/site/functions/shout/handler.py", line 6, in handle
    return text[len(text) // 0 :]
           ~~~~~~~~~~^^~~
ZeroDivisionError: integer division or modulo by zero"""
LOG = Path("shout.log")


def line(trace: str, incident: str = "abc") -> str:
    return json.dumps({"level": "error", "message": "unexpected error", "incident": incident, "trace": trace})


@pytest.mark.parametrize("text", ["[" * 100_000, '{"trace": ' * 50_000, '{"trace": ' + "9" * 5000])
def test_a_line_that_cannot_be_read_is_passed_over(text: str) -> None:
    """An error here would end the thread that reads what the function prints, and the function would then stand."""
    CrashLog().read("shout", LOG, f'{text} "trace"')
    assert in_words(text) == text


def test_a_crash_is_told_to_listeners_and_found_by_its_incident() -> None:
    crashes, heard = CrashLog(), list[Crash]()
    crashes.listen(heard.append)

    crashes.read("shout", LOG, line(TRACE))
    for other in ("hello", '{"trace": 7}', '["trace"]', '{"trace": "broken', json.dumps({"message": "a trace"})):
        crashes.read("shout", LOG, other)

    [crash] = heard
    assert crash == crashes.of("abc") == Crash("shout", "abc", without_own_frames(TRACE), LOG)
    assert crashes.of("") is None
    assert crashes.of("other") is None


def test_frames_before_the_handlers_are_left_out() -> None:
    assert without_own_frames(TRACE).split("\n") == [
        "Traceback (most recent call last):",
        '  File "/site/functions/shout/handler.py", line 6, in handle',
        "    return text[len(text) // 0 :]",
        "           ~~~~~~~~~~^^~~",
        "ZeroDivisionError: integer division or modulo by zero",
    ]


def test_each_part_of_a_chain_is_shown_from_its_handlers_frame() -> None:
    chain = f"{TRACE}\n\nDuring handling of the above exception, another exception occurred:\n\n{TRACE}"
    assert without_own_frames(chain).count("handler.py") == 2
    assert str(OWN) not in without_own_frames(chain)


def test_a_trace_without_a_handlers_frame_stays_whole() -> None:
    own = TRACE.replace("/site/functions/shout/handler.py", str(OWN))
    assert without_own_frames(own) == own


def test_what_a_function_logged_is_put_in_words() -> None:
    assert in_words(line(TRACE)) == f"unexpected error\n{without_own_frames(TRACE)}"
    assert in_words("7") == "7"
    assert in_words('{"other": 1}') == '{"other": 1}'


def test_an_incident_in_a_reason_is_replaced_by_its_error() -> None:
    crashes = CrashLog()
    crashes.read("shout", LOG, line(TRACE, "0a1b"))
    told = "unexpected error; the log has it under incident 0a1b"
    error = "unexpected error; ZeroDivisionError: integer division or modulo by zero (incident 0a1b)"
    assert crashes.explained(told) == error
    assert crashes.explained("unexpected error; the log has it under incident ffff").endswith("incident ffff")
