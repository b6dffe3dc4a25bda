"""What `penstock demo` prints."""

import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TextIO

from penstock.local.functions.crashes import Crash
from penstock.terminal import bar_text, coloured, columns, one_line, printable, size_text, time_text
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


class DemoReport:
    """Plain text, aligned; colour and a moving line only on a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty()
        self._traces: set[str] = set()
        self._rows: list[Row] = []
        self._checked: list[dict[str, str]] = []

    def line(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def opening(self, stack: "Stack", rows: int) -> None:
        self.line(f"{rows:,} donors and eight photographs walk into a bucket.\n")
        self.line(f"  console  {stack.console_url}")
        self.line(f"  store    {stack.lake.settings.endpoint}")
        self.line(f"  asleep   {', '.join(route.name for route in stack.router.routes)}: zero processes\n")

    def uploaded(self, ref: ObjectRef, size: int, seconds: float, prefix: str) -> None:
        self.line(f"  up  {_short(ref, prefix)}  {size_text(size)} in {seconds:.1f} s")

    def progress(self, done: int, all_of_them: int) -> None:
        if self._live:
            print(f"\r  {bar_text(done, all_of_them)}", end="", file=self._out, flush=True)

    def progress_done(self) -> None:
        if self._live:
            print(
                "\r" + " " * min(60, shutil.get_terminal_size().columns - 1) + "\r", end="", file=self._out, flush=True
            )

    def crashed(self, crash: Crash) -> None:
        """Print the stack trace of an unexpected error, that of each place in the code once."""
        if crash.trace in self._traces:
            return
        self._traces.add(crash.trace)
        self.progress_done()
        trace = "\n".join(f"    {printable(line)}" for line in crash.trace.rstrip().split("\n"))
        self.line(f"  {crash.function}: an unexpected error, which is tried again:\n{trace}")

    def document(self, problems: Sequence[str]) -> dict[str, Any]:
        """What was shown, ready for JSON: sizes in bytes, times in seconds."""
        return {
            "ok": not problems,
            "objects": [asdict(row) | {"source": str(row.source)} for row in self._rows],
            "checked": list(self._checked),
            "problems": list(problems),
        }

    def table(self, rows: Iterable[Row], prefix: str) -> None:
        self._rows = list(rows)
        lines = [
            (
                _short(row.source, prefix),
                row.function,
                "cold" if row.cold else "warm",
                time_text(row.seconds),
                size_text(row.bytes_in),
                size_text(row.bytes_out),
            )
            for row in self._rows
        ]
        for text in columns([("object", "function", "start", "time", "size in", "size out"), *lines], right={3, 4, 5}):
            self.line(f"  {text}")
        self.line("")

    def checked(self, target: ObjectRef, function: str, seen: str, prefix: str) -> None:
        self._checked.append({"object": str(target), "function": function, "seen": seen})
        self.line(f"  {self._green('ok')}  {_short(target, prefix)}  {function}: {printable(seen)}")

    def asleep(self, count: int) -> None:
        self.line(f"\n  All {count} functions are back at zero: nothing runs until the next object comes.")

    def verdict(self, problems: Sequence[str]) -> None:
        if problems:
            self.line(f"\n{len(problems)} {'thing' if len(problems) == 1 else 'things'} went wrong:")
            for problem in problems:
                self.line(f"  {one_line(problem)}")
        else:
            self.line("  Every output was read back and is right.")

    def where_to_look(self, stack: "Stack", *, stays: bool) -> None:
        """The last lines: where the objects are, before and after."""
        if stays:
            self.line(f"\n  The objects, before and after: {stack.console_url}\n  Ctrl+C stops the stack.")
        else:
            # `make demo` starts the program by its path, and has put nothing on the user's.
            program = sys.argv[0] if shutil.which("penstock") is None and "/" in sys.argv[0] else "penstock"
            self.line(f"\n  To see the objects, before and after, on a page: {printable(program)} demo --open")

    def _green(self, text: str) -> str:
        return coloured(text, "green", self._out)


def _short(ref: ObjectRef, prefix: str) -> str:
    return printable(f"{ref.bucket}/{ref.key.removeprefix(prefix)}")
