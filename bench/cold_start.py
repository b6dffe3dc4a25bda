"""From exec to ready, to the first object, and idle memory, beside a bare Flask on gunicorn.

    python -m bench.cold_start [--small] [--turns 15]

"Ready" is the first 200 on /_/ready, which a function gives after the store and the sink have answered it. The hello
is bench/hello/hello.py on gunicorn, with the same kind of worker, from the same environment. Memory is the proportional
set size of master and worker: idle, of that without the mapped parts of files, which the machine can drop and share,
and once more after the first object, with what is loaded only then.
Real MinIO on loopback.
"""

import contextlib
import io
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from PIL import Image

from bench.load import post_all
from bench.peers import (
    MIB,
    exact_cpu_seconds,
    function_command,
    hello_command,
    own_share_bytes,
    process_tree,
    store_settings,
)
from bench.report import Goal, Report, arguments
from tests.components import MinioServer
from tests.served import free_port

FUNCTIONS = ("compress", "resize", "index")
EAGER = ("prometheus_client", "cloudevents", "minio", "urllib3", "confluent_kafka", "pyvips")
"""What a start must not import."""


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds to ready and to the first object, processor seconds to ready, idle bytes and those without files.

    `after_bytes` is what is held once the first object is done.
    """

    ready: float
    first: float
    cpu: float
    idle_bytes: int
    anonymous_bytes: int
    after_bytes: int


def wait_for_ready(port: int) -> None:
    """Ask every millisecond: a start takes a hundred of them."""
    question = b"GET /_/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
            wire.sendall(question)
            if wire.recv(4096).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.001)
    raise RuntimeError(f"nothing was ready on port {port} within a minute")


def start(command: Sequence[str], port: int, settings: Mapping[str, str], key: str) -> Start:
    """Start, wait, send one object, look at the memory a moment later, stop."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env={"PATH": os.environ["PATH"], **settings}, stderr=subprocess.DEVNULL)
    try:
        wait_for_ready(port)
        ready = time.perf_counter() - started
        pids = process_tree(process.pid)
        cpu = exact_cpu_seconds(pids)
        idle, anonymous = own_share_bytes(pids), own_share_bytes(pids, "Pss_Anon")
        seen = time.perf_counter()
        post_all(f"http://127.0.0.1:{port}", [b'{"bucket": "upload", "key": "%b"}' % key.encode()], connections=1)
        first = ready + time.perf_counter() - seen
        return Start(ready, first, cpu, idle, anonymous, own_share_bytes(process_tree(process.pid)))
    finally:
        process.terminate()
        process.wait(60)


def imports(command: Sequence[str], settings: Mapping[str, str]) -> dict[str, int]:
    """Microseconds that each module takes of itself, from exec to ready (python -X importtime)."""
    port = int(command[command.index("--port") + 1])
    with tempfile.TemporaryFile() as log:
        timed = [command[0], "-X", "importtime", *command[1:]]
        process = subprocess.Popen(timed, env={"PATH": os.environ["PATH"], **settings}, stderr=log)
        try:
            wait_for_ready(port)
        finally:
            process.terminate()
            process.wait(60)
        log.seek(0)
        found = re.findall(rb"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", log.read())
    return {name.decode(): int(micros) for micros, name in found}


def show_imports(report: Report, commands: Mapping[str, tuple[Sequence[str], Mapping[str, str]]], runs: int) -> None:
    """The modules that a function imports and the hello does not, the dearest first."""
    for name, (command, settings) in commands.items():
        taken: dict[str, int] = {}
        for _ in range(runs):
            for module, micros in imports(command, settings).items():
                taken[module] = min(micros, taken.get(module, micros))
        if "gunicorn.arbiter" not in taken:
            raise RuntimeError(f"{name}: no import times were printed")
        eager = [module for module in EAGER if module in taken]
        known = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys, flask, gunicorn.app.wsgiapp, gunicorn.workers.gthread; print(*sys.modules)",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        own = {module: micros for module, micros in taken.items() if module not in known}
        dearest = sorted(own.items(), key=lambda item: -item[1])[:8]
        report.say(
            f"{name} imports {len(own)} modules that the hello does not, {sum(own.values()) / 1000:.0f} ms of "
            f"{sum(taken.values()) / 1000:.0f}: "
            + ", ".join(f"{module} {micros / 1000:.1f}" for module, micros in dearest)
            + f". Never on a start: {', '.join(EAGER)}; found of these: {', '.join(eager) or 'none'}."
        )
        report.goals.append(Goal(4, f"{name}, heavy modules imported on start", len(eager), 0))


