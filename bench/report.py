"""What a bench found: Markdown for people, goals with what was reached, and a line of JSON for `python -m bench`."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

RESULTS = "PENSTOCK_BENCH_RESULTS"
"""The environment variable that names the file a bench adds its line to."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure to reach: `reached` against `bound`, from below when `at_most`."""

    number: int
    what: str
    reached: float
    bound: float
    at_most: bool = True

    @property
    def met(self) -> bool:
        return self.reached <= self.bound if self.at_most else self.reached >= self.bound

    def row(self) -> list[str]:
        sign = "≤" if self.at_most else "≥"
        return [
            str(self.number),
            self.what,
            f"{sign} {self.bound:,g}",
            figure(self.reached),
            "yes" if self.met else "no",
        ]


@dataclass
class Report:
    """What one bench prints, in the order in which it found it."""

    title: str
    parts: list[str] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.parts.append(text)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.parts.append(table(headings, rows))

    def finish(self) -> None:
        """Print everything, and leave the goals where `python -m bench` collects them."""
        print(f"## {self.title}\n")
        for part in self.parts:
            print(f"{part}\n")
        if self.goals:
            print(goals_table(self.goals) + "\n", flush=True)
        if name := os.environ.get(RESULTS):
            goals = [{**asdict(goal), "met": goal.met} for goal in self.goals]
            with Path(name).open("a") as file:
                file.write(json.dumps({"title": self.title, "goals": goals}, ensure_ascii=False) + "\n")


def goals_table(goals: Sequence[Goal]) -> str:
    return table(["goal", "what", "bound", "reached", "met"], [goal.row() for goal in goals])


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def figure(value: float) -> str:
    """Three digits, or whole thousands."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def arguments(description: str | None, *, turns: int) -> argparse.ArgumentParser:
    """What every bench understands."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="little work: whether it runs, not how fast it is")
    parser.add_argument("--turns", type=int, default=turns, help="interleaved runs of each (default: %(default)s)")
    return parser
