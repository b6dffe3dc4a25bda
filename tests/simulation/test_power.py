"""What the inbox has confirmed is there after a power cut, at every moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.simulation.power import cut_power
from tests.simulation.world import Wrong


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is such a file system: the disk here is the simulation's own."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as made:
        yield Path(made)


def test_what_was_confirmed_survives_every_power_cut(folder: Path) -> None:
    assert cut_power(range(300), folder) > 1000


def test_without_the_sync_some_power_cut_loses_what_was_confirmed(folder: Path) -> None:
    with pytest.raises(Wrong):
        cut_power(range(20), folder, ignores_sync=True)
