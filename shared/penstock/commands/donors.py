"""`penstock donors`: write a CSV file of made-up donors."""

import argparse
import errno
import sys
from pathlib import Path

from penstock.commands.flags import row_count, whole
from penstock.commands.output_file import add_force_flag, refuse_to_lose
from penstock.errors import is_full
from penstock.local.demo.donors import DEFAULT_ROWS, donor_chunks, write_donors
from penstock.terminal import printable, progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` reads: `--rows`, `--seed` and `--output`."""
    parser.add_argument(
        "--rows",
        type=row_count,
        default=DEFAULT_ROWS,
        metavar="N",
        help="rows after the header (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole, default=0, metavar="N", help="same seed, same file, on any machine (default: %(default)s)"
    )
    parser.add_argument(
        "-o",
        "--output",
        default="donors.csv",
        metavar="FILE",
        help="file to write, - for standard output (default: %(default)s)",
    )
    add_force_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file that the options ask for; return the exit code.

    0 when it is written; 2 when it cannot be written, with the reason on standard error; 130 after Ctrl+C, when no
    partial file is left. Raises `BrokenPipeError` when the reader of standard output has gone, and `ConfigError` for a
    file of the user in the way.
    """
    output: str = args.output
    target = sys.stdout.buffer if output == "-" else Path(output)
    if isinstance(target, Path):
        # The same command may be typed again. The header alone may stand in a file of the user.
        refuse_to_lose(target, force=args.force, own=next(donor_chunks(1, seed=args.seed)))
    try:
        with progress("", unit="row", total=args.rows, stays=False) as bar:
            size_bytes = write_donors(target, args.rows, args.seed, bar.advance)
            if output == "-":
                sys.stdout.buffer.flush()
    except KeyboardInterrupt:
        left = "" if output == "-" else printable(f", {output} is not written")
        print(f"penstock donors: interrupted{left}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise
    except OSError as exc:
        print(printable(f"penstock donors: {output}: {exc.strerror or exc}; {_remedy(exc)}"), file=sys.stderr)
        return 2
    if output != "-":
        print(printable(f"{output}: {args.rows:,} donors, {size_bytes / 1e6:.1f} MB"))
    return 0


def _remedy(exc: OSError) -> str:
    if exc.errno == errno.ENOENT:
        return "create the directory first, or name another file with --output"
    if exc.errno == errno.EISDIR:
        return "name a file in it with --output"
    if is_full(exc):
        return "free some space, or ask for fewer --rows"
    return "name a file you may write with --output"
