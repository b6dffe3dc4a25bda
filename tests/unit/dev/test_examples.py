"""The examples in the docstrings are true."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["durations", "dev.demo_checks", "dev.proxy", "dev.report", "dev.up"])
def test_examples_of_a_module_run(name: str) -> None:
    results = doctest.testmod(importlib.import_module(f"penstock.{name}"))
    assert results.attempted > 0
    assert results.failed == 0
