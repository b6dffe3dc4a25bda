"""A setting reads its text, and says what is expected when it cannot."""

from __future__ import annotations

import pytest
from penstock.errors import ConfigError
from penstock.settings import table
from penstock.settings.setting import Setting, number, quantity, whole

COUNT = whole("COUNT", "how many", 3, minimum=1, maximum=9)
SECONDS = number("SECONDS", "how long", 0.5, of="delivery")
MEMORY = quantity("MEMORY", "how much", "512Mi", of="job")


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        (COUNT, "9", 9),
        (COUNT, "", 3),
        (SECONDS, "2.5", 2.5),
        (MEMORY, "1.5Gi", "1.5Gi"),
        (table.ON_SOURCE_REMOVED, "delete", True),
        (table.ON_SOURCE_REMOVED, "", False),
        (table.LOG_LEVEL, "debug", "DEBUG"),
    ],
)
def test_a_text_becomes_a_value(setting: Setting[object], text: str, value: object) -> None:
    assert setting.value({setting.name: text}) == value


def test_a_setting_that_is_not_there_has_its_default() -> None:
    assert (COUNT.value({}), SECONDS.value({}), MEMORY.value({})) == (3, 0.5, "512Mi")


@pytest.mark.parametrize(
    ("setting", "text", "problem"),
    [
        (COUNT, "0", "COUNT='0': expected a whole number of at least 1 and at most 9"),
        (COUNT, "ten", "COUNT='ten': expected a whole number of at least 1 and at most 9"),
        (SECONDS, "soon", "SECONDS='soon': expected a number"),
        (MEMORY, "much", "MEMORY='much': expected a Kubernetes quantity such as 512Mi"),
        (table.ON_SOURCE_REMOVED, "Delete", "ON_SOURCE_REMOVED='Delete': expected keep or delete"),
        (table.LOG_LEVEL, "chatty", "LOG_LEVEL='chatty': expected DEBUG, INFO, WARNING or ERROR"),
    ],
)
def test_what_is_expected_is_said(setting: Setting[object], text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        setting.value({setting.name: text})
    assert str(caught.value) == problem
