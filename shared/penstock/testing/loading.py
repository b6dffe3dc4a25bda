"""A function from its handler alone: the options and hooks are those that are defined beside it."""

import inspect
import sys
from collections.abc import Mapping
from types import SimpleNamespace

from penstock.handler.hooks import HANDLE, HOOKS, OPTIONS
from penstock.handler.loading import Function, make_function
from penstock.handler.results import Handle
from penstock.settings.config import Config


def function_of(handle: Handle, config: Config) -> Function:
    """The handler with what is defined beside it: its Options and its hooks."""
    plain = inspect.unwrap(handle)
    scope = getattr(plain, "__globals__", None) or vars(sys.modules[type(plain).__module__])
    names = (*(hook.name for hook in HOOKS), OPTIONS, "__file__", "__package__")
    beside = {name: scope[name] for name in names if name in scope}
    name = scope.get("__name__", "handler")
    return make_function(SimpleNamespace(**beside, **{"__name__": name, HANDLE.name: handle}), config)


def texts(options: Mapping[str, object]) -> dict[str, str]:
    """Options as a setting or a query string has them."""
    return {name: _text(value) for name, value in options.items()}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def texts_of_renditions(renditions: Mapping[str, Mapping[str, object]] | None) -> dict[str, dict[str, str]]:
    return {name: texts(options) for name, options in (renditions or {}).items()}
