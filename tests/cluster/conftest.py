"""One cluster and one deployed lake a session. `make cluster` runs these tests; no other suite takes them in."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Whether pytest was started as a program or as a module decides if the checkout is importable; here it always is.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.cluster.lake import ClusterLake
from tests.cluster.large import deploy_jobs
from tests.components.cluster import ClusterServer

Show = Callable[[str], None]


def pytest_keyboard_interrupt(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Say which wait was broken off: CI ends a run that hangs with what Ctrl+C sends."""
    here = str(Path(__file__).parents[1])
    ours = [frame for frame in traceback.extract_tb(excinfo.tb) if frame.filename.startswith(here)]
    print("\n\nbroken off in:\n" + "".join(traceback.format_list(ours)))


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    """Print a figure, whatever pytest does with other output."""

    def shown(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}")

    return shown


@pytest.fixture(scope="session")
def server() -> Iterator[ClusterServer]:
    with ClusterServer() as made:
        yield made


@pytest.fixture(scope="session")
def lake(server: ClusterServer) -> Iterator[ClusterLake]:
    with tempfile.TemporaryDirectory(prefix="penstock-cluster-lake-") as folder:
        made = ClusterLake(server, Path(folder))
        made.deploy()
        yield made


@pytest.fixture(scope="session")
def lake_with_jobs(lake: ClusterLake) -> ClusterLake:
    deploy_jobs(lake)
    return lake
