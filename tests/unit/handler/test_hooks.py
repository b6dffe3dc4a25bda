"""What a handler's module defines is looked at when it is loaded: each mistake is told with what to write."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from penstock import Result
from penstock.errors import ConfigError
from penstock.handler.hooks import HANDLE, HOOKS
from penstock.handler.loading import make_function
from penstock.settings.config import Config

Module = Callable[..., Any]


def handle(_event: object, _context: object) -> Result:
    return Result(b"fine")


async def handle_async(event: object, context: object) -> Result:
    return Result(b"")


def handle_yields(event: object, context: object) -> Iterator[bytes]:
    yield b""


async def handle_async_yields(event: object, context: object) -> Any:
    yield b""


def handle_one(req: Any) -> Any:
    return req


def handle_three(event: object, context: object, log: object) -> Any: ...


def handle_keyword(event: object, context: object, *, log: object) -> Any: ...


class HandleClass:
    def __init__(self, event: object, context: object) -> None: ...


class AsyncCallable:
    async def __call__(self, event: object, context: object) -> Any: ...


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (handle_async, r"handle is `async def`; write `def handle\(event, context\)`: each request has a thread"),
        (AsyncCallable(), "handle is `async def`"),
        (functools.partial(handle_async), "handle is `async def`"),
        (handle_yields, r"handle has a `yield` in it; .* return penstock\.Result\(that_function\(event\.body\)\)"),
        (handle_async_yields, "handle has a `yield` in it"),
        (handle_one, r"handle\(req\) cannot be called with event and context; write def handle\(event, context\)"),
        (handle_three, r"handle\(event, context, log\) cannot be called with event and context"),
        (handle_keyword, r"handle\(event, context, \*, log\) cannot be called with event and context"),
        (lambda: None, r"handle\(\) cannot be called with event and context"),
        (HandleClass, r"handle is a class; write a function: def handle\(event, context\)"),
        (Result, "handle is a class"),
        ("text", r"has no function handle\(event, context\)"),
        (None, r"has no function handle\(event, context\)"),
    ],
)
def test_handle_that_cannot_work_is_refused_with_what_to_write(handler_module: Module, wrong: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=rf"^handler: {says}"):
        make_function(handler_module(handle=wrong), Config("f"))


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a third argument, so that what is wrapped has more parameters than what is called."""

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        function(*args, "log")
        return Result(b"fine")

    return call


class Callable2:
    def __call__(self, event: object, context: object) -> Result:
        return Result(b"fine")

    def method(self, event: object, context: object) -> Result:
        return Result(b"fine")


@pytest.mark.parametrize(
    "right",
    [
        handle,
        decorated(handle_three),
        functools.partial(lambda _log, _event, _context: Result(b"fine"), "log"),
        lambda *_: Result(b"fine"),
        lambda _event, _context=None, **_more: Result(b"fine"),
        Callable2(),
        Callable2().method,
    ],
    ids=["function", "decorated", "partial", "stars", "defaults", "callable", "method"],
)
def test_all_that_can_be_called_with_event_and_context_is_a_handler(handler_module: Module, right: Any) -> None:
    made = make_function(handler_module(handle=right), Config("f"))
    assert made.handle(None, None).body == b"fine"  # type: ignore[arg-type]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.name)
def test_hook_with_other_parameters_is_refused(handler_module: Module, hook: Any) -> None:
    def more(*, never_given: object) -> None: ...

    with pytest.raises(ConfigError) as caught:
        make_function(handler_module(handle=handle, **{hook.name: more}), Config("f"))
    given = " and ".join(hook.parameters) or "no arguments"
    assert f"{hook.name}(*, never_given) cannot be called with {given}; write def {hook.signature}" in str(caught.value)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.name)
def test_hook_that_is_async_or_yields_is_refused(handler_module: Module, hook: Any) -> None:
    async def later(*_: object) -> bool:
        return False

    def piecewise(*_: object) -> Iterator[None]:
        yield

    for wrong, says in ((later, "is `async def`"), (piecewise, "has a `yield` in it; return the value instead")):
        with pytest.raises(ConfigError, match=f"{hook.name} {says}"):
            make_function(handler_module(handle=handle, **{hook.name: wrong}), Config("f"))


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.name)
def test_hook_as_declared_is_found(handler_module: Module, hook: Any) -> None:
    scope: dict[str, Any] = {}
    exec(f"def {hook.signature}: return True", scope)
    made = make_function(handler_module(handle=handle, **{hook.name: scope[hook.name]}), Config("f"))
    assert getattr(made, hook.name) is scope[hook.name]
    assert [name for name in (one.name for one in HOOKS) if getattr(made, name) is not None] == [hook.name]


def test_every_mistake_of_a_module_is_told_at_once(handler_module: Module) -> None:
    wrong = handler_module(handle=handle_async, start=lambda: None, ready=True, Options=dict)
    with pytest.raises(ConfigError) as caught:
        make_function(wrong, Config("f"))
    assert len(caught.value.problems) == 4


def test_function_of_c_code_that_tells_no_parameters_is_trusted(handler_module: Module) -> None:
    function: Any = min  # has no signature that Python could tell
    assert make_function(handler_module(handle=handle, ready=function), Config("f")).ready is function


def test_names_are_declared_once() -> None:
    names = [hook.name for hook in (HANDLE, *HOOKS)]
    assert len(names) == len(set(names))
