"""A user's function: its folder loaded as a package, its hooks found by name, its options checked."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.config import Config
from penstock.errors import ConfigError, EventError
from penstock.options import NoOptions, parse_options
from penstock.types import Context, Event, Result


@dataclass(frozen=True, slots=True)
class Function:
    """A loaded handler. `renditions` maps each output's name to its options; one unnamed output has the name None."""

    name: str
    handle: Callable[[Event[Any], Context[Any]], Result]
    options_type: type[Any]
    renditions: Mapping[str | None, Any]
    start: Callable[[Config], None] | None = None
    stop: Callable[[], None] | None = None
    ready: Callable[[], bool] | None = None
    query: Callable[[Mapping[str, str], Any], Mapping[str, Any] | None] | None = None


def make_function(module: Any, config: Config) -> Function:
    """Find a module's handler and hooks and check the configured options against its `Options`.

    Raises `ConfigError` with every problem found.
    """
    handle = getattr(module, "handle", None)
    if not callable(handle):
        raise ConfigError(f"{module.__name__}: has no function handle(event, context)")
    options_type = getattr(module, "Options", NoOptions)
    if not is_dataclass(options_type):
        raise ConfigError(f"{module.__name__}: Options must be a frozen dataclass")
    problems: list[str] = []
    renditions: dict[str | None, Any] = {}
    try:
        base = parse_options(options_type, config.options)
    except EventError as exc:
        raise ConfigError(f"OPTION_ settings: {exc}") from exc
    for name, given in config.renditions.items():
        try:
            renditions[name] = parse_options(options_type, given, base)
        except EventError as exc:
            problems.append(f"RENDITIONS: {name}: {exc}")
    if problems:
        raise ConfigError(*problems)
    return Function(
        config.function,
        handle,
        options_type,
        renditions or {None: base},
        **{hook: getattr(module, hook, None) for hook in ("start", "stop", "ready", "query")},
    )


def load_module(folder: Path) -> ModuleType:
    """Import `handler.py` from a function's folder, as a package, so that it can import its neighbours.

    Raises `ConfigError` when there is no handler or it cannot be imported.
    """
    path = folder / "handler.py"
    if not path.is_file():
        raise ConfigError(f"{folder}: no handler.py there; `penstock new NAME` makes a starter")
    package = f"penstock_functions_{folder.resolve().name}".replace("-", "_")
    if package not in sys.modules:
        spec = importlib.util.spec_from_loader(package, loader=None, is_package=True)
        if spec is None:
            raise ConfigError(f"{folder}: cannot be loaded as a package")
        parent = importlib.util.module_from_spec(spec)
        parent.__path__ = [str(folder.resolve())]
        sys.modules[package] = parent
    try:
        return importlib.import_module(f"{package}.handler")
    except ImportError as exc:
        raise ConfigError(
            f"{path}: {exc}; install what it needs: pip install -r {folder / 'requirements.txt'}"
        ) from exc
