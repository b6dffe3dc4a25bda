"""Peak memory for a large object beside a small one: `compress` and the CSV reader of `index`, on a real MinIO.

    python -m bench.memory [--small]

A fresh worker for each figure, one object in it, VmHWM of /proc. `--small` takes 256 MiB for the large one instead of
5 GiB. The object is donors over and over, and MinIO keeps it on disk: 5 GiB and what becomes of it must fit there.
"""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.peers import MIB, function_on, memory_bytes, worker_pids
from bench.report import Goal, Report, arguments
from tests.components import MinioServer
from tests.integration.test_memory import Repeated

SMALL_BYTES = 64 * MIB
LARGE_BYTES = 5 * 1024 * MIB


def peak(minio: MinioServer, function: str, key: str, settings: dict[str, str]) -> tuple[int, float]:
    """Peak bytes of a fresh worker that handles one object, and the seconds that it took."""
    with function_on(minio, function, {"SOURCE": "s3://upload/*", **settings}) as served:
        started = time.perf_counter()
        status, answer = served.send("upload", key)
        if (status, answer.get("outcome")) != (200, "processed"):
            raise RuntimeError(f"{function}, {key}: {status} {answer}")
        return memory_bytes(worker_pids(served), "VmHWM"), time.perf_counter() - started


def main() -> None:
    args = arguments(__doc__, turns=1).parse_args()
    large = 256 * MIB if args.small else LARGE_BYTES
    report = Report(f"Peak memory: {large / MIB:,.0f} MiB beside {SMALL_BYTES / MIB:.0f} MiB")
    rows = []
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        minio = held.enter_context(MinioServer(folder / "minio"))
        client = minio.endpoint.client()
        for bucket in ("upload", "processed"):
            client.make_bucket(bucket)
        for size in (SMALL_BYTES, large):
            client.put_object("upload", f"{size}.csv", Repeated(size), size, part_size=64 * MIB)  # type: ignore[arg-type]
        ways = {
            "compress": {"SINK": "s3://processed/{key}.gz"},
            # Past MAX_SCAN_BYTES it would read no further: here it is to read all.
            "index": {"SINK": f"sqlite://{folder}/index.db", "OPTION_MAX_SCAN_BYTES": str(2**40)},
        }
        for function, settings in ways.items():
            small_peak, _ = peak(minio, function, f"{SMALL_BYTES}.csv", settings)
            large_peak, seconds = peak(minio, function, f"{large}.csv", settings)
            more = (large_peak - small_peak) / 1e6
            rows.append(
                [
                    function,
                    *(f"{found / MIB:.0f}" for found in (small_peak, large_peak)),
                    f"{large / 1e6 / seconds:,.0f}",
                ]
            )
            report.goals.append(Goal(6, f"{function}, MB more for the large object", more, 20))
    report.table(["function", "peak for the small one, MiB", "for the large one, MiB", "MB/s of the large one"], rows)
    report.finish()


if __name__ == "__main__":
    main()
