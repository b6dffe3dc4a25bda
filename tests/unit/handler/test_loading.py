"""A function's folder is loaded as a package; what is wrong with it is said at start, all at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from penstock import Body, Context, Event, Result, option
from penstock.errors import ConfigError, EventError
from penstock.handler.loading import load_module, make_function
from penstock.settings.config import Config

HANDLER = """
from penstock import Context, Event, Result
def handle(event: Event, context: Context) -> Result:
    return Result({result})
"""


def folder(path: Path, **files: str) -> Path:
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / f"{name}.py").write_text(text)
    return path


def call(module: Any) -> Any:
    return module.handle(None, None).body


def test_handler_imports_its_neighbours(tmp_path: Path) -> None:
    made = folder(
        tmp_path / "fine",
        handler="from .words import WORD\n" + HANDLER.format(result="WORD"),
        words="from .letters import A\nWORD = A * 3",
        letters="A = b'a'",
    )
    assert call(load_module(made)) == b"aaa"


@pytest.mark.parametrize("name", ["with-dash", "with.dot", "1st", "class", "with space", "日本"])
def test_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    made = folder(tmp_path / name, handler="from .words import W\n" + HANDLER.format(result="W"), words="W = b'w'")
    assert call(load_module(made)) == b"w"


def test_folders_of_the_same_name_are_two_functions(tmp_path: Path) -> None:
    one = folder(tmp_path / "one" / "same", handler="from .w import W\n" + HANDLER.format(result="W"), w="W = b'one'")
    two = folder(tmp_path / "two" / "same", handler="from .w import W\n" + HANDLER.format(result="W"), w="W = b'two'")
    assert call(load_module(one)) == b"one"
    assert call(load_module(two)) == b"two"
    assert load_module(one) is load_module(one)


def test_relative_path_is_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = folder(tmp_path / "relative", handler=HANDLER.format(result="b'x'"))
    monkeypatch.chdir(tmp_path)
    assert load_module(Path("relative")) is load_module(made)


def test_folder_without_a_handler_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"empty: no handler\.py there; `penstock new NAME` makes a starter"):
        load_module(folder(tmp_path / "empty"))


@pytest.mark.parametrize("text", ["x = 1", "Options = 5\n" + HANDLER.format(result="b''")])
def test_mistake_is_told_of_the_file_and_not_of_the_module(tmp_path: Path, text: str) -> None:
    made = folder(tmp_path / "wrong", handler=text)
    with pytest.raises(ConfigError) as caught:
        make_function(load_module(made), Config("f"))
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [str(made / "handler.py")]


def test_missing_library_is_named_with_the_remedy(tmp_path: Path) -> None:
    made = folder(tmp_path / "missing", handler="import no_such_library_at_all")
    with pytest.raises(ConfigError, match=r"no_such_library_at_all.*pip install -r .*requirements\.txt"):
        load_module(made)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def handle(:", "SyntaxError"),
        ("raise RuntimeError('no licence file')", "RuntimeError: no licence file"),
        ("1 / 0", "ZeroDivisionError"),
        ("from penstock import no_such_name", "no_such_name"),
    ],
)
def test_handler_that_cannot_be_imported_is_a_configuration_error(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load_module(folder(tmp_path / "broken", handler=text))


def test_handler_that_was_broken_is_loaded_once_it_is_mended(tmp_path: Path) -> None:
    made = folder(tmp_path / "mended", handler="import no_such_library_at_all")
    with pytest.raises(ConfigError):
        load_module(made)
    (made / "handler.py").write_text(HANDLER.format(result="b'now'") + "# longer\n")
    assert call(load_module(made)) == b"now"


# Module to function


def handle(_event: Event[Any], _context: Context[Any]) -> Result:
    return Result(b"")


@dataclass(frozen=True)
class Options:
    level: int = option(2, "how hard to try", ge=0, le=3)
    codec: str = option("gzip", "which format", choices=("gzip", "zstd"))


class Colour(StrEnum):
    RED = "red"


Module = Callable[..., Any]


def test_function_has_its_options_and_hooks(handler_module: Module) -> None:
    def ready() -> bool:
        return True

    made = make_function(
        handler_module(handle=handle, Options=Options, ready=ready), Config("f", options={"level": "3"})
    )
    assert (made.name, made.renditions) == ("f", {None: Options(level=3)})
    assert made.handle(Event("a", 0, "", {}, Options(), Body.of(b"")), Context("f")) == Result(b"")
    assert (made.start, made.stop, made.ready, made.query) == (None, None, ready, None)


def test_renditions_start_from_the_deployment_s_options(handler_module: Module) -> None:
    config = Config("f", options={"level": "3"}, renditions={"a": {}, "b": {"level": "0", "codec": "zstd"}})
    made = make_function(handler_module(handle=handle, Options=Options), config)
    assert made.renditions == {"a": Options(3), "b": Options(0, "zstd")}


def test_every_wrong_option_is_reported_at_once(handler_module: Module) -> None:
    config = Config("f", options={"level": "9", "extra": "1"}, renditions={"a": {"codec": "rar"}, "b": {"levle": "1"}})
    with pytest.raises(ConfigError) as caught:
        make_function(handler_module(handle=handle, Options=Options), config)
    text = str(caught.value)
    for part in ("level='9'", "'extra' is unknown", "a: option codec='rar'", "b: option 'levle' is unknown"):
        assert part in text


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({}, r"has no function handle\(event, context\)"),
        ({"handle": 5}, r"has no function handle\(event, context\)"),
        ({"handle": handle, "Options": dict}, "Options must be a frozen dataclass"),
        ({"handle": handle, "Options": Options()}, "Options must be a frozen dataclass"),
        ({"handle": handle, "ready": True}, "ready is not a function"),
    ],
)
def test_module_that_is_no_handler_is_refused(handler_module: Module, members: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        make_function(handler_module(**members), Config("f"))


def test_options_that_can_change_are_refused(handler_module: Module) -> None:
    @dataclass
    class Loose:
        level: int = option(1, "changes under the feet of others")

    with pytest.raises(ConfigError, match="Options must be a frozen dataclass"):
        make_function(handler_module(handle=handle, Options=Loose), Config("f"))


@pytest.mark.parametrize(
    ("kind", "default", "rules", "problem"),
    [
        (str, "keep", {"choices": ("null", "drop")}, "its default 'keep' is not accepted: expected one of null, drop"),
        (int, 3, {"choices": (1, 2)}, "its default 3 is not accepted: expected one of 1, 2"),
        (int, 10, {"ge": 1, "le": 9}, "its default 10 is not accepted: expected a whole number from 1 to 9"),
        (int, "1", {}, "its default '1' is not accepted: expected a whole number"),
        (int, True, {}, "its default True is not accepted: expected a whole number"),
        (bool, 1, {}, "its default 1 is not accepted: expected true or false"),
        (float, float("nan"), {}, "its default nan is not accepted: expected a number"),
        (str, None, {}, "its default None is not accepted: expected text, or None with `str | None`"),
        (str, "mark.png", {"asset": True}, "its default 'mark.png' is not accepted: expected s3://BUCKET/KEY"),
        (str, "a", {"ge": 1}, "is no number; ge and le are for numbers"),
        (list[str], (), {}, "is no int, float, str or bool"),
        (int | str, 1, {}, "is no int, float, str or bool"),
    ],
)
def test_an_option_that_is_declared_wrongly_ends_the_start(
    handler_module: Module, kind: Any, default: Any, rules: Any, problem: str
) -> None:
    declared = make_dataclass("Options", [("size", kind, option(default, "what", **rules))], frozen=True)
    with pytest.raises(ConfigError, match=r"Options\.size.*" + re.escape(problem)):
        make_function(handler_module(handle=handle, Options=declared), Config("f"))


@pytest.mark.parametrize(
    ("kind", "default", "rules"),
    [
        (float, 1, {"ge": 0}),
        (int | None, None, {"ge": 1}),
        (str | None, "a", {"choices": ("a",)}),
        (str, "", {"asset": True}),
        (bool, False, {}),
        (Colour, Colour.RED, {}),
    ],
)
def test_defaults_that_are_accepted_start(handler_module: Module, kind: Any, default: Any, rules: Any) -> None:
    declared = make_dataclass("Options", [("size", kind, option(default, "what", **rules))], frozen=True)
    assert make_function(handler_module(handle=handle, Options=declared), Config("f")).renditions[None].size == default


def test_a_type_that_cannot_be_read_ends_the_start(handler_module: Module) -> None:
    declared = make_dataclass("Options", [("size", "Missing", option(1, "what"))], frozen=True)
    with pytest.raises(ConfigError, match=r"Options: a type cannot be read: name 'Missing' is not defined"):
        make_function(handler_module(handle=handle, Options=declared), Config("f"))


def test_defaults_that_the_options_themselves_refuse_end_the_start(handler_module: Module) -> None:
    @dataclass(frozen=True)
    class Strict:
        level: int = option(1, "how hard to try")

        def __post_init__(self) -> None:
            raise EventError("give one of them")

    with pytest.raises(ConfigError, match="Options: the defaults do not go together: give one of them"):
        make_function(handler_module(handle=handle, Options=Strict), Config("f"))


def test_option_without_a_default_is_refused(handler_module: Module) -> None:
    @dataclass(frozen=True)
    class Bare:
        level: int

    with pytest.raises(ConfigError, match=r"Options\.level: has no default"):
        make_function(handler_module(handle=handle, Options=Bare), Config("f"))
