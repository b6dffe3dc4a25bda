"""`python -m tests.fuzz`: fuzz each subject in a process of its own; ends with 1 when something was found.

A process that ends, or that works longer on one case than it may, is a find too. SEED and CASE give a find again.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import mmap
import os
import secrets
import signal
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.heads_servers import SERVERS
from tests.fuzz.subjects import subjects
from tests.fuzz.worker import case_of
from tests.paths import ROOT

# A case takes milliseconds; on a machine that does much else a hundred times that.
_CASE_SECONDS = 60.0
_MAX_CRASHES = 3


@dataclass
class Tried:
    """What came of one subject."""

    name: str
    cases: int = 0
    finds: list[dict[str, Any]] = field(default_factory=list)


def main() -> int:
    names = [*subjects(Path()), *SERVERS]
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, help="this seed again (default: a new one)")
    parser.add_argument("--seconds", type=float, default=120, help="for all subjects together (default: %(default)s)")
    parser.add_argument("--only", choices=names, nargs="*", default=names, help="these subjects")
    parser.add_argument("--case", type=int, help="one case of one subject again")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(1_000_000)
    print(f"fuzz: seed {seed}, {arguments.seconds:.0f} s for {', '.join(arguments.only)}", flush=True)
    at_once = min(arguments.at_once, len(arguments.only))
    each = arguments.seconds / math.ceil(len(arguments.only) / at_once)
    with tempfile.TemporaryDirectory(prefix="penstock-fuzz-") as text, ThreadPoolExecutor(at_once) as pool:
        folder = Path(text)
        jobs = [pool.submit(_try, name, seed, each, folder, arguments.case) for name in arguments.only]
        tried = [job.result() for job in jobs]
    for one in tried:
        print(f"{one.name}: {one.cases} cases, {len(one.finds)} finds")
        for find in one.finds:
            _report(one.name, seed, find)
    return 1 if any(one.finds for one in tried) else 0


def _report(name: str, seed: int, find: dict[str, Any]) -> None:
    again = f"make fuzz SEED={seed} ONLY={name} CASE={find['case']}"
    print(f"WRONG {name}, case {find['case']}: {find['what']}\n{find['trace']}\n  again: {again}")
    if find["data"]:
        path = Path(tempfile.gettempdir(), f"penstock-fuzz-{name}-{seed}-{find['case']}")
        path.write_bytes(base64.b64decode(find["data"]))
        print(f"  the input: {path}; once mended, copy it into tests/fuzz/corpus/{name}/")


def _try(name: str, seed: int, seconds: float, folder: Path, case: int | None) -> Tried:
    """Run workers until the time is over; one that ends too early is followed by another one at the next case."""
    tried, number = Tried(name), case or 0
    end = time.monotonic() + seconds
    crashes = 0
    while time.monotonic() < end and crashes < _MAX_CRASHES:
        place = folder / name
        place.write_bytes(struct.pack("q", number))
        command = [sys.executable, "-m", "tests.fuzz.worker", name, str(seed), str(number), str(end - time.monotonic())]
        command += [str(place), *(["--only"] if case is not None else [])]
        reached, code, lines, errors = _watch(command, place)
        tried.cases += reached - number
        tried.finds += [json.loads(line) for line in lines]
        if code == 0 or case is not None:
            break
        crashes += 1
        tried.finds.append(
            {"case": reached, "what": code, "data": _input(name, seed, reached), "trace": errors[-2500:]}
        )
        number = reached + 1
    return tried


def _watch(command: list[str], place: Path) -> tuple[int, Any, list[str], str]:
    """Run one worker; the case that it reached, 0 or what went wrong, its finds and its errors."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}", "PYTHONFAULTHANDLER": "1"}
    with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryFile("w+") as output, place.open("r+b") as file:
        with mmap.mmap(file.fileno(), 8) as seen:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=errors, start_new_session=True
            )
            code: Any = None
            last, since = -1, time.monotonic()
            while code is None:
                try:
                    ended = process.wait(1)
                    code = ended if ended == 0 else f"the process ended with {ended}"
                except subprocess.TimeoutExpired:
                    [reached] = struct.unpack("q", seen[:8])
                    if reached != last:
                        last, since = reached, time.monotonic()
                    elif time.monotonic() - since > _CASE_SECONDS:
                        os.killpg(process.pid, signal.SIGABRT)  # the fault handler says where it stands
                        process.wait()
                        code = f"no end in {_CASE_SECONDS:.0f} s"
            [reached] = struct.unpack("q", seen[:8])
        output.seek(0)
        errors.seek(0)
        return reached, code, output.read().splitlines(), errors.read()


def _input(name: str, seed: int, number: int) -> str:
    """The input that ended a worker, made again."""
    with tempfile.TemporaryDirectory() as text:
        make = subjects(Path(text)).get(name)
        return base64.b64encode(case_of(make(), seed, number)).decode() if make is not None else ""


if __name__ == "__main__":
    sys.exit(main())
