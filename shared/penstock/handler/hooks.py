"""The names that Penstock looks for in a function's `handler.py`: declared here, and nowhere else.

docs/functions.md describes each of them; a test compares the two.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Hook(NamedTuple):
    """A function that `handler.py` may define: its name, its parameters, when it is called, what it returns."""

    name: str
    parameters: tuple[str, ...]
    called: str
    returns: str

    @property
    def signature(self) -> str:
        """As in `handle(event, context)`."""
        return f"{self.name}({', '.join(self.parameters)})"


HANDLE = Hook("handle", ("event", "context"), "for each input, once for each rendition", "a penstock.Result")

HOOKS = (
    Hook("start", ("config",), "once in each process, before its first input", "nothing"),
    Hook("stop", (), "once in each worker of a server, after its last request", "nothing"),
    Hook("ready", (), "at each readiness probe", "True when the function can take requests"),
    Hook("query", ("parameters", "sink"), "for GET / with the query string", "a mapping, or None for 404"),
    Hook("target_suffix", ("options",), "by `penstock run -t BUCKET`, to name the target", "what to add to the key"),
)

OPTIONS = "Options"
"""The name of the frozen dataclass that declares a function's options."""


def find_hooks(module: Any) -> dict[str, Any]:
    """The module's `handle` and hooks by name, None for one that it does not define."""
    return {hook.name: getattr(module, hook.name, None) for hook in (HANDLE, *HOOKS)}


def problems_of_hooks(module: str, found: Mapping[str, Any]) -> list[str]:
    """What is missing, or cannot be called as it will be; `module` is the name to say it of."""
    return [
        f"{module}: {problem}"
        for hook in (HANDLE, *HOOKS)
        if found[hook.name] is not None or hook is HANDLE
        for problem in _problems(hook, found[hook.name])
    ]


def _problems(hook: Hook, found: Any) -> Iterator[str]:
    name = hook.name
    if not callable(found):
        yield (
            f"has no function {hook.signature}"
            if hook is HANDLE
            else f"{name} is not a function; write def {hook.signature}"
        )
        return
    if inspect.isclass(found):
        yield f"{name} is a class; write a function: def {hook.signature}"
        return
    # A callable object says in its class what it is; a partial is looked through.
    codes = (found, type(found).__call__)
    if any(map(inspect.iscoroutinefunction, codes)):
        yield f"{name} is `async def`; write `def {hook.signature}`: each request has a thread of its own"
    elif any(inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code) for code in codes):
        remedy = "yield in a function of its own, and return penstock.Result(that_function(event.body))"
        yield f"{name} has a `yield` in it; " + (remedy if hook is HANDLE else "return the value instead")
    if not _takes(found, len(hook.parameters)):
        yield f"{name}{_signature(found)} cannot be called with {_arguments(hook)}; write def {hook.signature}"


def _takes(function: Any, count: int) -> bool:
    """Whether a call with so many positional arguments fits; true where a function does not tell its parameters."""
    try:
        # What a decorator wraps is not what is called.
        inspect.signature(function, follow_wrapped=False).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _signature(function: Any) -> str:
    """Its parameters without their types, as in `(event, *, log)`."""
    signature = inspect.signature(function, follow_wrapped=False)
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return str(inspect.Signature(bare))


def _arguments(hook: Hook) -> str:
    return " and ".join(hook.parameters) or "no arguments"
