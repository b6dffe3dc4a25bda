"""What the benches from the outside share: a MinIO server, functions and peers as processes, and stopwatches."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.components import MinioServer
from tests.components.install import cache
from tests.paths import ROOT
from tests.served import Served, free_port, wait_until_ready

GO_PEER = Path(__file__).parent / "gopeer"
HELLO = Path(__file__).parent / "hello"
MIB = 1024 * 1024
THREADS = 4
"""Threads of each server and connections to it: the default of a function."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One run: seconds of the clock, seconds of all cores, and the peak of memory in bytes."""

    wall: float
    cpu: float
    peak_bytes: int = 0


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        round(statistics.median(cost.peak_bytes for cost in costs)),
    )


def build_go_peer() -> Path:
    """Build the Go program that is measured against, outside the checkout; needs Go."""
    program = cache() / "bench" / "gopeer"
    program.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", program, "."], cwd=GO_PEER, check=True)
    return program


def go_environment(minio: MinioServer) -> dict[str, str]:
    endpoint = minio.endpoint
    return {
        "PATH": os.environ["PATH"],
        "ENDPOINT": endpoint.endpoint,
        "ENDPOINT_SSL": "false",
        "ACCESS_KEY_ID": endpoint.access_key,
        "ACCESS_KEY_SECRET": endpoint.secret_key,
    }


def run_program(command: Sequence[str | Path], env: Mapping[str, str], *, watch_memory: bool = True) -> Cost:
    """Run a program to its end.

    Its peak is read from /proc while it runs: what wait4 reports begins with the peak of the process that started it.
    """
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, env=dict(env), stdout=subprocess.DEVNULL)
    done = 0
    while not done:
        if watch_memory:
            peak = max(peak, memory_bytes([process.pid], "VmHWM"))
        done, status, usage = os.wait4(process.pid, os.WNOHANG if watch_memory else 0)
        if not done:
            time.sleep(0.004)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with exit code {process.returncode}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak)


def process_tree(pid: int) -> list[int]:
    """A process and what it started, parents first."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in process_tree(int(child)))]


def worker_pids(function: Served) -> list[int]:
    return process_tree(function.process.pid)[1:]


def cpu_seconds(pids: Sequence[int]) -> float:
    """Processor time that processes have used so far (proc(5), fields 14 and 15 of stat), to 10 ms."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def exact_cpu_seconds(pids: Sequence[int]) -> float:
    """As `cpu_seconds`, to the nanosecond, but without threads that have ended (schedstat of each thread)."""
    threads = [thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def memory_bytes(pids: Sequence[int], field: str) -> int:
    """Memory by a field of /proc/PID/status, such as VmRSS or VmHWM."""
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return sum(
        int(found[0]) * 1024 for text in texts if (found := re.findall(rf"^{field}:\s+(\d+)", text, re.MULTILINE))
    )


def own_share_bytes(pids: Sequence[int], field: str = "Pss") -> int:
    """Proportional set size: memory that processes share is counted once, in parts. `Pss_Anon` leaves files out."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(re.findall(rf"^{field}:\s+(\d+)", text, re.MULTILINE)[0]) * 1024 for text in texts)


def forget_peak(pids: Sequence[int]) -> None:
    """Start VmHWM anew (proc(5), clear_refs)."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def measured(function: Served, work: Callable[[], object], *, idle_bytes: int = 0) -> Cost:
    """What some work costs a function's workers; the peak is above `idle_bytes`."""
    pids = worker_pids(function)
    forget_peak(pids)
    used, started = cpu_seconds(pids), time.perf_counter()
    work()
    wall = time.perf_counter() - started
    return Cost(wall, cpu_seconds(pids) - used, memory_bytes(pids, "VmHWM") - idle_bytes)


def store_settings(minio: MinioServer) -> dict[str, str]:
    endpoint = minio.endpoint
    return {
        "MINIO_ENDPOINT": endpoint.url,
        "MINIO_ACCESS_KEY": endpoint.access_key,
        "MINIO_SECRET_KEY": endpoint.secret_key,
    }


def function_command(name: str, port: int) -> list[str]:
    """How a function is served, as its image does."""
    folder = str(ROOT / "functions" / name)
    return [sys.executable, "-m", "penstock.serve", folder, "--host", "127.0.0.1", "--port", str(port)]


def hello_command(module: str, port: int, workers: int = 1) -> list[str]:
    """A module of bench/hello on gunicorn, with the kind of worker and the settings that a function has."""
    return [
        *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"),
        *("--worker-class", "gthread", "--threads", str(THREADS), "--workers", str(workers), "--keep-alive", "75"),
        *("--log-level", "warning", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"),
        *("--pythonpath", str(HELLO), f"{module}:app"),
    ]


@contextmanager
def running(command: Sequence[str], port: int, settings: Mapping[str, str]) -> Iterator[Served]:
    """A server that is ready; its log, at the level it has by default, goes nowhere."""
    process = subprocess.Popen(command, env={"PATH": os.environ["PATH"], **settings}, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield Served(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def function_on(minio: MinioServer, name: str, settings: Mapping[str, str], *, port: int = 0) -> Iterator[Served]:
    """A function served against this server, on a free port where none is given."""
    port = port or free_port()
    with running(function_command(name, port), port, {**store_settings(minio), **settings}) as function:
        yield function


@contextmanager
def hello(module: str, settings: Mapping[str, str] | None = None, *, workers: int = 1) -> Iterator[Served]:
    """A peer of bench/hello."""
    port = free_port()
    with running(hello_command(module, port, workers), port, settings or {}) as peer:
        yield peer
