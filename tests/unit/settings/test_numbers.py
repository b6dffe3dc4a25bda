"""Numbers are ASCII digits alone, in settings, options and flags alike."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from penstock.commands import connect_kafka, reconcile
from penstock.connect.settings import policy_from
from penstock.errors import ConfigError, EventError
from penstock.handler.options import parse_options
from penstock.settings.durations import parse_duration
from penstock.settings.environment import load_config
from penstock.settings.every_setting import SETTINGS
from penstock.settings.setting import Setting

ODD = ["٣", "1_0", " 4 ", "4 ", "\t4", "４", "4\n", "0x4", "1e", "nan", "inf", "--4", "²"]
OPTIONS_CODE = (
    "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Options:\n    n: int = 1\n    x: float = 1\n"
)
NUMBERS = [each for each in SETTINGS if isinstance(each.default, int | float) and not isinstance(each.default, bool)]


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda each: each.name)
def test_no_setting_takes_a_number_that_other_programs_read_differently(setting: Setting[float]) -> None:
    for text in ODD:
        with pytest.raises(ConfigError, match=setting.name):
            setting.value({setting.name: text})


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("name", ["ATTEMPTS", "TIMEOUT_SECONDS", "BATCH"])
def test_no_connector_takes_one(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=name):
        policy_from(argparse.Namespace(), {name: text})


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("name", ["n", "x"])
def test_no_option_of_a_handler_takes_one(name: str, text: str) -> None:
    made: dict[str, type] = {}
    exec(OPTIONS_CODE, made)
    with pytest.raises(EventError, match=name):
        parse_options(made["Options"], {name: text})


@pytest.mark.parametrize("text", [each for each in ODD if not each.startswith("--")])
@pytest.mark.parametrize(("command", "flag"), [(reconcile, "--concurrency"), (connect_kafka, "--max-uncommitted")])
def test_no_flag_takes_one(command: object, flag: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)  # type: ignore[attr-defined]
    with pytest.raises(SystemExit):
        parser.parse_args([flag, text] if command is connect_kafka else ["folder", flag, text])
    assert flag in capsys.readouterr().err


def test_duration_has_ascii_digits() -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration("٣s")


def test_plain_numbers_are_taken(settings: dict[str, str], tmp_path: Path) -> None:
    assert load_config({**settings, "THREADS": "10"}).threads == 10
    policy = policy_from(argparse.Namespace(), {"TIMEOUT_SECONDS": "2.5", "ATTEMPTS": "3", "MIN_WAIT_SECONDS": "1e-3"})
    assert (policy.timeout_seconds, policy.attempts, policy.min_wait_seconds) == (2.5, 3, 0.001)
