"""A misspelt setting in a stack file is named, and a variable of the handler's own is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from penstock.doctor.environment import examine_environment
from penstock.settings.every_setting import SETTINGS
from penstock.settings.stackfile import FunctionSpec


def notes_on(*names: str) -> list[tuple[str, str]]:
    spec = FunctionSpec(name="shout", handler=Path(), environment=dict.fromkeys(names, "1"))
    return [(found.subject, found.remedy) for found in examine_environment([spec])]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("REDITIONS", "RENDITIONS"),
        ("MAX_INPUT_BYTE", "MAX_INPUT_BYTES"),
        ("SORCE", "SOURCE"),
        ("SINKK", "SINK"),
        ("MINIO_ENDPONT", "MINIO_ENDPOINT"),
    ],
)
def test_name_that_is_nearly_a_setting_is_told_with_the_setting(written: str, meant: str) -> None:
    assert notes_on("SOURCE", written) == [(written, f"did you mean: {meant}")]


def test_name_of_a_setting_and_of_its_file_are_right() -> None:
    names = [setting.name.replace("<NAME>", "WIDTH") for setting in SETTINGS]
    assert notes_on(*names, *(f"{name}_FILE" for name in names)) == []


@pytest.mark.parametrize(
    "name", ["MODEL_PATH", "LOG_FORMAT", "HTTP_PROXY", "AWS_ENDPOINT_URL_S3", "write_timeout", "OPTION_PORTS"]
)
def test_variable_of_the_handler_or_of_another_program_is_left_alone(name: str) -> None:
    assert notes_on(name) == []
