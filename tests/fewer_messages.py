"""Test processes tell the one that shows their results only what it shows.

For each test pytest-xdist sends that it starts, and what came of its setup, its call and its teardown. With thirteen
thousand tests these messages take twenty seconds of processor time. A start is shown with -v only, and a setup or
teardown that went well never: those are not sent.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.remote import WorkerInteractor


def is_shown(name: str, data: dict[str, Any]) -> bool:
    if name == "testreport":
        return bool(data["when"] == "call" or data["outcome"] != "passed")
    return name != "logstart"


def tell_less(worker: WorkerInteractor) -> None:
    send = worker.sendevent

    def send_what_is_shown(name: str, **members: Any) -> None:
        if is_shown(name, members.get("data", {})):
            send(name, **members)

    worker.sendevent = send_what_is_shown


def pytest_configure(config: pytest.Config) -> None:
    if config.get_verbosity() > 0 or config.option.durations or config.option.xmlpath:
        return
    for plugin in config.pluginmanager.get_plugins():
        if isinstance(plugin, WorkerInteractor):
            tell_less(plugin)
