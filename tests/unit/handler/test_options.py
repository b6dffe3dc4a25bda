"""Options are read from text, checked against their ranges, and every problem is named with what is accepted."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock import EventError, option
from penstock.handler.options import NoOptions, check_open, fingerprint, parse_options, problems_of_open


@dataclass(frozen=True)
class Options:
    level: int = option(2, "how hard to try", ge=0, le=3)
    codec: str = option("gzip", "which format", choices=("gzip", "zstd"))
    width: int | None = option(None, "pixels", ge=1)
    ratio: float = option(1.0, "share", ge=0, le=1)
    enlarge: bool = option(False, "make small ones larger")
    label: str = option("", "free text")


def test_defaults_hold_where_nothing_is_given() -> None:
    assert parse_options(Options, {}) == Options()


def test_every_kind_of_value_is_read() -> None:
    given = {"level": "3", "codec": "zstd", "width": "800", "ratio": "0.5", "enlarge": "yes", "label": "a b"}
    assert parse_options(Options, given) == Options(3, "zstd", 800, 0.5, True, "a b")


def test_base_supplies_what_is_not_given() -> None:
    base = Options(level=1, codec="zstd")
    assert parse_options(Options, {"level": "0"}, base) == replace(base, level=0)


def test_empty_text_is_none_where_none_is_allowed() -> None:
    assert parse_options(Options, {"width": ""}, Options(width=5)).width is None


@pytest.mark.parametrize("text", ["1", "true", "YES", "On"])
def test_true_has_the_usual_spellings(text: str) -> None:
    assert parse_options(Options, {"enlarge": text}).enlarge is True


@pytest.mark.parametrize("text", ["0", "false", "NO", "Off"])
def test_false_has_the_usual_spellings(text: str) -> None:
    assert parse_options(Options, {"enlarge": text}, Options(enlarge=True)).enlarge is False


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("level", "4", "option level='4': expected a whole number from 0 to 3"),
        ("level", "-1", "option level='-1': expected a whole number from 0 to 3"),
        ("level", "2.5", "option level='2.5': expected a whole number from 0 to 3"),
        ("level", "", "option level='': expected a whole number from 0 to 3"),
        ("level", "high", "option level='high': expected a whole number from 0 to 3"),
        ("level", "9" * 5000, "expected a whole number from 0 to 3"),
        ("width", "0", "option width='0': expected a whole number of at least 1"),
        ("ratio", "nan", "option ratio='nan': expected a number from 0 to 1"),
        ("ratio", "inf", "option ratio='inf': expected a number from 0 to 1"),
        ("ratio", "1e400", "expected a number from 0 to 1"),
        ("codec", "rar", "option codec='rar': expected one of gzip, zstd"),
        ("codec", "GZIP", "option codec='GZIP': expected one of gzip, zstd"),
        ("enlarge", "maybe", "option enlarge='maybe': expected true or false"),
        ("widht", "1", "option 'widht' is unknown; this function has: codec, enlarge, label, level, ratio, width"),
    ],
)
def test_wrong_option_is_named_with_what_it_accepts(name: str, text: str, expected: str) -> None:
    with pytest.raises(EventError) as caught:
        parse_options(Options, {name: text})
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 400


def test_unknown_option_is_told_which_was_meant() -> None:
    for name, end in (("widht", "; did you mean: width"), ("zzz", "ratio, width")):
        with pytest.raises(EventError) as caught:
            parse_options(Options, {name: "1"})
        assert str(caught.value).endswith(end)
        assert problems_of_open(Options, {name: None})[0].endswith(end)
    with pytest.raises(EventError, match="open are: width; did you mean: width"):
        check_open({"widht": "1"}, {"width": None})


def test_of_many_unknown_options_only_the_first_is_compared() -> None:
    """A caller's query string must not cost a second."""
    with pytest.raises(EventError) as caught:
        parse_options(Options, {"widht": "1", "levle": "1"})
    assert str(caught.value).count("did you mean") == 1


def test_what_names_are_compared_with_is_loaded_for_an_error_only() -> None:
    code = (
        "import sys; from penstock.handler.options import NoOptions, parse_options; parse_options(NoOptions, {}); "
        "assert 'difflib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(EventError) as caught:
        parse_options(Options, {"level": "9", "codec": "rar", "extra": "1"})
    assert [word in str(caught.value) for word in ("level", "codec", "'extra'")] == [True] * 3


def test_function_without_options_says_so() -> None:
    with pytest.raises(EventError, match="'level' is unknown; this function has: none"):
        parse_options(NoOptions, {"level": "1"})


def test_an_option_of_a_function_that_declares_none_says_what_to_declare() -> None:
    with pytest.raises(AttributeError, match=r"no option level: .*write a frozen dataclass with the name Options"):
        _ = NoOptions().level


def test_numbers_that_are_not_finite_are_refused_even_without_a_range() -> None:
    @dataclass(frozen=True)
    class Free:
        gamma: float = option(1.0, "any number")

    for text in ("nan", "inf", "-inf", "1e999"):
        with pytest.raises(EventError, match="expected a number"):
            parse_options(Free, {"gamma": text})


def test_fingerprint_is_of_the_values() -> None:
    assert fingerprint(Options()) == fingerprint(parse_options(Options, {"level": "2"}))
    assert fingerprint(Options()) != fingerprint(Options(level=3))
    assert fingerprint(Options()) != fingerprint(Options(label="x"))
    assert len(fingerprint(Options())) == 16


@given(st.dictionaries(st.sampled_from(["level", "codec", "width", "ratio", "enlarge", "label", "x"]), st.text()))
def test_any_text_gives_options_or_a_named_error(given: dict[str, str]) -> None:
    try:
        made: Any = parse_options(Options, given)
    except EventError:
        return
    assert 0 <= made.level <= 3
    assert made.width is None or made.width >= 1
    assert 0 <= made.ratio <= 1
    assert made.codec in ("gzip", "zstd")
