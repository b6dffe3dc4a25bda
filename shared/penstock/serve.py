"""One function as a server: `python -m penstock.serve FOLDER`, in the image and on a desk alike.

gunicorn speaks both platforms' contracts itself, so there is no watchdog in between. Modules are imported before
the fork and shared by it; clients and handlers are made after it, since their threads would not survive.
"""

import argparse
import logging
import os
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from penstock.app import Health, create_app
from penstock.config import Config, load_config, read_config
from penstock.errors import ConfigError
from penstock.function import load_module, make_function
from penstock.log import JsonFormatter, set_up_logging
from penstock.metrics import Metrics
from penstock.runtime import Runtime
from penstock.sinks.wiring import contradictions, make_sink
from penstock.store import Store
from penstock.visit import Parts


def function_folder(text: str) -> Path:
    """The folder that a command line names: a path, or the name of a function under ./functions."""
    named = Path("functions", text)
    return named if not Path(text, "handler.py").is_file() and named.is_dir() else Path(text)


def function_config(folder: Path, env: Mapping[str, str], stack: Path | None) -> Config:
    """The settings of the function in `folder`: what `stack` says of it, under what `env` says.

    Raises `ConfigError` with every problem found.
    """
    return load_config(_settings(folder, env, stack), function=folder.resolve().name)


def _settings(folder: Path, env: Mapping[str, str], stack: Path | None) -> dict[str, str]:
    settings = dict(env)
    if stack is not None:
        from penstock.stackfile import load_stack

        for spec in load_stack(stack, env).functions.values():
            if spec.handler == folder.resolve():
                settings = {"FUNCTION_NAME": spec.name, **spec.environment, **settings}
    return settings


def make_runtime(folder: Path, config: Config, store: Store | None = None) -> Runtime:
    """Wire one function: handler, store, sink. Raises `ConfigError` with every problem found."""
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


class JsonLog(Logger):  # type: ignore[misc]
    """gunicorn's own messages in the form of all others."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonFormatter())


class Worker(ThreadWorker):  # type: ignore[misc]
    """A threaded worker that can report "not ready" for a while before it stops to accept."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """On SIGTERM: not ready at once; stop accepting after DRAIN_SECONDS; finish what is in flight."""
        server: Server = self.app
        if server.health is not None:
            server.health.draining = True
        seconds = server.config.drain_seconds
        if seconds <= 0 or not self.alive:
            super().handle_exit(sig, frame)
            return
        timer = threading.Timer(seconds, super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with settings from `Config` instead of files and arguments."""

    def __init__(self, folder: Path, config: Config, host: str) -> None:
        self.folder = folder
        self.config = config
        self.host = host
        self.health: Health | None = None
        self.runtime: Runtime | None = None
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": f"{self.host}:{self.config.port}",
            "workers": self.config.workers,
            "worker_class": "penstock.serve.Worker",
            "threads": self.config.threads,
            "timeout": 0,  # long objects are normal; the platforms have their own limits
            "graceful_timeout": int(self.config.drain_seconds) + self.config.grace_seconds,
            "keepalive": 75,  # longer than the gateways keep an idle connection, so that they close it first
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
            "control_socket_disable": True,
            "proc_name": f"penstock {self.config.function}",
            "loglevel": "warning",
            "accesslog": None,
            "logger_class": "penstock.serve.JsonLog",
            "worker_exit": self.stop,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called in each worker, after the fork."""
        set_up_logging(self.config.log_level)
        try:
            self.runtime = make_runtime(self.folder, self.config)
        except ConfigError as exc:
            _say(exc.problems)
            sys.exit(Arbiter.APP_LOAD_ERROR)
        self.health = Health(self.runtime)
        return create_app(self.runtime, self.health, Metrics(self.config.function))

    def stop(self, _arbiter: Arbiter, _worker: Worker) -> None:
        """Called in each worker as the last thing: the handler's own `stop`."""
        if self.runtime is not None and self.runtime.parts.function.stop is not None:
            self.runtime.parts.function.stop()


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
        return _say(exc.problems)
    if args.port is not None:
        settings["PORT"] = str(args.port)
    config, problems = read_config(settings, function=args.folder.resolve().name)
    problems += contradictions(config, has_store=bool(settings.get("MINIO_ENDPOINT")))
    if not problems:
        problems += _port_problem(args.host, config.port)
    if problems:
        # It will not start, so its handler may be loaded here: what is wrong with the options is said with the rest.
        return _say([*problems, *_problems_of_handler(args.folder, config)])
    return run_server(Server(args.folder, config, args.host))


def _problems_of_handler(folder: Path, config: Config) -> Sequence[str]:
    try:
        make_function(load_module(folder), config)
    except ConfigError as exc:
        return exc.problems
    return ()


def _port_problem(host: str, port: int) -> list[str]:
    """gunicorn would try five times, a second apart, and then not say what to do."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as exc:
        return [f"{host}:{port}: {os.strerror(exc.errno or 0)}: choose another port with PORT or --port"]
    return []


def _say(problems: Sequence[str]) -> int:
    """Log each problem; returns the exit code of a configuration that cannot work."""
    for problem in problems:
        logging.getLogger("penstock.serve").error("%s", problem)
    return ConfigError.exit_code


def run_server(server: BaseApplication) -> int:
    """Run gunicorn until it is told to stop; returns the exit code, 78 for an application that cannot be loaded."""
    master = os.getpid()
    try:
        server.run()
    except SystemExit as exc:
        # A forked worker leaves through here too. Only gunicorn's own code tells its master that another one would
        # fail in the same way; with any other it forks for ever.
        if os.getpid() != master:
            raise
        return ConfigError.exit_code if exc.code == Arbiter.APP_LOAD_ERROR else int(exc.code or 0)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="penstock serve", description="Serve one function over HTTP.")
    add_arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
