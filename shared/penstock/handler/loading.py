"""A user's function: its folder is loaded as a package, its hooks are found by name, its options are checked."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

from penstock.errors import ConfigError, EventError
from penstock.handler.hooks import HANDLE, OPTIONS, find_hooks, problems_of_hooks
from penstock.handler.options import (
    NoOptions,
    assets_of,
    fingerprint,
    parse_options,
    problems_of_declared,
    problems_of_open,
)
from penstock.handler.results import Handle, checked
from penstock.settings.config import Config
from penstock.types import ObjectRef


class Function(NamedTuple):
    """A loaded handler with its hooks (penstock/handler/hooks.py says when each is called).

    `handle` raises `HandlerError` for a result that is not one. `renditions` maps each output's name to its options,
    `fingerprints` to what marks say of them, `assets` to the objects that they name, by option. A function with one
    unnamed output has it under the name None.
    """

    name: str
    handle: Handle
    options_type: type[Any]
    renditions: Mapping[str | None, Any]
    fingerprints: Mapping[str | None, str]
    start: Callable[[Config], None] | None = None
    stop: Callable[[], None] | None = None
    ready: Callable[[], bool] | None = None
    query: Callable[[Mapping[str, str], Any], Mapping[str, Any] | None] | None = None
    target_suffix: Callable[[Any], str] | None = None
    assets: Mapping[str | None, Mapping[str, ObjectRef]] = MappingProxyType({})

    def rendition_named(self, asked: str | None) -> str | None:
        """The rendition of this name, without one the first; raises `EventError` for an unknown name."""
        rendition = asked or next(iter(self.renditions))
        if rendition in self.renditions:
            return rendition
        known = ", ".join(str(each) for each in self.renditions if each) or "none; set RENDITIONS"
        raise EventError(f"rendition {str(rendition)[:80]!r} is unknown; {self.name} has: {known}")


def make_function(module: Any, config: Config) -> Function:
    """Find a module's handler and hooks and check the configured options against its `Options`.

    Raises `ConfigError` with every problem found.
    """
    hooks = find_hooks(module)
    options_type = getattr(module, OPTIONS, NoOptions)
    name = _told_name(module)
    problems = problems_of_hooks(name, hooks) + _problems_of_options(name, options_type)
    if problems:
        raise ConfigError(*problems)
    renditions: dict[str | None, Any] = {}
    try:
        base = options_type()
    except Exception as exc:
        raise ConfigError(f"{name}: Options: the defaults do not go together: {exc}") from exc
    if problems := problems_of_declared(base):
        raise ConfigError(*(f"{name}: {problem}" for problem in problems))
    try:
        base = parse_options(options_type, config.options)
    except EventError as exc:
        problems.append(f"OPTION_ settings: {exc}")
    for rendition, given in config.renditions.items():
        try:
            renditions[rendition] = parse_options(options_type, given, base)
        except EventError as exc:
            problems.append(f"RENDITIONS: {rendition}: {exc}")
    problems += [f"OPEN_OPTIONS: {problem}" for problem in problems_of_open(options_type, config.open_options)]
    if problems:
        raise ConfigError(*problems)
    renditions = renditions or {None: base}
    fingerprints = {rendition: fingerprint(options) for rendition, options in renditions.items()}
    handle = checked(hooks.pop(HANDLE.name), partial(_explain, module))
    assets = {rendition: named for rendition, options in renditions.items() if (named := assets_of(options))}
    return Function(config.function, handle, options_type, renditions, fingerprints, assets=assets, **hooks)


def _told_name(module: Any) -> str:
    """What the author calls the module: its file. The name under which it is loaded is Penstock's own."""
    return getattr(module, "__file__", None) or str(module.__name__)


def _explain(module: Any, exc: Exception) -> str:
    """What to write for a name that the handler did not find while it ran, or ""."""
    from penstock.handler.imports import explain_call

    file, package = getattr(module, "__file__", None), getattr(module, "__package__", None)
    return explain_call(exc, Path(file).parent, package) if file and package else ""


def _problems_of_options(module: str, options_type: Any) -> list[str]:
    """What is wrong with the class that declares the options, with any settings."""
    # The one place where dataclasses keep it; other classes have no such attribute.
    params = getattr(options_type, "__dataclass_params__", None) if isinstance(options_type, type) else None
    if params is None or not params.frozen:
        return [f"{module}: Options must be a frozen dataclass; write @dataclass(frozen=True) above it"]
    return [
        f"{module}: Options.{field.name}: has no default; declare it with penstock.option(DEFAULT, HELP)"
        for field in fields(options_type)
        if field.default is MISSING and field.default_factory is MISSING
    ]


def load_module(folder: Path) -> ModuleType:
    """Import `handler.py` from a function's folder, as a package, so that it can import its neighbours.

    Raises `ConfigError` when `handler.py` is missing or cannot be imported, with file, line and what to write.
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
    except (Exception, SystemExit) as exc:
        from penstock.handler.imports import explain  # a start that works does not need it

        raise ConfigError(explain(exc, folder.resolve(), package)) from exc


def _package_name(folder: Path) -> str:
    """A name for a function's folder: its own, with a number where another folder of that name was loaded before."""
    name = "penstock_functions_" + re.sub(r"\W", "_", folder.name)
    for number in count(2):
        loaded = sys.modules.get(name)
        if loaded is None or list(loaded.__path__) == [str(folder)]:
            break
        name = f"{name.rstrip('0123456789')}{number}"
    return name
