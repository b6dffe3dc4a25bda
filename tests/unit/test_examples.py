"""The examples in the docstrings are true."""

import doctest
import importlib

import pytest

NAMES = [
    "lake.graph",
    "lake.ownership",
    "settings.config",
    "settings.durations",
    "settings.names",
    "settings.setting",
    "settings.yamlfile",
    "local.demo.checks",
    "local.gateway.proxy",
    "local.demo.report",
    "commands.up",
]


@pytest.mark.parametrize("name", NAMES)
def test_examples_of_a_module_run(name: str) -> None:
    results = doctest.testmod(importlib.import_module(f"penstock.{name}"))
    assert results.attempted > 0
    assert results.failed == 0
