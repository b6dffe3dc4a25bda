"""`penstock reconcile --check` beside the two listings that it is made of, and its memory for few and for many keys.

    python -m bench.reconcile [--small] [--keys 30000] [--turns 3]

Real MinIO, with one tiny source and one marked target for each key, all in agreement. The listings are minio-py's, with
metadata, read to their end and thrown away, in a process of their own like the command. Filling takes longest: two PUTs
a key, about a thousand a second; `--keys 1000000` is an hour of that, and 16 GB of disk.
"""

import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from penstock.serving.wiring import make_runtime
from penstock.settings.environment import load_config
from penstock.types import Mark, ObjectRef, Result, Write

from bench.peers import MIB, Cost, run_program, store_settings
from bench.report import Goal, Report, arguments
from tests.components import MinioServer
from tests.paths import ROOT

FUNCTION = ROOT / "functions" / "compress"
LISTINGS = """
import sys
from penstock.settings.environment import load_store_settings
from penstock.store.minio_client import connect
import os
client = connect(load_store_settings(os.environ))
print(sum(1 for bucket in sys.argv[1:] for _ in client.list_objects(bucket, recursive=True, include_user_meta=True)))
"""


@contextmanager
def lake(folder: Path, keys: int) -> Iterator[dict[str, str]]:
    """A server with `keys` sources and their targets; yields the settings of the function."""
    with MinioServer(folder) as minio:
        for bucket in ("upload", "processed"):
            minio.endpoint.client().make_bucket(bucket)
        settings = {**store_settings(minio), "SOURCE": "s3://upload/*", "SINK": "s3://processed/{key}.gz"}
        runtime = make_runtime(FUNCTION, load_config(settings, function="compress"))
        store, sink, fingerprint = runtime.store, runtime.sink, runtime.function.fingerprints[None]
        if store is None or sink is None:
            raise RuntimeError("the function has no store or no sink")

        def fill(number: int) -> None:
            ref = ObjectRef("upload", f"in/{number % 1000:03}/{number:07}.csv")
            made = store.put(ref, [b"a\n"], content_type="text/csv", metadata={})
            mark = Mark(made.token, "compress", fingerprint, ref.digest)
            sink.write_many([Write(sink.address(ref, None), Result(b"x", "application/gzip"), mark, made, None)])

        with ThreadPoolExecutor(16) as pool:
            for _ in pool.map(fill, range(keys)):
                pass
        yield {"PATH": str(Path(sys.executable).parent), **settings}


def main() -> None:
    parser = arguments(__doc__, turns=3)
    parser.add_argument("--keys", type=int, default=30_000, help="keys in each bucket (default: %(default)s)")
    args = parser.parse_args()
    keys, turns = (1000, 1) if args.small else (args.keys, args.turns)
    few = keys // 10
    command = [sys.executable, "-m", "penstock.cli", "reconcile", str(FUNCTION), "--check"]
    listings = [sys.executable, "-c", LISTINGS, "upload", "processed"]
    costs: dict[str, list[Cost]] = {"two listings": [], "reconcile --check": []}
    with tempfile.TemporaryDirectory() as folder:
        with lake(Path(folder, "few"), few) as env:
            small = run_program(command, env).peak_bytes
        with lake(Path(folder, "many"), keys) as env:
            for turn in range(turns + 1):
                for name, argv in zip(costs, (listings, command), strict=True):
                    cost = run_program(argv, env)
                    costs[name] += [cost] if turn else []
    walls = {name: median(cost.wall for cost in found) for name, found in costs.items()}
    cpus = {name: median(cost.cpu for cost in found) for name, found in costs.items()}
    large = max(cost.peak_bytes for cost in costs["reconcile --check"])
    report = Report(f"reconcile --check: {keys:,} keys in each bucket")
    report.table(
        ["what", "seconds", "processor seconds", "µs a key", "peak MiB"],
        [
            [
                name,
                f"{walls[name]:.2f}",
                f"{cpus[name]:.2f}",
                f"{walls[name] / keys * 1e6:.0f}",
                f"{max(cost.peak_bytes for cost in costs[name]) / MIB:.0f}",
            ]
            for name in costs
        ],
    )
    report.say(f"With a tenth of the keys the peak was {small / MIB:.0f} MiB.")
    report.goals = [
        Goal(7, "reconcile --check to the two listings, wall", walls["reconcile --check"] / walls["two listings"], 1.3),
        Goal(7, "reconcile --check, MB more for ten times the keys", (large - small) / 1e6, 10),
    ]
    report.finish()


if __name__ == "__main__":
    main()
