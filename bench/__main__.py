"""Every bench, one after the other, each in a process of its own and within its time: `python -m bench [NAME...]`.

Prints Markdown, and at the end every goal with what was reached; bench/results.json has the goals with the machine and
the versions. A whole run renews bench/figures.json and the chart docs/speed.svg. `--small` does little work: it shows
that everything runs, and its figures say nothing about speed.
The exit code is 0 when every bench ran to its end; the figures do not change it.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.chart import write_figures
from bench.report import RESULTS, Goal, goals_table
from tests.paths import ROOT

RESULTS_FILE = Path(__file__).parent / "results.json"
LIBRARIES = (
    "flask",
    "werkzeug",
    "gunicorn",
    "obstore",
    "minio",
    "isal",
    "zlib-ng",
    "pyvips",
    "pillow",
    "confluent-kafka",
)


@dataclass(frozen=True, slots=True)
class Bench:
    """What to run, what `--small` adds, and the most seconds that either may take."""

    command: Sequence[str]
    small: Sequence[str]
    seconds: int
    small_seconds: int = 60


def module(name: str, seconds: int, *more: str) -> Bench:
    return Bench(("-m", f"bench.{name}", *more), ("--small",), seconds)


def script(name: str, seconds: int, *small: str) -> Bench:
    return Bench((f"bench/{name}.py",), small, seconds)


BENCHES: Mapping[str, Bench] = {
    "compress": module("compress", 240),
    "small_objects": module("small_objects", 240),
    "cold_start": module("cold_start", 180),
    "events": module("events", 240),
    "notifications": module("notifications", 240),
    "memory": module("memory", 300),
    "reconcile": module("reconcile", 240),
    "codec": script("compress_codec", 120, "--rows", "10000", "--turns", "1"),
    "resize": script("resize", 300, "--small"),
    "on_read": module("on_read", 240),
    "index": script("index", 180, "--documents", "4000", "--rows", "20000", "--turns", "1"),
    "small_files": module("small_files", 60),
    "connector": script("connector", 240, "--records", "3000", "--slow-records", "300", "--turns", "1"),
    "donors": script("donors_vs_faker", 120, "--rows", "5000"),
}


def machine() -> dict[str, object]:
    """What the figures were taken on: processor, cores, memory, load, versions."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    go = subprocess.run(["go", "version"], capture_output=True, text=True, check=False).stdout.split()
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 1024**2, 1),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "go": go[2] if len(go) > 2 else "",
        **{name: version(name) for name in LIBRARIES},
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def run(name: str, bench: Bench, results: Path, *, small: bool) -> str:
    """Run one bench in a group of its own; returns what went wrong, or ""."""
    command = [sys.executable, *bench.command, *(bench.small if small else ())]
    limit = bench.small_seconds if small else bench.seconds
    env = {**os.environ, RESULTS: str(results), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    try:
        code = process.wait(limit)
    except subprocess.TimeoutExpired:
        _stop(process)
        return f"{name} took longer than {limit} s and was stopped"
    except BaseException:
        _stop(process)
        raise
    return f"{name} ended with exit code {code}" if code else ""


def _stop(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl+C would, so that it stops its servers; then without asking."""
    os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHES)}; all when none is given")
    parser.add_argument("--small", action="store_true", help="little work, under three minutes for all")
    args = parser.parse_args()
    if unknown := [name for name in args.names if name not in BENCHES]:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    here, started = machine(), time.monotonic()
    print("# Bench\n\n" + "\n".join(f"- {name}: {value}" for name, value in here.items()) + "\n", flush=True)
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results")
        results.touch()
        for name in args.names or BENCHES:
            since = time.monotonic()
            failures += [failure] if (failure := run(name, BENCHES[name], results, small=args.small)) else []
            print(f"\n({name}: {time.monotonic() - since:.0f} s)\n", flush=True)
        found = [json.loads(line) for line in results.read_text().splitlines()]
    goals = [
        Goal(**{name: value for name, value in goal.items() if name != "met"}) for one in found for goal in one["goals"]
    ]
    print("# Goals\n\n" + goals_table(goals))
    RESULTS_FILE.write_text(
        json.dumps({"machine": here, "small": args.small, "benches": found, "failures": failures}, indent=1) + "\n"
    )
    if not (args.names or args.small or failures):
        write_figures(here, goals)
    print(f"\n{len(args.names or BENCHES)} benches in {time.monotonic() - started:.0f} s; {RESULTS_FILE}")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
