"""Functions over a small real server, and what tests ask of them."""

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from penstock.local.functions.function import Settings
from penstock.local.functions.functions import LocalFunctions
from penstock.settings.stackfile import FunctionSpec

from tests.waiting import wait_until

PROGRAM = Path(__file__).with_name("fake_function.py")


class Bench:
    """Makes functions in a folder of their own, and ends them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = folder / "mark"
        self._open: list[LocalFunctions] = []

    def spec(self, name: str = "echo", *, zero: str | None = None, **environment: str) -> FunctionSpec:
        labels = {"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": zero} if zero else {}
        return FunctionSpec(name, self.folder, environment={"MARK": str(self.mark), **environment}, labels=labels)

    def functions(self, *specs: FunctionSpec, zero_after: float | None = None) -> LocalFunctions:
        named = {spec.name: spec for spec in specs or (self.spec(),)}
        command = [sys.executable, "-S", str(PROGRAM)]
        made = LocalFunctions(named, Settings(self.folder / "data", {}, lambda _: command, zero_after))
        self._open.append(made)
        return made

    def close(self) -> None:
        self.mark.unlink(missing_ok=True)
        for functions in self._open:
            functions.stop()


@pytest.fixture(name="bench")
def bench_fixture(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def ask(functions: LocalFunctions, path: str = "/") -> tuple[dict[str, Any], bool]:
    """Send one request under a lease; what the function saw, and whether it was cold."""
    with (
        functions.get("echo").lease() as lease,
        urllib.request.urlopen(f"http://127.0.0.1:{lease.port}{path}", timeout=10) as response,
    ):
        return json.load(response), lease.cold


def until(condition: Callable[[], object]) -> None:
    """Wait for something that certainly comes."""
    wait_until(condition, "what certainly comes", 300)
