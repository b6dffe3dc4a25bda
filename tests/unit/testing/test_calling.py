"""The public test support does what a deployment does: the same checks, the runtime itself, a connector's verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from penstock import (
    Body,
    Context,
    Event,
    EventError,
    NothingToDo,
    PermanentError,
    Result,
    TemporaryError,
    UnsupportedInput,
)
from penstock.errors import ConfigError, HandlerError
from penstock.testing import run

from tests.unit.testing.example import Options, documents, handle


def test_output_has_all_that_the_result_has() -> None:
    made = run(handle, b"abc", name="a.txt", content_type="text/plain", metadata={"owner": "ann"})
    assert (made.data, made.text, made.content_type, made.name) == (b"abc", "abc", "text/plain", "a.txt.out")
    assert made.metadata == {"owner": "ann", "size": "3", "rendition": "None"}
    assert made.document is None


@pytest.mark.parametrize("content_type", ["text/plain\r\nX-Forged: 1", "text/pl\u00e4in"])
def test_content_type_that_no_header_can_carry_is_refused_as_by_a_direct_call(content_type: str) -> None:
    with pytest.raises(PermanentError, match=r"^a\.txt: content type .* an HTTP header cannot carry it"):
        run(lambda event, context: Result(b"a", content_type), b"abc", name="a.txt")


def test_options_are_given_as_values_and_checked_as_text_is() -> None:
    assert run(handle, b"ab", times=2, upper=True, end="c").data == b"ABABC"
    assert run(handle, b"ab", end=None).data == b"ab"
    assert run(handle, b"ab", times="2", upper="yes").data == b"ABAB"
    with pytest.raises(EventError, match="option times='4': expected a whole number from 1 to 3"):
        run(handle, b"", times=4)
    with pytest.raises(EventError, match="option 'tmies' is unknown; this function has: end, times, upper"):
        run(handle, b"", tmies=1)


def test_input_may_come_in_chunks() -> None:
    made = run(handle, (part for part in (b"a", b"", b"bc")))
    assert (made.data, made.metadata["size"]) == (b"abc", "-1")
    assert run(handle, [b"a", b"bc"]).data == b"abc"
    assert run(handle, Body.of(b"abc")).data == b"abc"
    with pytest.raises(TypeError, match=r'the input is a str; give bytes: b"\.\.\." or text\.encode\(\)'):
        run(handle, "abc")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"bad", UnsupportedInput), (b"done", NothingToDo), (b"wait", TemporaryError), (b"bug", ZeroDivisionError)],
)
def test_run_raises_what_the_handler_raises(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        run(handle, data)


def test_mistake_of_the_handler_is_told_as_in_a_deployment() -> None:
    with pytest.raises(HandlerError, match=r"handle returned dict; return penstock\.Result"):
        run(lambda _event, _context: {}, b"")  # type: ignore[arg-type, return-value]
    with pytest.raises(ConfigError, match=r"cannot be called with event and context"):
        run(lambda event: event, b"")  # type: ignore[arg-type, misc]


def broken() -> Iterator[bytes]:
    yield b"first"
    raise ConnectionError("the store went away")


def swallows(event: Event[Options], context: Context[Options]) -> Result:
    """Takes a broken connection for the end of the input, as some decoders do."""
    got = b""
    try:
        for chunk in event.body:
            got += chunk
    except OSError:
        pass
    return Result(got)


def blames(event: Event[Options], context: Context[Options]) -> Result:
    try:
        return Result(event.body.read())
    except OSError as exc:
        raise PermanentError("the input is damaged") from exc


@pytest.mark.parametrize("careless", [handle, swallows, blames])
def test_source_that_breaks_off_is_never_taken_for_its_end(careless: Any) -> None:
    with pytest.raises(ConnectionError, match="the store went away"):
        run(careless, broken())


def test_rendition_is_made_by_its_name() -> None:
    renditions: dict[str, dict[str, object]] = {"small": {"upper": True}, "large": {"times": 3}}
    assert run(handle, b"ab", renditions=renditions).data == b"AB"
    made = run(handle, b"ab", renditions=renditions, rendition="large")
    assert (made.data, made.metadata["rendition"]) == (b"ababab", "large")
    assert run(handle, b"ab", renditions=renditions, rendition="large", upper=True).data == b"ABABAB"
    with pytest.raises(EventError, match="rendition 'huge' is unknown"):
        run(handle, b"", renditions=renditions, rendition="huge")
    with pytest.raises(ConfigError, match="RENDITIONS: small: option times='9'"):
        run(handle, b"", renditions={"small": {"times": 9}})


def test_document_is_there_as_a_mapping_and_as_json() -> None:
    made = run(documents, b"abc")
    assert made.document == {"kind": "text", "size": 3}
    assert (made.data, made.content_type) == (b'{"kind": "text", "size": 3}\n', "application/json")


def test_body_of_the_result_is_read_to_its_end_and_closed() -> None:
    closed: list[str] = []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
            raise PermanentError("half-way")
        finally:
            closed.append("result")

    def source() -> Iterator[bytes]:
        try:
            yield b"x"
        finally:
            closed.append("source")

    def lazy(event: Event[Options], _context: Context[Options]) -> Result:
        event.body.peek(1)
        return Result(pieces())

    with pytest.raises(PermanentError, match="half-way"):
        run(lazy, source())
    assert closed == ["result", "source"]


def test_renditions_and_their_options_are_in_the_context() -> None:
    def names(_event: Event[Options], context: Context[Options]) -> Result:
        return Result(" ".join(f"{name}:{given.times}" for name, given in context.renditions.items()).encode())

    assert run(names, b"", renditions={"a": {"times": 2}, "b": {}}).data == b"a:2 b:1"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("guessed", ("guessed",)), (None, ()), (["a", "a", 5], ("a", "5")), (["x"] * 30, ("x",)), (["\ud800"], ("?",))],
)
def test_notes_are_those_that_a_deployment_gives(given: Any, kept: tuple[str, ...]) -> None:
    assert run(lambda _event, _context: Result(b"", notes=given), b"").notes == kept
