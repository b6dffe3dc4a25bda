"""Functions by name: deployed, replaced and removed."""

import os
import threading

import pytest
from penstock.local.functions.functions import NoSuchFunction
from penstock.local.functions.process import StartFailed

from tests.unit.local.conftest import Bench, ask, until


def test_unknown_function_names_those_that_there_are(bench: Bench) -> None:
    with pytest.raises(NoSuchFunction, match="'nope' is not deployed; deployed: echo"):
        bench.functions().get("nope")


def test_replaced_function_runs_with_its_new_settings(bench: Bench) -> None:
    functions = bench.functions(bench.spec(GREETING="old"))
    ask(functions)
    assert not functions.deploy(bench.spec(GREETING="new"))
    assert ask(functions)[0]["environment"]["GREETING"] == "new"


def test_removed_function_is_stopped_and_gone(bench: Bench) -> None:
    functions = bench.functions()
    pid = ask(functions)[0]["pid"]
    functions.remove("echo")
    with pytest.raises(NoSuchFunction):
        functions.get("echo")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_stop_ends_a_function_that_is_in_its_start_and_starts_no_other(bench: Bench) -> None:
    held = bench.folder / "held"
    functions = bench.functions(bench.spec(HELD_IN_START=str(held)))
    functions.get("echo").start_aside()
    until(lambda: held.exists() and held.read_text().endswith("\n"))
    functions.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(int(held.read_text()), 0)
    until(lambda: not functions.get("echo").starting)
    with pytest.raises(StartFailed, match="the stack is stopping"):
        functions.get("echo").start()


def test_stop_ends_a_removed_function_that_still_answers_a_call(bench: Bench) -> None:
    functions = bench.functions()
    function, pid = functions.get("echo"), ask(functions)[0]["pid"]

    def call() -> None:
        with pytest.raises(OSError, match=r"."):
            ask(functions, "/slow")

    calls, removal = threading.Thread(target=call), threading.Thread(target=functions.remove, args=("echo",))
    calls.start()
    until(bench.mark.exists)
    removal.start()
    until(lambda: list(functions) == [] and function.pid is None)
    functions.stop(grace_seconds=0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    calls.join()
    removal.join()
