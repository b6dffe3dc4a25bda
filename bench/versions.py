"""This checkout beside an older one, turn by turn: start, memory, small objects.

    python -m bench.versions OLD [--small] [--turns 9]

OLD is a checkout of another commit in which `make setup` has run, so that it has its own `.venv`:

    git worktree add --detach /tmp/old COMMIT && make -C /tmp/old setup

Both serve their own three functions from their own environment against one real MinIO on loopback. Each turn starts
every function of both, and then sends the same small objects through `compress` and `index` of both. Memory is compared
without the mapped parts of files: what of these is shared depends on how each environment was installed. Where valgrind
is installed, the instructions of a start are counted too: times of single starts differ by more than most changes do.
"""

import io
import json
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from minio import Minio
from penstock.local.demo.donors import donor_chunks

from bench.cold_start import FUNCTIONS, Start, settings_of, small_picture, start
from bench.instructions import can_count, instructions_to_ready
from bench.load import post_all
from bench.peers import THREADS, cpu_seconds, running, store_settings, worker_pids
from bench.report import Report, arguments
from tests.components import MinioServer
from tests.paths import ROOT
from tests.served import free_port

SMALL_BYTES = 4096
SMALL = ("compress", "index")


def served(tree: Path, name: str, port: int) -> list[str]:
    """How a checkout serves one of its functions, with its own Python."""
    python = str(tree / ".venv/bin/python")
    folder = str(tree / "functions" / name)
    return [python, "-m", "penstock.serve", folder, "--host", "127.0.0.1", "--port", str(port)]


def fill(client: Minio, count: int) -> list[str]:
    """Store small CSV files of donors, whole rows below their header; returns their keys."""
    header, *rows = b"".join(donor_chunks(count * 70, seed=7)).splitlines(keepends=True)
    keys = [f"in/{number:05}.csv" for number in range(count)]
    lines = iter(rows)
    for key in keys:
        data = header
        while len(data) < SMALL_BYTES:
            data += next(lines)
        client.put_object("upload", key, io.BytesIO(data), len(data), content_type="text/csv")
    return keys


def small_objects(tree: Path, name: str, minio: MinioServer, keys: list[str], settings: dict[str, str]) -> list[float]:
    """Objects per second, and processor milliseconds for each."""
    port = free_port()
    bodies = [json.dumps({"bucket": "upload", "key": key}).encode() for key in keys]
    with running(served(tree, name, port), port, {**store_settings(minio), **settings}) as function:
        post_all(function.url, bodies[:20], connections=THREADS)
        used, began = cpu_seconds(worker_pids(function)), time.perf_counter()
        post_all(function.url, bodies[20:], connections=THREADS)
        count = len(bodies) - 20
        taken = time.perf_counter() - began
        return [count / taken, (cpu_seconds(worker_pids(function)) - used) / count * 1000]


def main() -> None:
    parser = arguments(__doc__, turns=9)
    parser.add_argument("old", type=Path, metavar="OLD", help="a checkout of another commit, with its .venv")
    args = parser.parse_args()
    turns, count = (1, 120) if args.small else (args.turns, 420)
    trees = {"old": args.old.resolve(), "new": ROOT}
    starts: dict[tuple[str, str], list[Start]] = defaultdict(list)
    rates: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    counts: dict[tuple[str, str], int] = {}
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        minio = held.enter_context(MinioServer(folder / "minio"))
        client = minio.endpoint.client()
        for bucket in ("upload", "processed", *(f"out-{name}" for name in FUNCTIONS)):
            client.make_bucket(bucket)
        keys = fill(client, count)
        for turn in range(turns + 1):
            for age, tree in list(trees.items())[:: 1 if turn % 2 else -1]:
                for name in FUNCTIONS:
                    key = f"{name}-{age}-{turn}.{'png' if name == 'resize' else 'csv'}"
                    data = small_picture() if name == "resize" else b"email,name\na@example.com,Ann Lee\n" * 100
                    client.put_object("upload", key, io.BytesIO(data), len(data))
                    port = free_port()
                    settings = settings_of(name, minio, held_folder(folder, f"{age}-start"))
                    one = start(served(tree, name, port), port, settings, key)
                    if turn:  # the first finds nothing in the page cache
                        starts[name, age].append(one)
                for name in SMALL:
                    sink = f"s3://processed/{age}-{turn}/{{key}}.gz"
                    if name == "index":
                        sink = f"sqlite://{folder}/{age}-{turn}.db"
                    found = small_objects(tree, name, minio, keys, {"SOURCE": "s3://upload/*", "SINK": sink})
                    if turn:
                        rates[name, age].append(found)
        if can_count():
            for age, tree in trees.items():
                for name in FUNCTIONS:
                    port, settings = free_port(), settings_of(name, minio, held_folder(folder, f"{age}-count"))
                    counts[name, age] = instructions_to_ready(served(tree, name, port), port, settings)
    report = Report(f"This checkout beside an older one: new over old, medians of {turns} turns")
    figures = ("ready", "first", "cpu", "anonymous_bytes")
    report.table(
        ["function", "ready", "first object", "processor time to ready", "idle memory without files"],
        [
            [
                name,
                *(
                    f"{middle(starts[name, 'new'], field) / middle(starts[name, 'old'], field):.2f}"
                    for field in figures
                ),
            ]
            for name in FUNCTIONS
        ],
    )
    if counts:
        report.table(
            ["instructions to ready, millions", "old", "new", "new over old"],
            [
                [
                    name,
                    *(f"{counts[name, age] / 1e6:,.0f}" for age in trees),
                    f"{counts[name, 'new'] / counts[name, 'old']:.3f}",
                ]
                for name in FUNCTIONS
            ],
        )
    else:
        report.say("Instructions were not counted: valgrind is not installed.")
    report.table(
        ["4 KB objects", "objects per second", "processor time for one", "new, per second"],
        [
            [
                name,
                *(f"{column(rates[name, 'new'], at) / column(rates[name, 'old'], at):.2f}" for at in (0, 1)),
                f"{column(rates[name, 'new'], 0):,.0f}",
            ]
            for name in SMALL
        ],
    )
    report.finish()


def held_folder(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir(exist_ok=True)
    return made


def middle(found: list[Start], field: str) -> float:
    return float(median(getattr(one, field) for one in found))


def column(found: list[list[float]], at: int) -> float:
    return median(one[at] for one in found)


if __name__ == "__main__":
    main()
