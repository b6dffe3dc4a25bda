"""What `penstock demo` prints."""

import shutil
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO
from unicodedata import east_asian_width

from penstock.types import ObjectRef

if TYPE_CHECKING:
    from penstock.local.stack import Stack


@dataclass(frozen=True, slots=True)
class Row:
    """One object through one function; sizes in bytes."""

    source: ObjectRef
    function: str
    cold: bool
    seconds: float
    bytes_in: int
    bytes_out: int


class Report:
    """Plain text, aligned; colour and a moving line only on a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty()

    def line(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def opening(self, stack: "Stack", rows: int) -> None:
        self.line(f"{rows:,} donors and eight photographs walk into a bucket.\n")
        self.line(f"  console  {stack.url}/ui/")
        self.line(f"  store    {stack.lake.settings.endpoint}")
        self.line(f"  asleep   {', '.join(route.name for route in stack.router.routes)}: zero processes\n")

    def uploaded(self, ref: ObjectRef, size: int, seconds: float, prefix: str) -> None:
        self.line(f"  up  {_short(ref, prefix)}  {human(size)} in {seconds:.1f} s")

    def progress(self, done: int, all_of_them: int) -> None:
        if self._live:
            filled = 30 * done // max(1, all_of_them)
            bar = "█" * filled + "·" * (30 - filled)
            print(f"\r  {bar} {done} of {all_of_them}", end="", file=self._out, flush=True)

    def progress_done(self) -> None:
        if self._live:
            print(
                "\r" + " " * min(60, shutil.get_terminal_size().columns - 1) + "\r", end="", file=self._out, flush=True
            )

    def table(self, rows: Iterable[Row], prefix: str) -> None:
        lines = [
            (
                _short(row.source, prefix),
                row.function,
                "cold" if row.cold else "warm",
                duration(row.seconds),
                human(row.bytes_in),
                human(row.bytes_out),
            )
            for row in rows
        ]
        for text in columns([("object", "function", "start", "time", "size in", "size out"), *lines], right={3, 4, 5}):
            self.line(f"  {text}")
        self.line("")

    def checked(self, target: ObjectRef, function: str, seen: str, prefix: str) -> None:
        self.line(f"  {self._green('ok')}  {_short(target, prefix)}  {function}: {seen}")

    def asleep(self, count: int) -> None:
        self.line(f"\n  All {count} functions are back at zero: nothing runs until the next object comes.")

    def verdict(self, problems: Sequence[str]) -> None:
        if problems:
            self.line(f"\n{len(problems)} {'thing' if len(problems) == 1 else 'things'} went wrong:")
            for problem in problems:
                self.line(f"  {problem}")
        else:
            self.line("  Every output was read back and is right.")

    def _green(self, text: str) -> str:
        return f"\x1b[32m{text}\x1b[0m" if self._live else text


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(0.0421), duration(1.234)
    ('42 ms', '1.23 s')
    """
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def human(size: int) -> str:
    """A size for people: 61.2 MB is 61.2 million bytes.

    >>> human(61_234_567)
    '61.2 MB'
    """
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"


def columns(lines: Sequence[Sequence[str]], right: Set[int] = frozenset()) -> list[str]:
    """Align cells; wide East Asian characters take two places on a terminal.

    >>> columns([("a", "1"), ("猫", "22")], right={1})
    ['a    1', '猫  22']
    """
    widths = [max(_width(line[index]) for line in lines) for index in range(len(lines[0]))]
    out = []
    for line in lines:
        cells = []
        for index, (cell, width) in enumerate(zip(line, widths, strict=True)):
            gap = " " * (width - _width(cell))
            cells.append(gap + cell if index in right else cell + gap)
        out.append("  ".join(cells).rstrip())
    return out


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _short(ref: ObjectRef, prefix: str) -> str:
    return f"{ref.bucket}/{ref.key.removeprefix(prefix)}"
