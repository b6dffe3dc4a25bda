"""What a person at a terminal is shown: text without control characters, tables, sizes and times, a progress bar.

A key, a reason or a header may hold any character. A terminal obeys some of them: ESC [ 2 J clears it, and a line end
starts a line that looks like one of ours. So each command sends such text through `printable`.
"""

import copy
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any, Literal, Protocol, TextIO

from penstock.errors import ConfigError

_COLOURS = {"red": 31, "green": 32, "yellow": 33}
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def printable(text: str, *, keep: str = "") -> str:
    r"""The text with each character that is not printable written as an escape; those in `keep` stay.

    >>> print(printable("a\x1b[2J\n猫.csv"))
    a\x1b[2J\x0a猫.csv
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def one_line(text: str) -> str:
    r"""A sentence that may have been written on several lines, on one; other characters as in `printable`.

    >>> one_line("cannot be read:\n  no image")
    'cannot be read: no image'
    """
    return printable(" ".join(text.split()))


def json_text(value: Any, *, indent: int | None = None) -> str:
    r"""JSON in which letters of all scripts stay readable and no character commands a terminal.

    >>> print(json_text({"key": "猫\x9b2J"}))
    {"key": "猫\u009b2J"}
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def columns(rows: Sequence[Sequence[str]], right: Set[int] = frozenset()) -> list[str]:
    """One line for each row, with the cells aligned; those in the columns `right` end together.

    Wide East Asian characters take two places on a terminal.

    >>> columns([("a", "1"), ("猫", "22")], right={1})
    ['a    1', '猫  22']
    """
    if not rows:
        return []
    table = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = []
        for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
            gap = " " * (width - _width(cell))
            cells.append(gap + cell if index in right else cell + gap)
        lines.append("  ".join(cells).rstrip())
    return lines


def time_text(seconds: float) -> str:
    """A time for people.

    >>> time_text(0.0421), time_text(1.234)
    ('42 ms', '1.23 s')
    """
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def size_text(size_bytes: int) -> str:
    """A size for people: 61.2 MB is 61.2 million bytes.

    >>> size_text(61_234_567)
    '61.2 MB'
    """
    value, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{size_bytes} B" if unit == "B" else f"{value:.1f} {unit}"


def bar_text(done: int, total: int) -> str:
    """A bar of 30 characters and the two numbers.

    >>> bar_text(1, 2)
    '███████████████··············· 1 of 2'
    """
    filled = 30 * done // max(1, total)
    return "█" * filled + "·" * (30 - filled) + f" {done} of {total}"


def coloured(text: str, colour: Literal["red", "green", "yellow"], out: TextIO) -> str:
    """The text in this colour, where `out` is a terminal and NO_COLOR (no-color.org) is not set; else as it is."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not out.isatty():
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


class Progress(Protocol):
    """What a command tells of how far it is."""

    def advance(self, amount: int = 1) -> None:
        """So many more are done."""

    def restart(self, total: int) -> None:
        """Count from zero again, up to `total`."""

    def expect(self, total: int) -> None:
        """There are so many in all: from now on the time that is left can be told."""


class _Silent:
    def advance(self, amount: int = 1) -> None:
        """Nothing is shown."""

    def restart(self, total: int) -> None:
        """Nothing is shown."""

    def expect(self, total: int) -> None:
        """Nothing is shown."""


class _Bar:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def advance(self, amount: int = 1) -> None:
        self._bar.update(amount)

    def restart(self, total: int) -> None:
        self._bar.reset(total=total)

    def expect(self, total: int) -> None:
        self._bar.total = total
        self._bar.refresh()


@contextmanager
def progress(
    label: str, *, unit: str, total: int | None = None, divisor: int = 1000, stays: bool = True
) -> Iterator[Progress]:
    """A bar on standard error while the block runs, if that is a terminal and tqdm is installed; else nothing.

    `divisor` is 1000, or 1024 for bytes. With `stays` the finished bar is left on the screen.
    """
    if not sys.stderr.isatty():
        yield _Silent()
        return
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:  # a function's image has none
        yield _Silent()
        return
    with tqdm(
        desc=printable(label),
        total=total,
        unit=unit,
        unit_scale=True,
        unit_divisor=divisor,
        leave=stays,
        file=sys.stderr,
    ) as bar:
        yield _Bar(bar)


def counted(chunks: Iterable[bytes], count: Callable[[int], None]) -> Iterator[bytes]:
    """The chunks; `count`, such as the `advance` of a `Progress`, is told the size of each."""
    for chunk in chunks:
        count(len(chunk))
        yield chunk


def set_up_log_lines(level: str) -> None:
    """Log to standard error in lines for people, not as JSON; raises `ConfigError` for an unknown level."""
    if level not in _LEVELS:
        raise ConfigError(f"LOG_LEVEL={level!r}: expected {', '.join(_LEVELS[:-1])} or {_LEVELS[-1]}")
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


class LineFormatter(logging.Formatter):
    """Only a stack trace has lines of its own; they are indented, so that none looks like a log line.

    `given` says which fields of a record are added as `name=value`.
    """

    def __init__(self, given: Callable[[logging.LogRecord], Mapping[str, object]] | None = None) -> None:
        super().__init__("%(asctime)s  %(levelname)s  %(message)s", datefmt="%H:%M:%S")
        self._given = given

    def format(self, record: logging.LogRecord) -> str:
        shown = copy.copy(record)
        fields = self._given(record) if self._given else {}
        words = [record.getMessage(), *(f"{name}={value}" for name, value in fields.items() if value != "")]
        shown.msg, shown.args = "  ".join(map(printable, words)), None
        shown.exc_text = None  # another formatter may have kept its own
        line, *trace = super().format(shown).split("\n")
        return "\n".join([line, *(f"  {printable(each)}" for each in trace)])


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _width(text: str) -> int:
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
