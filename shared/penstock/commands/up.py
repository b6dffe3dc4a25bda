"""`penstock up`: the whole lake on this machine, until Ctrl+C."""

import argparse
import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from penstock.commands.flags import DEFAULT_DATA
from penstock.commands.local_stack import add_local_stack_flags, local_stack_options
from penstock.connect.edition import Edition
from penstock.delivery.attempts import NextAttempt
from penstock.errors import ConfigError
from penstock.local.functions.crashes import Crash
from penstock.local.gateway.invocations import Invocation
from penstock.local.reload import Reloaded, Reloader
from penstock.local.running import raise_file_limit, running
from penstock.local.stack import Stack
from penstock.local.store.minio import RealMinio
from penstock.process.signals import end_on_sigterm, stop_on_signals
from penstock.settings.config import rule_texts
from penstock.settings.secrets import read_secret_file
from penstock.terminal import columns, one_line, printable, set_up_log_lines, size_text, time_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_local_stack_flags(parser, port_of_gateway=8080, port_of_store=9000)
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="let the gateway ask for the user admin and the password in this file",
    )
    parser.add_argument(
        "--no-password", action="store_true", help="let any program of this machine deploy and read objects"
    )
    parser.add_argument("--fresh", action="store_true", help="delete objects, index, events and logs of earlier runs")
    parser.add_argument(
        "--edition",
        choices=[each.value for each in Edition],
        default=Edition.CE.value,
        help="the edition of OpenFaaS whose rules the gateway keeps when something is deployed or scaled: "
        "ce, the free one, or pro, the paid ones (default: %(default)s)",
    )
    parser.add_argument(
        "--reload",
        action="store_true",
        help="a handler or stack file that is saved counts for the next event; if it cannot start, the old one stays",
    )
    parser.add_argument("--quiet", action="store_true", help="do not print a line for each invocation")


def run(args: argparse.Namespace) -> int:
    """Run the stack until SIGINT or SIGTERM; returns 0, or 78 for what cannot work."""
    set_up_log_lines(os.environ.get("LOG_LEVEL", "WARNING").upper())
    raise_file_limit()
    end_on_sigterm()
    if args.no_password and args.password_file:
        raise ConfigError("--no-password and --password-file: give one of them")
    password = "" if args.no_password else _password(args.password_file) if args.password_file else None
    data = args.data or Path(DEFAULT_DATA)
    stopped = threading.Event()
    with running(local_stack_options(args, data, password=password)) as stack:
        stop_on_signals(stopped.set)
        # Files are looked at before the banner is read: what is saved right after it counts.
        with reloading(stack) if args.reload else contextlib.nullcontext():
            print(_banner(stack), flush=True)
            if not args.quiet:
                stack.invocations.listen(print_invocation)
                stack.attempts.listen(print_waiting)
            stack.crashes.listen(CrashPrinter())
            stopped.wait()
        print("\nstopping ...", flush=True)
    return 0


@contextlib.contextmanager
def reloading(stack: Stack) -> Iterator[None]:
    """Take up what is saved while the block runs."""
    reloader = Reloader(stack.deployments, print_change)
    reloader.start()
    try:
        yield
    finally:
        reloader.stop()


def print_change(change: Reloaded) -> None:
    """Print what became of something that was saved; any thread may call it."""
    what = "removed: takes no events from now on" if change.gone else "saved: counts from now on"
    if change.problem:
        what = f"not taken up, the old one goes on: {change.problem}"
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {printable(change.name)}  {printable(what)}\n")
    sys.stdout.flush()


def print_invocation(invocation: Invocation) -> None:
    """Print one invocation; any thread may call it."""
    _print(invocation_line(invocation))


def print_waiting(waiting: NextAttempt) -> None:
    """Print that an event is tried again, and when; any thread may call it."""
    now = time.time()
    _print(printable(f"{_clock(now)}  {waiting.function}  {waiting.object}  {waiting.text(now)}"))


class CrashPrinter:
    """Prints the stack trace of each unexpected error; one that comes again is not written out again."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def __call__(self, crash: Crash) -> None:
        """Any thread may call it."""
        head = f"{_clock(time.time())}  {crash.function}  unexpected error {crash.incident}".rstrip()
        if self._last.get(crash.function) == crash.trace:
            _print(printable(f"{head}, the same as before"))
            return
        self._last[crash.function] = crash.trace
        trace = [f"    {printable(line)}" for line in crash.trace.rstrip().split("\n")]
        _print("\n".join([printable(head), *trace, printable(f"    the whole trace: {crash.log}")]))


def _print(text: str) -> None:
    # print() writes the line and its end one after the other, and another thread's line may come in between.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def invocation_line(invocation: Invocation) -> str:
    """One invocation for people: what was done to what, how long it took, how large it was and became.

    >>> invocation_line(Invocation("resize", "POST", "/?width=80", 200, True, 0.5, 2000, 1000, "id", finished=0))[10:]
    'resize  POST /?width=80  200  cold  500 ms  2.0 kB -> 1.0 kB'
    """
    answer = invocation.answer or {}
    source, targets = answer.get("source") or {}, answer.get("targets") or []
    what = f"{source['bucket']}/{source['key']}" if source else f"{invocation.method} {invocation.path}"
    if invocation.is_event:
        sizes = (
            [size_text(source["size"]), size_text(sum(each.get("size", 0) for each in targets))]
            if ("size" in source)
            else []
        )
    else:
        sizes = [size_text(invocation.bytes_in), size_text(invocation.bytes_out)]
    parts = [
        _clock(invocation.finished),
        invocation.function,
        what,
        str(answer.get("outcome", invocation.status)),
        "cold" if invocation.cold else "warm",
        time_text(invocation.seconds),
        *([" -> ".join(sizes)] if sizes else []),
        *([one_line(invocation.why)] if invocation.why else []),
    ]
    return printable("  ".join(parts))


def _password(path: Path) -> str:
    try:
        text = read_secret_file(path, "--password-file")
    except FileNotFoundError:
        raise ConfigError(f"--password-file {path}: no such file") from None
    if not text:
        raise ConfigError(f"--password-file {path}: is empty")
    return text


def _banner(stack: Stack) -> str:
    settings = stack.lake.settings
    real = isinstance(stack.lake, RealMinio)
    store = "your MinIO server" if real else f"in this process; its objects are kept in {stack.options.data}"
    lines = [
        "Penstock is up, on this machine only. Ctrl+C stops it.",
        "",
        f"  console   {stack.console_url}",
        f"  gateway   {stack.url}    ({_gateway_hint(stack)})",
        f"  store     {settings.endpoint}    ({store})",
    ]
    if not real:
        lines.append(f"            access key {settings.access_key}, secret key {settings.secret_key}")
    rows = [("function", "takes", "gives")]
    for route in stack.router.routes:
        takes = " ".join(rule_texts(route.config.sources)) or "requests"
        rows.append((route.name, takes, route.config.sink or "the answer"))
    return "\n".join([*lines, "", *(f"  {line}" for line in columns(rows))])


def _gateway_hint(stack: Stack) -> str:
    if not stack.password:
        return f"faas-cli list --gateway {stack.url}; no password: every program of this machine may deploy"
    return f"faas-cli login --gateway {stack.url} -u admin --password-stdin < {stack.options.data / 'password'}"
