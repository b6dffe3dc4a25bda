"""A user's function: its folder loaded as a package, its hooks found by name, its options checked."""

import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.errors import ConfigError, EventError
from penstock.handler.options import NoOptions, fingerprint, parse_options
from penstock.settings.config import Config
from penstock.types import Context, Event, Result


@dataclass(frozen=True, slots=True)
class Function:
    """A loaded handler. `renditions` maps each output's name to its options, `fingerprints` to what marks say of them.

    A function with one unnamed output has it under the name None.
    """

    name: str
    handle: Callable[[Event[Any], Context[Any]], Result]
    options_type: type[Any]
    renditions: Mapping[str | None, Any]
    fingerprints: Mapping[str | None, str]
    start: Callable[[Config], None] | None = None
    stop: Callable[[], None] | None = None
    ready: Callable[[], bool] | None = None
    query: Callable[[Mapping[str, str], Any], Mapping[str, Any] | None] | None = None


def make_function(module: Any, config: Config) -> Function:
    """Find a module's handler and hooks and check the configured options against its `Options`.

    Raises `ConfigError` with every problem found.
    """
    handle: Any = getattr(module, "handle", None)
    options_type = getattr(module, "Options", NoOptions)
    hooks = {hook: getattr(module, hook, None) for hook in ("start", "stop", "ready", "query")}
    problems = _problems_of(module.__name__, handle, options_type, hooks)
    if problems:
        raise ConfigError(*problems)
    renditions: dict[str | None, Any] = {}
    base = options_type()
    try:
        base = parse_options(options_type, config.options)
    except EventError as exc:
        problems.append(f"OPTION_ settings: {exc}")
    for name, given in config.renditions.items():
        try:
            renditions[name] = parse_options(options_type, given, base)
        except EventError as exc:
            problems.append(f"RENDITIONS: {name}: {exc}")
    if problems:
        raise ConfigError(*problems)
    renditions = renditions or {None: base}
    fingerprints = {name: fingerprint(options) for name, options in renditions.items()}
    return Function(config.function, handle, options_type, renditions, fingerprints, **hooks)


def _problems_of(module: str, handle: object, options_type: Any, hooks: Mapping[str, object]) -> list[str]:
    """What is wrong with a handler's module itself, whatever its settings are."""
    problems = []
    if not callable(handle):
        problems.append(f"{module}: has no function handle(event, context)")
    # The one place where dataclasses keep it; what is no dataclass has no such attribute.
    params = getattr(options_type, "__dataclass_params__", None) if isinstance(options_type, type) else None
    if params is None or not params.frozen:
        problems.append(f"{module}: Options must be a frozen dataclass")
    else:
        problems += [
            f"{module}: Options.{field.name}: has no default; declare it with penstock.option(DEFAULT, HELP)"
            for field in fields(options_type)
            if field.default is MISSING and field.default_factory is MISSING
        ]
    problems += [
        f"{module}: {name} is no function" for name, hook in hooks.items() if not (hook is None or callable(hook))
    ]
    return problems


def load_module(folder: Path) -> ModuleType:
    """Import `handler.py` from a function's folder, as a package, so that it can import its neighbours.

    Raises `ConfigError` when there is no handler or it cannot be imported.
    """
    path = folder / "handler.py"
    if not path.is_file():
        raise ConfigError(f"{folder}: no handler.py there; `penstock new NAME` makes a starter")
    package = _package_name(folder.resolve())
    if package not in sys.modules:
        spec = importlib.util.spec_from_loader(package, loader=None, is_package=True)
        if spec is None:
            raise ConfigError(f"{folder}: cannot be loaded as a package")
        parent = importlib.util.module_from_spec(spec)
        parent.__path__ = [str(folder.resolve())]
        sys.modules[package] = parent
    try:
        return importlib.import_module(f"{package}.handler")
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"{path}: {exc}; install what it needs: pip install -r {folder / 'requirements.txt'}"
        ) from exc
    except Exception as exc:
        own = [frame for frame in traceback.extract_tb(exc.__traceback__) if frame.filename.startswith(str(folder))]
        where = f"{own[-1].filename}, line {own[-1].lineno}" if own else path
        raise ConfigError(f"{where}: cannot be imported: {type(exc).__name__}: {exc}") from exc


def _package_name(folder: Path) -> str:
    """A name for a function's folder: its own, with a number where another folder of that name was loaded before."""
    name = "penstock_functions_" + re.sub(r"\W", "_", folder.name)
    for number in count(2):
        loaded = sys.modules.get(name)
        if loaded is None or list(loaded.__path__) == [str(folder)]:
            break
        name = f"{name.rstrip('0123456789')}{number}"
    return name
