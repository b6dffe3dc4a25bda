"""`penstock up`: the whole lake on this machine, until Ctrl+C."""

import argparse
import contextlib
import logging
import os
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from penstock.errors import ConfigError
from penstock.local.demo.report import duration, human
from penstock.local.gateway.invocations import Invocation
from penstock.local.stack import Stack, StackOptions
from penstock.local.store.minio import RealMinio
from penstock.process.signals import end_on_sigterm, stop_on_signals
from penstock.settings.durations import duration_argument
from penstock.settings.environment import read_secret_file

DEFAULT_DATA = ".penstock"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_stack_arguments(parser, port=8080, store_port=9000)
    parser.add_argument("--password-file", type=Path, help="ask for the user admin and the password in this file")
    parser.add_argument(
        "--no-password",
        action="store_true",
        help="any program of this machine may deploy and read objects",
    )
    parser.add_argument("--fresh", action="store_true", help="forget objects, index, events and logs of earlier runs")
    parser.add_argument("--quiet", action="store_true", help="do not print a line for each invocation")


def add_stack_arguments(parser: argparse.ArgumentParser, *, port: int, store_port: int) -> None:
    """What every command that runs a stack takes; port 0 is any free one."""
    parser.add_argument("--stack", type=Path, default=Path("stack.yml"), help="the stack file (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=port, help="port of gateway and console (default: %(default)s)")
    parser.add_argument(
        "--store-port", type=_port, default=store_port, help="port of the embedded object store (default: %(default)s)"
    )
    parser.add_argument("--data", type=Path, help=f"folder for inbox, index and logs (default: {DEFAULT_DATA})")
    parser.add_argument(
        "--zero-after", type=duration_argument, help="stop idle functions after this long, for example 30s"
    )
    parser.add_argument("--minio-queue-dir", default="", help="folder where a real MinIO server keeps its events")
    parser.add_argument("--events-url", default="", help="URL of this stack's /events as a real MinIO server sees it")


def run(args: argparse.Namespace) -> int:
    """Run the stack until SIGINT or SIGTERM; returns 0, or 78 for what cannot work."""
    set_up_terminal(os.environ.get("LOG_LEVEL", "WARNING").upper())
    raise_file_limit()
    end_on_sigterm()
    if args.no_password and args.password_file:
        raise ConfigError("--no-password and --password-file: give one of them")
    password = "" if args.no_password else _password(args.password_file) if args.password_file else None
    data = args.data or Path(DEFAULT_DATA)
    stopped = threading.Event()
    with running(options_from(args, data, password=password)) as stack:
        print(_banner(stack), flush=True)
        if not args.quiet:
            stack.invocations.listen(lambda invocation: print(invocation_line(invocation), flush=True))
        stop_on_signals(stopped.set)
        stopped.wait()
        print("\nstopping ...", flush=True)
    return 0


def options_from(args: argparse.Namespace, data: Path, *, password: str | None = None) -> StackOptions:
    """The arguments of `add_stack_arguments` as options."""
    return StackOptions(
        stack_file=args.stack,
        data=data,
        env=os.environ,
        port=args.port,
        store_port=args.store_port,
        zero_after_seconds=args.zero_after,
        password=password,
        queue_dir=args.minio_queue_dir,
        events_url=args.events_url,
        fresh=getattr(args, "fresh", False),
    )


@contextlib.contextmanager
def running(options: StackOptions) -> Iterator[Stack]:
    """A stack that runs inside the block; raises `ConfigError`."""
    before = os.umask(0o077)  # logs, inbox and objects are for their owner only
    try:
        stack = Stack(options)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
    finally:
        os.umask(before)


def set_up_terminal(level: str) -> None:
    """Log lines for people; a function's own log stays JSON, in its file. Raises `ConfigError` for an unknown level."""
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ConfigError(f"LOG_LEVEL={level!r}: expected DEBUG, INFO, WARNING or ERROR")
    logging.basicConfig(level=level, format="%(asctime)s  %(levelname)s  %(message)s", datefmt="%H:%M:%S", force=True)


def raise_file_limit() -> None:
    """The embedded store keeps a file open for each large object."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))


def invocation_line(invocation: Invocation) -> str:
    """One invocation for people: what was done to what, how long it took, how large it was and became.

    >>> invocation_line(Invocation("resize", "POST", "/?width=80", 200, True, 0.5, 2000, 1000, "id", finished=0))[10:]
    'resize  POST /?width=80  200  cold  500 ms  2.0 kB -> 1.0 kB'
    """
    answer = invocation.answer or {}
    source, targets = answer.get("source") or {}, answer.get("targets") or []
    what = f"{source['bucket']}/{source['key']}" if source else f"{invocation.method} {invocation.path}"
    bytes_in = source.get("size", invocation.bytes_in)
    bytes_out = sum(target.get("size", 0) for target in targets) if answer else invocation.bytes_out
    parts = [
        time.strftime("%H:%M:%S", time.localtime(invocation.finished)),
        invocation.function,
        what,
        str(answer.get("outcome", invocation.status)),
        "cold" if invocation.cold else "warm",
        duration(invocation.seconds),
        f"{human(bytes_in)} -> {human(bytes_out)}",
        *([str(answer["reason"])] if answer.get("reason") else []),
    ]
    return "  ".join(parts)


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
        f"  console   {stack.url}/ui/{_login(stack)}",
        f"  gateway   {stack.url}    ({_gateway_hint(stack)})",
        f"  store     {settings.endpoint}    ({store})",
    ]
    if not real:
        lines.append(f"            access key {settings.access_key}, secret key {settings.secret_key}")
    lines += ["", "  function   takes                    gives"]
    for route in stack.router.routes:
        takes = " ".join(str(rule) for rule in route.config.sources) or "requests"
        lines.append(f"  {route.name:<10} {takes:<24} {route.config.sink or 'the answer'}")
    return "\n".join(lines)


def _login(stack: Stack) -> str:
    """What opens the console at once: the page keeps the login in a cookie, and the address loses the password."""
    return f"?password={quote(stack.password, safe='')}" if stack.password else ""


def _gateway_hint(stack: Stack) -> str:
    if not stack.password:
        return f"faas-cli list --gateway {stack.url}; no password: every program of this machine may deploy"
    return f"faas-cli login --gateway {stack.url} -u admin --password-stdin < {stack.options.data / 'password'}"


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a port, at most 65535; 0 is any free one")
    return int(text)
