"""Wires one function: its settings, handler, store and sink, for the server, for one object and for `reconcile`.

This is also imported by the process that only watches the workers. So what only a worker runs is imported where it is
used.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import ConfigError
from penstock.settings.config import Config
from penstock.settings.environment import read_config
from penstock.sinks.wiring import contradictions, make_sink
from penstock.store import Store

if TYPE_CHECKING:
    from penstock.process.tracing import Tracer
    from penstock.runtime.runtime import Runtime


def function_folder(text: str) -> Path:
    """The folder that a command line names: a path, or the name of a function under ./functions."""
    named = Path("functions", text)
    return named if not Path(text, "handler.py").is_file() and named.is_dir() else Path(text)


def function_config(folder: Path, env: Mapping[str, str], stack: Path | None) -> Config:
    """The settings of the function in `folder`: what `stack` says of it, under what `env` says.

    Raises `ConfigError` with every problem found.
    """
    settings = read_settings(folder, env, stack)
    config, problems = read_config(settings, function=folder.resolve().name)
    if problems:
        # A SINK that is not set may still be named by a flag.
        contradicting = contradictions(config, has_store=bool(settings.get("MINIO_ENDPOINT"))) if config.sink else []
        raise ConfigError(*problems, *contradicting, *problems_of_handler(folder, config))
    return config


def read_settings(folder: Path, env: Mapping[str, str], stack: Path | None) -> dict[str, str]:
    settings = dict(env)
    if stack is not None:
        from penstock.settings.stackfile import load_stack

        for spec in load_stack(stack, env).functions.values():
            if spec.handler == folder.resolve():
                settings = {"FUNCTION_NAME": spec.name, **spec.environment, **settings}
    return settings


def make_served_runtime(folder: Path, config: Config, tracer: "Tracer | None" = None) -> "Runtime":
    """As `make_runtime`, for a server, where DEADLINE_SECONDS limits the time of each object.

    With a `tracer` the requests to the store are steps of a trace.
    """
    return make_runtime(folder, config, _served_store(config, tracer))


def _served_store(config: Config, tracer: "Tracer | None") -> Store | None:
    """The store of a server, None for that of `make_runtime`."""
    if config.store is None or not (config.deadline_seconds or tracer):
        return None
    from penstock.store.deadline import DeadlineStore
    from penstock.store.s3 import S3ObjectStore

    store: Store
    if config.deadline_seconds:
        # The client's own limit ends a request that gives a byte now and then.
        store = DeadlineStore(S3ObjectStore(config.store, request_seconds=config.deadline_seconds))
    else:
        store = S3ObjectStore(config.store)
    if tracer is None:
        return store
    from penstock.store.traced import TracedStore

    return TracedStore(store, tracer)


def make_runtime(folder: Path, config: Config, store: Store | None = None) -> "Runtime":
    """Wire one function: handler, store, sink. Raises `ConfigError` with every problem found."""
    from penstock.handler.loading import load_module, make_function
    from penstock.runtime.runtime import Runtime

    has_store = store is not None or config.store is not None
    if problems := contradictions(config, has_store=has_store):
        raise ConfigError(*problems, *problems_of_handler(folder, config))
    function = make_function(load_module(folder), config)
    if function.assets:
        from penstock.runtime.assets import problems_of_assets

        if problems := problems_of_assets(function, config, has_store=has_store):
            raise ConfigError(*problems)
    if store is None and config.store is not None:
        from penstock.store.s3 import S3ObjectStore

        store = S3ObjectStore(config.store)
    sink = make_sink(config, store)
    if function.start is not None:
        function.start(config)
    offload = find_job = None
    if config.jobs is not None:
        from penstock.jobs.offload import make_finder, make_offload

        offload, find_job = make_offload(function, config), make_finder(function, config)
    return Runtime(function, config, store, sink, offload, find_job)


def make_quiet_runtime(folder: Path, config: Config) -> "Runtime":
    """A runtime to look with: no hook of the handler is called, and no file of a sink is made.

    Raises `ConfigError` with every problem found.
    """
    from penstock.handler.loading import load_module, make_function
    from penstock.runtime.runtime import Runtime
    from penstock.sinks.address import parse_sink
    from penstock.store.s3 import S3ObjectStore

    if problems := contradictions(config, has_store=config.store is not None):
        raise ConfigError(*problems)
    file = parse_sink(config.sink).file if config.sink else None
    if file is not None and not Path(file).is_file():
        raise ConfigError(f"SINK={config.sink!r}: no such file on this machine; ask the function: GET /status")
    store = S3ObjectStore(config.store) if config.store is not None else None
    function, find_job = make_function(load_module(folder), config), None
    if config.jobs is not None:
        from penstock.jobs.offload import make_finder

        find_job = make_finder(function, config)
    return Runtime(function, config, store, make_sink(config, store), find_job=find_job)


def problems_of_handler(folder: Path, config: Config) -> Sequence[str]:
    """What is wrong with the handler and with the options that the settings give it."""
    from penstock.handler.loading import load_module, make_function

    try:
        make_function(load_module(folder), config)
    except ConfigError as exc:
        return exc.problems
    return ()
