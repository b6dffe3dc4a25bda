"""Where the local store is, as a file in the data folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from penstock.local.address import forget_address, keep_address, kept_address, kept_stack_file
from penstock.settings.config import StoreSettings

SETTINGS = StoreSettings("http://127.0.0.1:9000", "penstock", "secret")


def test_address_comes_back_for_its_owner_only_and_goes(tmp_path: Path) -> None:
    keep_address(tmp_path, SETTINGS)
    keep_address(tmp_path, SETTINGS)
    assert kept_address(tmp_path) == SETTINGS
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("store.json", 0o600)]
    forget_address(tmp_path)
    forget_address(tmp_path)
    assert kept_address(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"endpoint": "http://h"}', "\0", "[" * 100_000])
def test_damaged_file_is_not_an_address(tmp_path: Path, text: str) -> None:
    (tmp_path / "store.json").write_text(text)
    assert kept_address(tmp_path) is None


def test_stack_file_of_the_stack_that_runs_is_kept_until_it_goes(tmp_path: Path) -> None:
    stack = tmp_path / "stack.yml"
    stack.touch()
    assert kept_stack_file(tmp_path) is None
    keep_address(tmp_path, SETTINGS, stack)
    assert kept_stack_file(tmp_path) == stack
    stack.unlink()
    assert kept_stack_file(tmp_path) is None
