"""Test processes tell the one that shows their results only what it shows.

For each test pytest-xdist sends that it starts, and what came of its setup, its call and its teardown. A start is shown
with -v only, and a setup or teardown that went well never. These are not sent: with thirteen thousand tests they take
four seconds of processor time.
"""

from __future__ import annotations

from typing import Any

import pytest


def is_shown(name: str, data: dict[str, Any]) -> bool:
    if name == "testreport":
        return bool(data["when"] == "call" or data["outcome"] != "passed")
    return name != "logstart"


def tell_less(worker: Any) -> None:
    send = worker.sendevent

    def send_what_is_shown(name: str, **members: Any) -> None:
        if is_shown(name, members.get("data", {})):
            send(name, **members)

    worker.sendevent = send_what_is_shown


def pytest_configure(config: pytest.Config) -> None:
    if config.get_verbosity() > 0 or config.option.durations or config.option.xmlpath:
        return
    for plugin in config.pluginmanager.get_plugins():
        # By name: xdist sends this class to the process as source text, so it is not the one that can be imported.
        if type(plugin).__name__ == "WorkerInteractor":
            tell_less(plugin)
