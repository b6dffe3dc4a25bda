"""`penstock demo`: a million donors and eight photographs through all three functions, every output read back."""

import argparse
import contextlib
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

from penstock.commands.flags import row_count, seconds, whole
from penstock.commands.local_stack import add_local_stack_flags, local_stack_options
from penstock.local.demo.demo import Demo, DemoOptions
from penstock.local.demo.donors import DEFAULT_ROWS
from penstock.local.demo.report import DemoReport
from penstock.local.project import shipped_stack_file
from penstock.local.running import raise_file_limit, running
from penstock.process.signals import end_on_sigterm, stop_on_signals
from penstock.terminal import json_text, set_up_log_lines

_ZERO_AFTER_SECONDS: Final = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_local_stack_flags(parser, port_of_gateway=0, port_of_store=0)
    parser.add_argument(
        "--rows", type=row_count, default=DEFAULT_ROWS, metavar="N", help="donors to make (default: %(default)s)"
    )
    parser.add_argument("--seed", type=whole, default=0, metavar="N", help="which donors (default: %(default)s)")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=300.0,
        metavar="SECONDS",
        help="how long to wait for results (default: %(default)g)",
    )
    parser.add_argument("--keep", action="store_true", help="leave the demo's objects on a real MinIO server")
    parser.add_argument(
        "--open", action="store_true", help="then show the console in the browser, until Ctrl+C; implies --keep"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the results as one JSON object; the lines go to standard error"
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 when every output is right, 1 when one is missing, wrong or was refused."""
    set_up_log_lines(os.environ.get("LOG_LEVEL", "ERROR").upper())
    raise_file_limit()
    end_on_sigterm()
    if args.zero_after is None:
        args.zero_after = _ZERO_AFTER_SECONDS
    if args.stack == Path("stack.yml") and not args.stack.exists():
        args.stack = shipped_stack_file() or args.stack  # an empty folder: the project that came with the package
    report = DemoReport(sys.stderr if args.json else sys.stdout)
    with contextlib.ExitStack() as held:
        data = args.data or _temporary_folder(held)
        with running(local_stack_options(args, data)) as stack:
            problems = Demo(
                stack, report, DemoOptions(args.rows, args.seed, args.timeout, args.keep or args.open)
            ).run()
            report.verdict(problems)
            report.where_to_look(stack, stays=args.open)
            if args.json:
                print(json_text(report.document(problems), indent=2), flush=True)
            if args.open:
                _show(stack.console_url)
    if problems:
        where = f"are in {data}" if args.data else "are gone; --data FOLDER keeps those of the next run"
        print(f"logs and inbox {where}", file=sys.stderr)
        return 1
    return 0


def _show(url: str) -> None:
    """Open the address in the user's browser and wait for SIGINT or SIGTERM."""
    import webbrowser

    stopped = threading.Event()
    stop_on_signals(stopped.set)
    webbrowser.open(url)
    stopped.wait()


def _temporary_folder(held: contextlib.ExitStack) -> Path:
    """A folder that goes with `held` in any case; a function's log may still be written then."""
    return Path(held.enter_context(tempfile.TemporaryDirectory(prefix="penstock-demo-", ignore_cleanup_errors=True)))
