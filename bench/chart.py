"""docs/speed.svg: how many times as fast each function is as its peer, from bench/figures.json.

`python -m bench` writes bench/figures.json after a whole run with ordinary amounts of work, and draws the chart.
`python -m bench.chart` draws it again from the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from bench.report import Goal
from tests.paths import DOCS, ROOT

FIGURES = ROOT / "bench" / "figures.json"
CHART = DOCS / "speed.svg"


@dataclass(frozen=True, slots=True)
class Shown:
    """A goal that the chart shows: `what` is the goal's, `inverse` where it gives the time and not the speed."""

    what: str
    function: str
    peer: str
    inverse: bool = False


SHOWN = (
    Shown("fast, wall to Go", "compress, setting=fast", "a Go program, gzip 3", inverse=True),
    Shown("default, wall to Go", "compress", "a Go program, gzip 3", inverse=True),
    Shown("small, wall to Go", "compress, setting=small", "a Go program, gzip 3", inverse=True),
    Shown("objects per second to the Go program's", "compress, objects of 4 KB", "the Go program as a Job for each"),
    Shown("resize, JPEG, speed to imgproxy's", "resize, JPEG", "imgproxy, by its stand-in"),
    Shown("resize, JPEG, speed to Pillow draft, thumbnail()", "resize, JPEG", "Pillow, Image.thumbnail"),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of the chart: the function is `times` as fast as its peer."""

    function: str
    peer: str
    times: float


def bars_of(goals: Sequence[Goal]) -> list[Bar]:
    """The bars of a run; raises `KeyError` for a goal that the run did not reach."""
    reached = {goal.what: goal.reached for goal in goals}
    return [
        Bar(each.function, each.peer, round(1 / reached[each.what] if each.inverse else reached[each.what], 2))
        for each in SHOWN
    ]


def write_figures(machine: Mapping[str, Any], goals: Sequence[Goal]) -> None:
    """Keep the bars of a run with its machine, and draw them."""
    kept = {name: machine[name] for name in ("when", "processor", "cores", "python", "go")}
    document = {"machine": kept, "bars": [asdict(bar) for bar in bars_of(goals)]}
    FIGURES.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    draw()


def draw() -> None:
    """Make the chart of the figures that are kept."""
    CHART.write_text(chart(json.loads(FIGURES.read_text(encoding="utf-8"))), encoding="utf-8")


_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>{title}</title>
<style>
  text {{ font: 13px system-ui, sans-serif; fill: #1d2733; }}
  .detail {{ font-size: 11px; fill: #566373; }}
  .bar {{ fill: #2f8f57; }}
  .peer {{ stroke: #8895a5; stroke-width: 1.4; stroke-dasharray: 4 3; }}
  @media (prefers-color-scheme: dark) {{
    text {{ fill: #e8edf3; }}
    .detail {{ fill: #a9b5c3; }}
    .bar {{ fill: #4fb67c; }}
  }}
</style>
"""
_WIDTH, _LEFT, _STEP, _TOP = 760, 240, 40, 34
# Where the longest bar ends, with room for its figure.
_RIGHT = 690


def chart(figures: Mapping[str, Any]) -> str:
    """The SVG: a bar for each figure, and a line at 1, the speed of the peer."""
    bars = [Bar(**bar) for bar in figures["bars"]]
    unit = (_RIGHT - _LEFT) / max(bar.times for bar in bars)
    height = _TOP + _STEP * len(bars) + 30
    told = "; ".join(f"{bar.function}: {bar.times:.1f} times as fast as {bar.peer}" for bar in bars)
    lines = [_HEAD.format(width=_WIDTH, height=height, title=escape(told))]
    for row, bar in enumerate(bars):
        top = _TOP + _STEP * row
        end = _LEFT + unit * bar.times
        lines += [
            f'<text x="{_LEFT - 12}" y="{top + 12}" text-anchor="end">{escape(bar.function)}</text>\n',
            f'<text class="detail" x="{_LEFT - 12}" y="{top + 26}" text-anchor="end">to {escape(bar.peer)}</text>\n',
            f'<rect class="bar" x="{_LEFT}" y="{top + 2}" width="{end - _LEFT:.0f}" height="22" rx="3"/>\n',
            f'<text x="{end + 8:.0f}" y="{top + 18}">{bar.times:.1f}</text>\n',
        ]
    peer, machine = _LEFT + unit, figures["machine"]
    lines += [
        f'<path class="peer" d="M{peer:.0f} {_TOP - 8}V{height - 34}"/>\n',
        f'<text class="detail" x="{peer:.0f}" y="{_TOP - 14}" text-anchor="middle">1: the peer\'s speed</text>\n',
        f'<text class="detail" x="{_LEFT}" y="{height - 10}">{escape(str(machine["processor"]))}, '
        f"{machine['cores']} cores, Python {machine['python']}, {escape(str(machine['go']))}</text>\n",
        "</svg>\n",
    ]
    return "".join(lines)


if __name__ == "__main__":
    draw()
    print(Path(CHART).relative_to(ROOT))
