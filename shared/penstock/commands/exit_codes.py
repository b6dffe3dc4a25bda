"""The exit codes of every command, once: `penstock help exit-codes` and docs/commands.md print them."""

from collections.abc import Mapping
from typing import Final

from penstock.errors import ConfigError, PenstockError, PermanentError, TemporaryError

# What a shell says of a program that wrote to a pipe that was closed: 128 and the number of SIGPIPE.
READER_GONE: Final = 141
INTERRUPTED: Final = 130
WRONG_USAGE: Final = 2
DIFFERS: Final = 1

EXIT_CODES: Final[Mapping[int, str]] = {
    0: "done",
    DIFFERS: "something differs or does not work: --check, lake plan, doctor, demo; or a question was answered with no",
    WRONG_USAGE: "wrong usage: an unknown command or flag, or a value that the flag does not take",
    PermanentError.exit_code: "refused for good: the same input fails again, or what was named is not there",
    PenstockError.exit_code: "a defect of Penstock; --debug shows where",
    TemporaryError.exit_code: "it may work later: try again",
    ConfigError.exit_code: "a configuration that cannot work; every problem is printed",
    INTERRUPTED: "ended by Ctrl+C",
    READER_GONE: "the program that read the output has gone",
}


def exit_codes_text() -> str:
    """The table for a terminal."""
    return "\n".join(
        ["Exit codes, as in sysexits.h:", "", *(f"  {code:>3}  {text}" for code, text in EXIT_CODES.items())]
    )
