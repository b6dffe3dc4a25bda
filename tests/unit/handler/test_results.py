"""What a handler returns is checked before it is stored: a mistake of the code is told with what to write."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import Any

import pytest
from penstock import PermanentError, Result
from penstock.errors import HandlerError
from penstock.handler.results import problem_of
from penstock.streams import Body

from tests.lake import SOURCE, Lake

Make = Callable[..., Lake]


async def soon() -> Result:
    return Result(b"")


async def pieces() -> Any:
    yield b""


def generator() -> Iterator[bytes]:
    yield b""


def written(file: Any) -> Any:
    file.write(b"text")
    return file


def read(body: Body) -> Body:
    body.read()
    return body


def result(**given: Any) -> Result:
    return Result(**{"body": b"", **given})


MISTAKES: list[tuple[Callable[[], Any], str]] = [
    (lambda: {"statusCode": 200, "body": "x"}, r"handle returned dict; return penstock\.Result\(\.\.\.\)"),
    (lambda: b"bytes", r"handle returned bytes; return penstock\.Result\(\.\.\.\)"),
    (lambda: "text", r"handle returned str; return penstock\.Result\(text\.encode\(\), content_type=\.\.\.\)"),
    (lambda: None, r"handle returned None; return penstock\.Result\(\.\.\.\), or raise NothingToDo"),
    (lambda: ("body", 200), r"handle returned tuple; return penstock\.Result"),
    (lambda: 200, r"handle returned int; return penstock\.Result"),
    (lambda: Result, r"handle returned the class Result; return penstock\.Result\(\.\.\.\)"),
    (soon, "handle returned a value of type coroutine; it is not awaited"),
    (pieces, "handle returned a value of type async_generator; it is not awaited"),
    (generator, r"handle returned a generator; return penstock\.Result\(generator\)"),
    (lambda: result(body="text"), r"a Result with a str as its body; write Result\(text\.encode\(\)\)"),
    (lambda: result(body=None), "a Result without a body; .* raise NothingToDo"),
    (lambda: result(body=5), "a Result with a value of type int as its body; give bytes, a binary file"),
    (lambda: result(body=Path("a")), "a Result with a value of type PosixPath as its body"),
    (lambda: result(body=soon()), "a Result with a value of type coroutine as its body"),
    (lambda: result(body=pieces()), "a Result with a value of type async_generator as its body"),
    (lambda: result(body=io.StringIO("text")), 'a Result with a text file as its body; open it with "rb"'),
    (lambda: result(body=io.TextIOWrapper(io.BytesIO())), 'a Result with a text file as its body; open it with "rb"'),
    (lambda: result(body=written(io.BytesIO())), r"a Result with a file that stands at its end; call seek\(0\) before"),
    (lambda: result(body=written(TemporaryFile())), "a Result with a file that stands at its end"),  # noqa: SIM115
    (lambda: result(body=read(Body.of(b"text"))), "with event.body, which it had read to its end"),
    (lambda: result(content_type=None), 'content_type=None; give text, such as "text/csv"'),
    (lambda: result(content_type=b"text/csv"), "content_type=b'text/csv'; give text"),
    (lambda: result(name=b"a.csv"), "name=b'a.csv'; give the file's name as text"),
    (lambda: result(name=Path("a.csv")), "name=PosixPath"),
    (lambda: result(metadata={"rows": 5}), r"metadata 'rows': 5; names and values are text: use str\(\.\.\.\)"),
    (lambda: result(metadata={5: "rows"}), "metadata 5: 'rows'; names and values are text"),
    (lambda: result(metadata={"owner": None}), "metadata 'owner': None"),
    (lambda: result(metadata=[("a", "b")]), "a value of type list as its metadata"),
    (lambda: result(notes=5), "a Result with notes=5; give a list of sentences"),
    (lambda: sys.exit(3), r"handle raised SystemExit; raise penstock\.PermanentError, TemporaryError or NothingToDo"),
]
# What only shows while the body is read, which the sink or the answer does.
LATE: list[tuple[Callable[[], Any], str]] = [
    (lambda: result(body=["a", "b"]), r"the body of a Result gave a chunk of type str; give text\.encode\(\)"),
    (lambda: result(body=(line for line in ["a"])), "gave a chunk of type str"),
    (lambda: result(body=[{"a": 1}]), "gave a chunk of type dict; give bytes"),
    (lambda: result(body=[None]), "gave a chunk of type NoneType"),
    (lambda: result(body={"day": date(2025, 1, 1)}), "cannot be written as JSON: day: JSON has no values of type date"),
    (lambda: result(body=(sys.exit(1) for _ in "a")), r"raised SystemExit; raise penstock\.PermanentError instead"),
]


@pytest.mark.parametrize(("returns", "says"), MISTAKES + LATE)
def test_mistake_ends_an_event_at_once_and_leaves_the_target_alone(
    make_lake: Make, returns: Callable[[], Any], says: str
) -> None:
    lake = make_lake()
    lake.put(b"before")
    lake.agree()
    made_before = lake.keys()
    function = make_lake(lambda _event, _context: returns()).function
    lake.put(b"after")
    runtime = replace(lake.runtime, function=function)
    with pytest.raises(HandlerError, match=says):
        runtime.agree(SOURCE)
    assert (lake.keys(), lake.read()) == (made_before, b"BEFORE"), "nothing is recorded and nothing removed"


@pytest.mark.parametrize(("returns", "says"), MISTAKES)
def test_mistake_ends_a_direct_call_at_once(make_lake: Make, returns: Callable[[], Any], says: str) -> None:
    runtime = make_lake(lambda _event, _context: returns()).runtime
    with pytest.raises(HandlerError, match=says):
        runtime.transform("a.txt", 1, "text/plain", {}, [b"a"])


class Pipe(io.RawIOBase):
    """What can be read and not seek."""

    def readable(self) -> bool:
        return True


def placed(file: Any, place: int) -> Any:
    file.seek(place)
    return file


FILES: dict[str, Callable[[], Any]] = {
    "an empty file": io.BytesIO,
    "a file at its beginning": lambda: io.BytesIO(b"text"),
    "a file before its last byte": lambda: placed(io.BytesIO(b"text"), 3),
    "a spooled file at its beginning": lambda: placed(written(SpooledTemporaryFile()), 0),  # noqa: SIM115
    "what cannot seek": Pipe,
    "an input": lambda: Body.of(b"text"),
    "an empty input": lambda: Body.of(b""),
    "an empty input that was read": lambda: read(Body.of(b"")),
}


@pytest.mark.parametrize("make", FILES.values(), ids=FILES)
def test_a_file_is_stored_from_where_it_stands(make: Callable[[], Any]) -> None:
    body = make()
    place = body.tell() if body.seekable() else 0
    assert problem_of(result(body=body)) == ""
    assert not body.seekable() or body.tell() == place


def test_a_body_that_was_looked_at_or_read_in_part_is_stored() -> None:
    body = Body.of(b"text")
    assert body.peek(9) == b"text"
    assert problem_of(result(body=body)) == ""
    assert body.read(3) == b"tex"
    assert problem_of(result(body=body)) == ""
    assert body.read() == b"t"


def test_the_same_code_mended_makes_the_target(make_lake: Make) -> None:
    store = make_lake(lambda _event, _context: "text").store
    wrong = make_lake(lambda _event, _context: "text", store=store)
    wrong.put(b"one")
    with pytest.raises(HandlerError):
        wrong.agree()
    mended = make_lake(lambda _event, _context: Result(b"text"), store=store)
    assert mended.agree().kind == "processed"
    assert mended.read() == b"text"


@pytest.mark.parametrize(
    "right",
    [
        b"",
        bytearray(b"a"),
        memoryview(b"a"),
        io.BytesIO(b"a"),
        [b"a", bytearray(b"b"), memoryview(b"c")],
        generator(),
        {"kind": "text"},
        [],
    ],
    ids=lambda body: type(body).__name__,
)
def test_every_documented_body_is_right(right: Any) -> None:
    assert problem_of(Result(right, metadata={"rows": "5"}, name="a")) == ""


@pytest.mark.parametrize("error", [PermanentError("bad"), ValueError("bug"), AttributeError("x"), RecursionError()])
def test_other_exceptions_pass_as_they_are(make_lake: Make, error: Exception) -> None:
    def handle(_event: object, _context: object) -> Result:
        raise error

    with pytest.raises(type(error)) as caught:
        make_lake(handle).runtime.transform("a", 1, "", {}, [b"a"])
    assert caught.value is error


def interrupted(_event: object, _context: object) -> Result:
    raise KeyboardInterrupt


def test_ctrl_c_ends_the_command_and_not_the_input(make_lake: Make) -> None:
    with pytest.raises(KeyboardInterrupt):
        make_lake(interrupted).runtime.transform("a", 1, "", {}, [b"a"])


def test_handler_that_raises_ctrl_c_in_a_thread_of_the_server_is_a_mistake(make_lake: Make) -> None:
    raised: list[BaseException] = []

    def call() -> None:
        try:
            make_lake(interrupted).runtime.transform("a", 1, "", {}, [b"a"])
        except BaseException as exc:  # noqa: BLE001 - the test looks at it
            raised.append(exc)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert isinstance(raised[0], HandlerError)


class Panic(BaseException):
    """What a library in Rust raises for a panic, and asyncio for a task that was cancelled: no `Exception`."""


@pytest.mark.parametrize("where", ["handle", "body"])
def test_what_is_no_exception_fails_one_object_as_an_unexpected_error_does(make_lake: Make, where: str) -> None:
    def handle(_event: object, _context: object) -> Result:
        return Result(panics()) if where == "body" else next(panics())  # type: ignore[return-value]

    def panics() -> Iterator[bytes]:
        raise Panic
        yield b""

    lake = make_lake(handle)
    lake.put(b"a")
    with pytest.raises(RuntimeError, match="Panic, which is no Exception") as caught:
        lake.agree()
    assert isinstance(caught.value.__cause__, Panic), "the log has the whole trace"
    assert lake.keys() == [], "nothing is recorded: a retry may help"


def test_error_that_is_raised_without_a_reason_still_says_what_it_was(make_lake: Make) -> None:
    def handle(_event: object, _context: object) -> Result:
        raise PermanentError

    lake = make_lake(handle)
    lake.put(b"a")
    lake.agree()
    assert [refusal["reason"] for refusal in lake.refusals()] == ["PermanentError, raised without a reason"]


def test_a_loop_that_the_handler_runs_itself_is_its_own(make_lake: Make) -> None:
    lake = make_lake(lambda _event, _context: asyncio.run(soon()))
    assert lake.runtime.transform("a", 1, "", {}, [b"a"]) == Result(b"")
