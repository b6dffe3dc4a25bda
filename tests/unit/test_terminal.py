"""Colour and bars: on a terminal, and not where they are not wanted."""

from __future__ import annotations

import io
import sys

import pytest
from penstock.terminal import coloured, progress

from tests.fake_terminal import Terminal


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_terminal_gets_colour() -> None:
    assert coloured("ok", "green", Terminal()) == "\x1b[32mok\x1b[0m"


@pytest.mark.parametrize(
    ("out", "name", "value"), [(io.StringIO(), "X", ""), (Terminal(), "NO_COLOR", "1"), (Terminal(), "TERM", "dumb")]
)
def test_other_output_and_a_wish_for_none_get_text_alone(
    out: io.StringIO, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert coloured("ok", "red", out) == "ok"


def test_no_color_that_is_empty_is_no_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert coloured("ok", "yellow", Terminal()) != "ok"


def test_bar_has_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress("a\x1b[2J.csv", unit="B", divisor=1024, total=4096) as bar:
        bar.advance(1024)
        bar.advance(3072)
    assert "a\\x1b[2J.csv: 100%" in screen.getvalue()
    assert "4.00k/4.00k" in screen.getvalue()
    assert "B/s]" in screen.getvalue()


def test_no_bar_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    with progress("a", unit="B", total=2) as bar:
        bar.advance(2)
    assert out.getvalue() == ""
