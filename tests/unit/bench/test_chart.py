"""The chart of speed: drawn from the figures that are kept, and those are the figures of docs/performance.md."""

import json
import re
from xml.etree import ElementTree

from bench import chart
from bench.report import Goal
from tests.paths import DOCS

FIGURES = json.loads(chart.FIGURES.read_text(encoding="utf-8"))


def test_chart_is_drawn_from_the_figures() -> None:
    assert chart.CHART.read_text(encoding="utf-8") == chart.chart(FIGURES), "renew it: python -m bench.chart"


def test_chart_has_a_bar_for_each_figure_that_a_run_gives() -> None:
    assert [(bar["function"], bar["peer"]) for bar in FIGURES["bars"]] == [
        (each.function, each.peer) for each in chart.SHOWN
    ]
    drawn = ElementTree.fromstring(chart.chart(FIGURES)).findall("{*}rect")
    assert len(drawn) == len(chart.SHOWN)


def test_longer_bar_is_a_faster_function() -> None:
    widths = [int(width) for width in re.findall(r'class="bar".*? width="(\d+)"', chart.chart(FIGURES))]
    times = [bar["times"] for bar in FIGURES["bars"]]
    assert sorted(range(len(widths)), key=widths.__getitem__) == sorted(range(len(times)), key=times.__getitem__)


def test_time_of_a_goal_becomes_a_speed() -> None:
    goals = [Goal(1, each.what, 0.25 if each.inverse else 3, 1) for each in chart.SHOWN]
    assert {bar.times for bar in chart.bars_of(goals)} == {4.0, 3.0}


def test_figures_of_the_chart_stand_in_the_page_of_performance() -> None:
    goals = (DOCS / "performance.md").read_text(encoding="utf-8").partition("## Goals")[2].partition("\n## ")[0]
    told = {float(number) for number in re.findall(r"\d+\.\d+", goals)}
    for bar, each in zip(FIGURES["bars"], chart.SHOWN, strict=True):
        near = {1 / number if each.inverse else number for number in told}
        assert any(abs(bar["times"] - number) < 0.01 for number in near), bar
