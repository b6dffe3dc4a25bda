"""`penstock serve FOLDER`: one function over HTTP, exactly as its image serves it.

The settings are checked before the fork. Clients and handlers are made after it, because their threads would not
survive it.
"""

import argparse
import gc
import os
from collections.abc import Mapping, Sequence
from functools import partial

from penstock.commands.flags import add_function_flags, new_parser, whole
from penstock.errors import ConfigError
from penstock.process.log import say_problems, set_up_logging
from penstock.process.ports import port_problem
from penstock.serving.wiring import make_served_runtime, problems_of_handler, read_settings
from penstock.settings.environment import read_config
from penstock.settings.table import PORT
from penstock.sinks.wiring import contradictions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_function_flags(parser, "folder")
    parser.add_argument(
        "--port", type=whole, metavar="PORT", help=f"port to listen on (default: PORT, else {PORT.default})"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="HOST",
        help="address to listen on; 0.0.0.0 is all addresses, as in images. With an address of this machine alone, web "
        "pages of other servers are refused (default: %(default)s)",
    )


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Serve one function until SIGTERM or Ctrl+C; returns the exit code, 78 for a configuration that cannot work."""
    set_up_logging("INFO")
    try:
        settings = read_settings(args.folder, env, args.stack)
    except ConfigError as exc:
        return say_problems(exc.problems)
    if args.port is not None:
        settings["PORT"] = str(args.port)
    config, problems = read_config(settings, function=args.folder.resolve().name)
    problems += contradictions(config, has_store=bool(settings.get("MINIO_ENDPOINT")))
    if not problems:
        problems += port_problem(args.host, config.port)
    if problems:
        gc.enable()  # penstock/serve.py disables it, and the handler is not ours
        # It will not start, so its handler may be loaded here: what is wrong with the options is said with the rest.
        return say_problems([*problems, *problems_of_handler(args.folder, config)])
    # What these imports make stays: to look for garbage among it would take a tenth of a start. Frozen, it is not
    # looked at later either, so the workers go on sharing it.
    gc.disable()
    from penstock.serving.gunicorn import run_server
    from penstock.serving.server import FunctionServer

    if config.workers > 1:  # one alone would share nothing, and write to pages that the first process then keeps
        import penstock.serving.app  # noqa: F401 - for the workers
    gc.freeze()
    gc.enable()
    return run_server(FunctionServer(config, args.host, partial(make_served_runtime, args.folder, config)))


def main(argv: Sequence[str] | None = None) -> int:
    parser = new_parser("serve", "serve one function over HTTP")
    add_arguments(parser)
    return run(parser.parse_args(argv))
