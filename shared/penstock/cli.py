"""The `penstock` command: each word that is typed is a module of `penstock.commands`, imported only when asked for."""

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import TextIO

from penstock.commands.exit_codes import DIFFERS, INTERRUPTED, READER_GONE, WRONG_USAGE, exit_codes_text
from penstock.commands.words import COMMANDS, GROUPS, Command
from penstock.errors import ConfigError, PenstockError, TemporaryError, is_full
from penstock.terminal import printable

DEBUG = "--debug"
# The user has no right to write to the folder: this is not a defect of Penstock.
_MAY_NOT = (errno.EROFS, errno.EACCES, errno.EPERM)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, one of `EXIT_CODES`."""
    _open_standard_streams()
    if argv is None and "_ARGCOMPLETE" in os.environ:
        from penstock.commands.completion import answer_tab

        return answer_tab()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            return _dispatch(words)
        finally:
            sys.stdout.flush()  # a reader that has gone is noticed here, and not when Python ends
    except BrokenPipeError:
        if not _reader_is_gone():
            raise  # the pipe was another one
        _let_go_nowhere(sys.stdout)
        return READER_GONE
    except OSError as exc:
        if not is_full(exc):
            raise
        _let_go_nowhere(sys.stdout)
        place = printable(str(exc.filename or "standard output or a temporary file"))
        _tell(f"penstock: {place}: {exc.strerror}; free some space, and run it again")
        return TemporaryError.exit_code


def _open_standard_streams() -> None:
    """Let a standard stream that the caller closed lead nowhere.

    Else the next file that is opened has its number, and `print(..., file=sys.stderr)` goes to standard output.
    """
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def _let_go_nowhere(stream: TextIO) -> None:
    """Python flushes once more when it ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _tell(text: str) -> None:
    """Say it on standard error; one that cannot be written to changes no exit code."""
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _let_go_nowhere(sys.stderr)


def _dispatch(words: list[str]) -> int:
    words, debug = _without_debug(words)
    if words[:1] == ["help"]:
        if words[1:] == ["exit-codes"]:
            print(exit_codes_text())
            return 0
        words = [*words[1:], "--help"]
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return 0
    if words[0] == "--version":
        from penstock import __version__

        print(f"penstock {__version__}")
        return 0
    command = _find(words)
    if command is None:
        return _refuse(words)
    try:
        # Ctrl+C while the imports last is an end like any other.
        return _run(command, words[len(command.words.split()) :])
    except PenstockError as exc:
        if debug:
            _print_trace()
        for problem in exc.problems if isinstance(exc, ConfigError) else [str(exc)]:
            _tell(f"penstock {command.words}: {printable(problem)}")
        return exc.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as exc:
        if isinstance(exc, BrokenPipeError):  # is judged above
            raise
        if is_of_a_function(exc):
            if debug:
                raise
            _print_functions_trace(exc)
            _tell(f"penstock {command.words}: the function's own code raised it; {DEBUG} shows all")
            return DIFFERS
        if debug:
            _print_trace()
        if is_full(exc):
            raise
        if isinstance(exc, OSError) and exc.filename and exc.errno in _MAY_NOT:
            what = printable(f"{exc.filename}: {exc.strerror}")
            _tell(f"penstock {command.words}: {what}; take another place, or ask for the right to this one")
            return ConfigError.exit_code
        what = printable(f"{type(exc).__name__}: {exc}")
        _tell(f"penstock {command.words}: a defect of Penstock: {what}; {DEBUG} shows where")
        return PenstockError.exit_code


def _run(command: Command, arguments: Sequence[str]) -> int:
    try:
        module = importlib.import_module(command.module)
        from penstock.commands.examples import HELP
        from penstock.commands.flags import new_parser

        parser = new_parser(command.words, command.text, HELP[command.words].text)
        module.add_arguments(parser)
        return int(module.run(parser.parse_args(arguments)))
    except ModuleNotFoundError as exc:
        if not exc.name or exc.name.partition(".")[0] == "penstock" or is_of_a_function(exc):
            raise
        package = f"penstock[{command.extras}]" if command.extras else "penstock"
        raise ConfigError(f"needs {exc.name}; install it with: pip install '{package}'") from exc


