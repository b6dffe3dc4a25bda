"""Fixtures that every folder of tests shares: a lake in memory, with one function on it."""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

# Whether pytest was started as a program or as a module decides if the checkout is importable; here it always is.
sys.path.insert(0, str(Path(__file__).parents[1]))

# A shell starts what runs in the background with Ctrl+C ignored, and programs pass that on to those they start: the
# tests that press it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

from tests.lake import Lake


def load_iri_grammar_late() -> None:
    """Let jsonschema load the grammar of IRIs when it first checks one: it takes more than a second in each worker."""
    name = "rfc3987_syntax"
    if name in sys.modules or importlib.util.find_spec(name) is None:
        return
    late = ModuleType(name)

    def is_valid_syntax(term: str, text: str) -> bool:
        if sys.modules[name] is late:
            del sys.modules[name]
        return bool(importlib.import_module(name).is_valid_syntax(term, text))

    vars(late)["is_valid_syntax"] = is_valid_syntax
    sys.modules[name] = late


load_iri_grammar_late()


def import_from_another_place(config: pytest.Config) -> None:
    """Let each worker of `make test` begin to import the tests at another one.

    All of them need all tests. In a fresh clone nothing is compiled yet: workers that import in one order compile each
    file at the same time, which takes each of them eight seconds. So each compiles a part, and finds the rest compiled.
    """
    worker, count = os.environ.get("PYTEST_XDIST_WORKER", ""), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    root, folders = config.rootpath, config.getini("testpaths")
    if count < 2 or [root / each for each in config.args] != [root / each for each in folders]:
        return
    paths = sorted(path for each in folders for path in (root / each).rglob("test_*.py"))
    start = len(paths) * int(worker.removeprefix("gw")) // count
    for path in [*paths[start:], *paths[:start]]:
        # What cannot be imported is told when it is collected.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect the tests without looking for garbage, and keep what was collected out of all later looks.

    Modules, tests and parameters live until the end. There are millions of them, and a look at all of them takes half a
    second: without this a worker needs twice the time to collect the tests.
    """
    gc.disable()
    try:
        import_from_another_place(session.config)
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def no_plugins_in_children() -> None:
    """A pytest that a test starts needs none of the plugins that are installed here, which take a second to load."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"


@pytest.fixture
def lake() -> Lake:
    """Buckets `upload` and `processed` in memory, and a function that upper-cases; see `Lake`."""
    return Lake()


@pytest.fixture
def make_lake() -> Callable[..., Lake]:
    """Makes a lake with another handler, other settings or another sink."""
    return Lake


@pytest.fixture
def handler_module() -> Callable[..., Any]:
    """Makes what stands for a handler's module from functions and classes given by name."""

    def make(**members: Any) -> SimpleNamespace:
        return SimpleNamespace(__name__="handler", **members)

    return make


@pytest.fixture
def settings() -> Mapping[str, str]:
    """The settings of a function that works: what a deployment must give."""
    return {
        "FUNCTION_NAME": "upper",
        "SOURCE": "s3://upload/*",
        "SINK": "s3://processed/{key}",
        "MINIO_ENDPOINT": "http://127.0.0.1:9",
        "MINIO_ACCESS_KEY": "reader",
        "MINIO_SECRET_KEY": "reader-secret",
    }
