"""Finds names in a function's environment that look like a misspelt setting.

A handler may read variables of its own, so an unknown name is allowed. A start checks only the names that begin with
`OPTION_` (ADR 4).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from penstock.doctor.finding import Finding, Grade
from penstock.settings.every_setting import SETTINGS
from penstock.settings.names import nearest
from penstock.settings.stackfile import FunctionSpec
from penstock.settings.table import FUNCTION_SETTINGS

_NEAR: Final = 0.85  # one letter of six; with less, MODEL_PATH or LOG_FORMAT would be near something
_OF_OTHERS: Final = "AWS_"  # those of the AWS libraries differ by a letter: AWS_ENDPOINT_URL_S3 and _STS


def examine_environment(specs: Iterable[FunctionSpec]) -> Iterator[Finding]:
    """A note for each name that is nearly the name of a setting."""
    known = {setting.name for setting in SETTINGS}
    files = {f"{name}_FILE" for name in known}
    of_functions = [setting.name for setting in FUNCTION_SETTINGS if "<" not in setting.name]
    for spec in specs:
        for name in spec.environment:
            if name in known or name in files or name.startswith(_OF_OTHERS):
                continue
            if meant := nearest(name, of_functions, cutoff=_NEAR):
                text = f"{name} in the environment of {spec.name} is no setting of Penstock"
                yield Finding(Grade.NOTE, name, text, f"did you mean: {meant}")
