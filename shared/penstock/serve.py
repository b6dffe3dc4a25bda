"""One function as a server: `python -m penstock.serve FOLDER`, in the image and on a desk alike.

The settings are checked before the fork; clients and handlers are made after it, since their threads would not
survive. What is imported here is also in the process that only watches the workers, so what only a worker runs is
imported where it is used.
"""

import argparse
import errno
import gc
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.config import Config
from penstock.environment import read_config
from penstock.errors import ConfigError
from penstock.log import say_problems, set_up_logging
from penstock.sinks.wiring import contradictions, make_sink
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.runtime import Runtime


def function_folder(text: str) -> Path:
    """The folder that a command line names: a path, or the name of a function under ./functions."""
    named = Path("functions", text)
    return named if not Path(text, "handler.py").is_file() and named.is_dir() else Path(text)


def function_config(folder: Path, env: Mapping[str, str], stack: Path | None) -> Config:
    """The settings of the function in `folder`: what `stack` says of it, under what `env` says.

    Raises `ConfigError` with every problem found.
    """
    settings = _settings(folder, env, stack)
    config, problems = read_config(settings, function=folder.resolve().name)
    if problems:
        # A SINK that is not set may still be named by a flag.
        contradicting = contradictions(config, has_store=bool(settings.get("MINIO_ENDPOINT"))) if config.sink else []
        raise ConfigError(*problems, *contradicting, *problems_of_handler(folder, config))
    return config


def _settings(folder: Path, env: Mapping[str, str], stack: Path | None) -> dict[str, str]:
    settings = dict(env)
    if stack is not None:
        from penstock.stackfile import load_stack

        for spec in load_stack(stack, env).functions.values():
            if spec.handler == folder.resolve():
                settings = {"FUNCTION_NAME": spec.name, **spec.environment, **settings}
    return settings


def make_runtime(folder: Path, config: Config, store: Store | None = None) -> "Runtime":
    """Wire one function: handler, store, sink. Raises `ConfigError` with every problem found."""
    from penstock.function import load_module, make_function
    from penstock.runtime import Runtime
    from penstock.visit import Parts

    has_store = store is not None or config.store is not None
    if problems := contradictions(config, has_store=has_store):
        raise ConfigError(*problems, *problems_of_handler(folder, config))
    function = make_function(load_module(folder), config)
    if store is None and config.store is not None:
        from penstock.store.s3 import S3ObjectStore

        store = S3ObjectStore(config.store)
    sink = make_sink(config, store)
    if function.start is not None:
        function.start(config)
    offload = None
    if config.jobs is not None:
        from penstock.jobs.offload import make_offload

        offload = make_offload(function, config)
    return Runtime(Parts(function, config, store, sink, offload))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument("folder", type=function_folder, help="the function's folder, or its name under ./functions")
    parser.add_argument("--port", type=int, help="port to listen on (default: PORT, else 8080)")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: %(default)s)")
    parser.add_argument("--stack", type=Path, help="take the function's settings from this stack.yml too")


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Serve one function until SIGTERM or Ctrl+C; returns the exit code, 78 for a configuration that cannot work."""
    set_up_logging("INFO")
    try:
        settings = _settings(args.folder, env, args.stack)
    except ConfigError as exc:
        return say_problems(exc.problems)
    if args.port is not None:
        settings["PORT"] = str(args.port)
    config, problems = read_config(settings, function=args.folder.resolve().name)
    problems += contradictions(config, has_store=bool(settings.get("MINIO_ENDPOINT")))
    if not problems:
        problems += port_problem(args.host, config.port)
    if problems:
        # It will not start, so its handler may be loaded here: what is wrong with the options is said with the rest.
        return say_problems([*problems, *problems_of_handler(args.folder, config)])
    # What these imports make stays: to look for garbage among it would take a tenth of a start. Frozen, it is not
    # looked at later either, so the workers go on sharing it.
    gc.disable()
    from penstock.server import Server, import_application, run_server

    if config.workers > 1:  # one alone would share nothing, and write to pages that the first process then keeps
        import_application()
    gc.freeze()
    gc.enable()
    return run_server(Server(config, args.host, partial(make_runtime, args.folder, config)))


def problems_of_handler(folder: Path, config: Config) -> Sequence[str]:
    """What is wrong with the handler and with the options that the settings give it."""
    from penstock.function import load_module, make_function

    try:
        make_function(load_module(folder), config)
    except ConfigError as exc:
        return exc.problems
    return ()


def port_problem(host: str, port: int, *, remedy: str = "PORT or --port") -> list[str]:
    """gunicorn would try five times, a second apart, and then not say what to do."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as exc:
        # Negative ones are getaddrinfo's: the name leads nowhere.
        if (exc.errno or 0) < 0 or exc.errno == errno.EADDRNOTAVAIL:
            return [f"{host}: is no address of this machine; name one that is, or 0.0.0.0 for all"]
        return [f"{host}:{port}: {os.strerror(exc.errno or 0)}: choose another port with {remedy}"]
    return []


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="penstock serve", description="Serve one function over HTTP.")
    add_arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
