"""`compress` from bucket to bucket, event in to answer out, beside the Go program that it replaces.

    python -m bench.compress [--small] [--turns 5]

Real MinIO on loopback. All ways take turns; medians, as ratios to the Go program (compress/gzip level 3, minio-go).
The function is warm, as under load; the Go program starts anew for each object, as its Job does: some 10 ms.
The peak of memory is the Go process's, and for a function what handling adds to its idle worker.
"""

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from penstock.local.demo.donors import write_donors

from bench.peers import (
    MIB,
    Cost,
    build_go_peer,
    function_on,
    go_environment,
    measured,
    median,
    memory_bytes,
    run_program,
    worker_pids,
)
from bench.report import Goal, Report, arguments
from tests.components import MinioServer
from tests.served import Served

SETTINGS = {
    "penstock fast": {"OPTION_SETTING": "fast"},
    "penstock default": {},
    "penstock small": {"OPTION_SETTING": "small"},
    "penstock small, 2 threads": {"OPTION_SETTING": "small", "OPTION_THREADS": "2"},
}
GO_MODES = {"Go gzip 3": "gzip", "Go klauspost 3": "klauspost", "Go pgzip 3, 2 cores": "pgzip", "Go copy": "copy"}


def measure(rows: int, turns: int) -> tuple[int, dict[str, Cost], dict[str, int]]:
    """The size of the input, the median cost of each way, and the size of what it wrote."""
    program = build_go_peer()
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        minio = held.enter_context(MinioServer(folder / "minio"))
        client = minio.endpoint.client()
        for bucket in ("upload", "go-out", *(f"out{number}" for number in range(len(SETTINGS)))):
            client.make_bucket(bucket)
        size = write_donors(folder / "donors.csv", rows)
        client.fput_object("upload", "donors.csv", str(folder / "donors.csv"), content_type="text/csv")
        functions = {
            name: held.enter_context(
                function_on(
                    minio, "compress", {"SOURCE": "s3://upload/*", "SINK": f"s3://out{number}/{{key}}.gz", **more}
                )
            )
            for number, (name, more) in enumerate(SETTINGS.items())
        }
        idle = {name: memory_bytes(worker_pids(function), "VmRSS") for name, function in functions.items()}
        costs: dict[str, list[Cost]] = {name: [] for name in (*GO_MODES, *SETTINGS)}
        bytes_out: dict[str, int] = {}
        for turn in range(turns + 1):
            for name, mode in GO_MODES.items():
                command: list[str | Path] = [program, "-f", "upload", "-k", "donors.csv", "-t", "go-out", "-mode", mode]
                cost = run_program(command, go_environment(minio))
                stored = next(iter(client.list_objects("go-out", recursive=True)))
                bytes_out[name] = stored.size or 0
                client.remove_object("go-out", str(stored.object_name))
                costs[name] += [cost] if turn else []  # the first turn warms everything up
            for number, (name, function) in enumerate(functions.items()):
                cost = measured(function, partial(compress, function), idle_bytes=idle[name])
                bytes_out[name] = client.stat_object(f"out{number}", "donors.csv.gz").size or 0
                client.remove_object(f"out{number}", "donors.csv.gz")
                costs[name] += [cost] if turn else []
    return size, {name: median(runs) for name, runs in costs.items()}, bytes_out


def compress(function: Served) -> None:
    status, answer = function.send("upload", "donors.csv")
    if status != 200:
        raise RuntimeError(f"{status}: {answer}")


def main() -> None:
    args = arguments(__doc__, turns=5).parse_args()
    rows = 100_000 if args.small else 1_000_000
    size, costs, bytes_out = measure(rows, 1 if args.small else args.turns)
    go, go_bytes = costs["Go gzip 3"], bytes_out["Go gzip 3"]
    wall = {name: cost.wall / go.wall for name, cost in costs.items()}
    cpu = {name: cost.cpu / go.cpu for name, cost in costs.items()}
    output = {name: bytes_out[name] / go_bytes for name in costs}
    report = Report(f"compress: {rows:,} rows of donors, {size / 1e6:.1f} MB, bucket to bucket")
    report.say(f"Go gzip 3 took {go.wall:.2f} s and {go.cpu:.2f} s of processor time; medians of {args.turns} turns.")
    report.table(
        ["way", "wall", "CPU", "output", "peak MiB"],
        [
            [name, f"{wall[name]:.2f}", f"{cpu[name]:.2f}", f"{output[name]:.3f}", f"{cost.peak_bytes / MIB:.0f}"]
            for name, cost in costs.items()
        ],
    )
    report.say(
        "Peak memory: of the Go program all, of a function what it takes above a worker that has done nothing yet."
    )
    pgzip = costs["Go pgzip 3, 2 cores"]
    fast, default, small, both = SETTINGS
    report.goals = [
        Goal(1, "default, wall to Go", wall[default], 0.33),
        Goal(1, "default, CPU to Go", cpu[default], 0.33),
        Goal(1, "default, peak memory to Go", costs[default].peak_bytes / go.peak_bytes, 1.2),
        Goal(1, "default, output to Go", output[default], 1.05),
        Goal(1, "default, CPU to Go pgzip", costs[default].cpu / pgzip.cpu, 0.85),
        Goal(1, "fast, wall to Go", wall[fast], 0.27),
        Goal(1, "fast, wall to the plain Go copy", costs[fast].wall / costs["Go copy"].wall, 1),
        Goal(1, "fast, output to Go", output[fast], 1.08),
        Goal(1, "small, output to Go", output[small], 1),
        Goal(1, "small, wall to Go", wall[small], 0.55),
        Goal(1, "small on both cores, wall to Go", wall[both], 0.42),
    ]
    report.finish()


if __name__ == "__main__":
    main()