def _without_debug(words: list[str]) -> tuple[list[str], bool]:
    """The words without `--debug`, which stands anywhere before a `--`, and whether it was there."""
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != DEBUG]
    return kept + words[end:], len(kept) < end


def _print_trace() -> None:
    import traceback

    print(printable(traceback.format_exc(), keep="\n"), end="", file=sys.stderr)


def _print_functions_trace(exc: Exception) -> None:
    """The trace from the first line of the function's own code on: the calls before it are Penstock's."""
    import traceback

    found = exc.__traceback__
    while found is not None and not _runs_functions_code(found.tb_frame):
        found = found.tb_next
    print(printable("".join(traceback.format_exception(type(exc), exc, found)), keep="\n"), end="", file=sys.stderr)


def _refuse(words: Sequence[str]) -> int:
    """Say what was meant, as near as that can be told; returns the exit code for wrong usage."""
    from penstock.settings.names import nearest

    first = words[0]
    known = [name for name, *_ in COMMANDS]
    if seconds := [name.partition(" ")[2] for name in known if name.startswith(f"{first} ")]:
        second = "".join(words[1:2])
        asked = second in ("-h", "--help")
        usage = f"usage: penstock {first} {{{','.join(seconds)}}} [options]"
        print(usage, file=sys.stdout if asked else sys.stderr)
        if asked:
            commands = [command for command in COMMANDS if command.words.startswith(f"{first} ")]
            more = f"penstock {commands[0].words} --help says more, with examples."
            print("\n".join(["", *_lines_of(commands), "", more]))
            return 0
        typed = "" if second.startswith("-") else second
        near = nearest(typed, seconds)
        which = f"did you mean: penstock {first} {near}" if near else f"say which: {', '.join(seconds)}"
        unknown = f"unknown: '{printable(typed)}'; " if typed else ""
        print(f"penstock {first}: {unknown}{which}", file=sys.stderr)
        return WRONG_USAGE
    both = nearest(" ".join(words[:2]), [name for name in known if " " in name], cutoff=0.8)
    near = both or nearest(first, known) or next((name for name in known if name.endswith(f" {first}")), "")
    hint = f"; did you mean: penstock {near}" if near else "; penstock --help lists all"
    print(f"penstock: unknown command '{printable(first)}'{hint}", file=sys.stderr)
    return WRONG_USAGE


def _find(words: Sequence[str]) -> Command | None:
    for command in COMMANDS:
        parts = command.words.split()
        if list(words[: len(parts)]) == parts:
            return command
    return None


def _lines_of(commands: Iterable[Command]) -> list[str]:
    width = max(len(command.words) for command in COMMANDS)
    return [f"  {command.words:<{width}}  {command.text}" for command in commands]


def _help() -> str:
    lines = []
    for title, commands in GROUPS.items():
        lines += ["", f"{title}:", *_lines_of(commands)]
    return "\n".join(
        [
            "usage: penstock COMMAND [options]",
            *lines,
            "",
            "penstock COMMAND --help says more, with examples. penstock help exit-codes lists the exit codes.",
            f"{DEBUG} with any command shows the trace of an error.",
        ]
    )


def _reader_is_gone() -> bool:
    """Whether nothing reads any more what is printed."""
    import select

    poll = select.poll()
    with contextlib.suppress(OSError, ValueError):
        poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def is_of_a_function(exc: BaseException) -> bool:
    """Whether the code of a user's function raised it, as a package that the function itself needs."""
    import traceback

    return any(_runs_functions_code(frame) for frame, _ in traceback.walk_tb(exc.__traceback__))


def _runs_functions_code(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("penstock_functions_")


if __name__ == "__main__":
    sys.exit(main())
