"""Clocks that jump under running processes, by a library that they load before the C library's own (clock.c)."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.acts import Act
    from tests.chaos.lake import Lake

# S3 refuses requests whose clock is off by more than 15 minutes, so there are jumps on both sides of that.
_SHIFTS_SECONDS = (-86_400 * 400, -3600, -300, 300, 3600, 86_400 * 400)


class Clocks:
    """One clock for each process, in a file that the process has mapped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._library = folder / "clock.so"
        compiler = shutil.which("cc")
        self.are_possible = compiler is not None
        if compiler is not None:
            source = Path(__file__).with_name("clock.c")
            command = [
                compiler,
                "-shared",
                "-fPIC",
                "-O2",
                "-Wall",
                "-Werror",
                "-o",
                str(self._library),
                str(source),
                "-ldl",
            ]
            subprocess.run(command, check=True)

    def environment(self, name: str) -> dict[str, str]:
        """What gives a process a clock of its own; the clock begins without a shift."""
        if not self.are_possible:
            return {}
        self.shift(name, 0)
        return {"LD_PRELOAD": str(self._library), "CHAOS_CLOCK": str(self._path(name))}

    def shift(self, name: str, seconds: float) -> None:
        """From now on a process's clock is off by so many seconds."""
        data = struct.pack("q", int(seconds * 1e9))
        # In place: the processes have this very file mapped.
        with self._path(name).open("r+b" if self._path(name).exists() else "wb") as file:
            file.write(data)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.clock"


def jump(name: str) -> Act:
    """The clock of a process jumps, and after the time it jumps back."""

    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        lake.clocks.shift(name, rng.choice(_SHIFTS_SECONDS))
        try:
            time.sleep(seconds)
        finally:
            lake.clocks.shift(name, 0)

    return act


ACTS: Mapping[str, Act] = {f"{name}: clock jumps": jump(name) for name in ("compress", "index", "bridge")}
KAFKA_ACTS: Mapping[str, Act] = {"connector: clock jumps": jump("connector")}