def main() -> None:
    args = arguments(__doc__, turns=15).parse_args()
    turns = 2 if args.small else args.turns
    report = Report("Cold start and idle memory")
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        minio = held.enter_context(MinioServer(folder / "minio"))
        client = minio.endpoint.client()
        for bucket in ("upload", *(f"out-{name}" for name in FUNCTIONS)):
            client.make_bucket(bucket)
        rows, picture = b"email,name\na@example.com,Ann Lee\n" * 100, small_picture()
        starts: dict[str, list[Start]] = {}
        for turn in range(turns + 1):
            for name in ("hello", *FUNCTIONS):
                port, key = free_port(), f"{name}-{turn}.{'png' if name == 'resize' else 'csv'}"
                data = picture if name == "resize" else rows
                client.put_object("upload", key, io.BytesIO(data), len(data))
                command, settings = hello_command("hello", port), dict[str, str]()
                if name != "hello":
                    command, settings = function_command(name, port), settings_of(name, minio, folder)
                one = start(command, port, settings, key)
                if turn:  # the first finds nothing in the page cache
                    starts.setdefault(name, []).append(one)
        middle = {
            name: Start(
                median(one.ready for one in found),
                median(one.first for one in found),
                median(one.cpu for one in found),
                round(median(one.idle_bytes for one in found)),
                round(median(one.anonymous_bytes for one in found)),
                round(median(one.after_bytes for one in found)),
            )
            for name, found in starts.items()
        }
        hello = middle["hello"]
        report.say(
            f"The hello was ready after {hello.ready * 1000:.0f} ms, {hello.cpu * 1000:.0f} ms of it processor time, "
            f"and held {hello.idle_bytes / MIB:.1f} MiB. Ratios to it, medians of {turns} interleaved turns:"
        )
        report.table(
            [
                *("what", "ready", "processor time to ready", "first object"),
                *("idle memory", "without files", "after the first object"),
            ],
            [
                [
                    name,
                    f"{one.ready / hello.ready:.2f}",
                    f"{one.cpu / hello.cpu:.2f}",
                    f"{one.first / hello.ready:.2f}",
                    f"{one.idle_bytes / hello.idle_bytes:.2f} ({one.idle_bytes / MIB:.1f} MiB)",
                    f"{one.anonymous_bytes / hello.anonymous_bytes:.2f} ({one.anonymous_bytes / MIB:.1f} MiB)",
                    f"{one.after_bytes / hello.after_bytes:.2f} ({one.after_bytes / MIB:.1f} MiB)",
                ]
                for name, one in middle.items()
            ],
        )
        for name in FUNCTIONS:
            one = middle[name]
            report.goals += [
                Goal(4, f"{name}, ready to the hello's", one.ready / hello.ready, 1.25),
                Goal(4, f"{name}, first small object to the hello's ready", one.first / hello.ready, 1.5),
                Goal(4, f"{name}, idle memory to the hello's", one.idle_bytes / hello.idle_bytes, 1.25),
            ]
        commands = {name: (function_command(name, free_port()), settings_of(name, minio, folder)) for name in FUNCTIONS}
        show_imports(report, commands, 1 if args.small else 5)
    report.finish()


def small_picture() -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").save(out, "PNG")
    return out.getvalue()


def settings_of(name: str, minio: MinioServer, folder: Path) -> dict[str, str]:
    sink = f"sqlite://{folder}/index.db" if name == "index" else f"s3://out-{name}/{{key}}"
    return {**store_settings(minio), "SOURCE": f"s3://upload/{name}*", "SINK": sink}


if __name__ == "__main__":
    main()
