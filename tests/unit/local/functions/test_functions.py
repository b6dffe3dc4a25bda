"""Functions by name: deployed, replaced and removed."""

import os

import pytest
from penstock.local.functions.functions import NoSuchFunction

from tests.unit.local.conftest import Bench, ask


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
