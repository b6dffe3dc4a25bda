"""What commands take of a local stack: the flags of those that run one, and the store and inbox of one that runs."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.commands.flags import DEFAULT_DATA, duration, port
from penstock.terminal import printable

if TYPE_CHECKING:
    from penstock.local.stack import StackOptions


def add_local_stack_flags(parser: argparse.ArgumentParser, *, port_of_gateway: int, port_of_store: int) -> None:
    """Add what every command that runs the local stack takes; port 0 is any free one."""
    parser.add_argument(
        "--stack", type=Path, default=Path("stack.yml"), metavar="FILE", help="the stack file (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=port,
        default=port_of_gateway,
        metavar="PORT",
        help="port of gateway and console (default: %(default)s)",
    )
    parser.add_argument(
        "--store-port",
        type=port,
        default=port_of_store,
        metavar="PORT",
        help="port of the object store in this process (default: %(default)s)",
    )
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help=f"folder for inbox, index and logs (default: {DEFAULT_DATA})"
    )
    parser.add_argument(
        "--zero-after",
        type=duration,
        metavar="TIME",
        help="stop idle functions after this long, for example 30s (default: what the stack file says of each)",
    )
    parser.add_argument(
        "--minio-queue-dir", default="", metavar="FOLDER", help="folder where a real MinIO server keeps its events"
    )
    parser.add_argument(
        "--events-url", default="", metavar="URL", help="URL of this stack's /events as a real MinIO server sees it"
    )


def local_stack_options(args: argparse.Namespace, data: Path, *, password: str | None = None) -> "StackOptions":
    """The flags of `add_local_stack_flags` as the options of a stack."""
    from penstock.connect.edition import Edition
    from penstock.local.stack import StackOptions

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
        edition=Edition(getattr(args, "edition", Edition.CE)),
        fresh=getattr(args, "fresh", False),
        reload=getattr(args, "reload", False),
    )


def beside_local_stack(args: argparse.Namespace, env: Mapping[str, str]) -> tuple[Mapping[str, str], Path | None]:
    """The environment and the stack file of a command that runs a function here: `args.stack` where it is given.

    Where the environment names no store and a local stack runs on `args.data`, they are the local stack's, and stderr
    says so.
    """
    # A function's image has neither such a folder nor the package of the local stack.
    if env.get("MINIO_ENDPOINT") or env.get("ENDPOINT") or not args.data.is_dir():
        return env, args.stack
    from penstock.local.address import kept_stack_file, local_environment

    local = local_environment(args.data)
    if not local:
        return env, args.stack
    stack = args.stack or kept_stack_file(args.data)
    _say_local(args.data, local["MINIO_ENDPOINT"])
    return {**env, **local}, stack


def local_inbox(data: Path) -> Path | None:
    """The inbox of the local stack of this folder, also of one that has ended; None where there is none.

    Where there is one, stderr says so.
    """
    if not data.is_dir():
        return None
    from penstock.local.address import inbox_file

    inbox = inbox_file(data)
    if not inbox.is_file():
        return None
    _say_local(data, str(inbox))
    return inbox


def _say_local(data: Path, what: str) -> None:
    print(printable(f"on the local stack of {data}, {what}"), file=sys.stderr)
