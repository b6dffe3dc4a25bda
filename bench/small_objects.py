"""Ten thousand small objects through `compress`: per second, and how many requests each costs the store.

    python -m bench.small_objects [--small] [--turns 5]

Real MinIO on loopback, objects of 4 KB, four at a time whichever the way. The Go program starts once for each object,
as a Job would; it gets fewer of them. The copy loop is a GET and a PUT for each with the function's own client and
nothing else: what any Python program could reach. Requests are counted by MinIO itself.
"""

import io
import json
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from obstore import get, put
from obstore.store import S3Store
from penstock.local.demo.donors import donor_chunks

from bench.load import post_all
from bench.peers import THREADS, build_go_peer, cpu_seconds, function_on, go_environment, worker_pids
from bench.report import Goal, Report, arguments
from tests.components import MinioServer

OBJECT_BYTES = 4096
_COUNTED = re.compile(r'^minio_s3_requests_total\{api="(\w+)",[^}]*\} (\d+)', re.MULTILINE)


def requests_of(minio: MinioServer) -> dict[str, int]:
    """How many requests of each kind MinIO has answered; it renews the figures every ten seconds."""
    time.sleep(11)
    with urllib.request.urlopen(f"{minio.endpoint.url}/minio/v2/metrics/cluster", timeout=30) as answer:
        return {api: int(count) for api, count in _COUNTED.findall(answer.read().decode())}


def copy_all(minio: MinioServer, keys: Sequence[str]) -> None:
    endpoint = minio.endpoint
    source, target = (
        S3Store(
            bucket,
            endpoint=endpoint.url,
            access_key_id=endpoint.access_key,
            secret_access_key=endpoint.secret_key,
            region="us-east-1",
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )
        for bucket in ("upload", "copied")
    )

    def copy(key: str) -> None:
        put(target, key, get(source, key).bytes(), use_multipart=False)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(copy, keys):
            pass


def run_go(program: Path, minio: MinioServer, keys: Sequence[str]) -> None:
    env = go_environment(minio)

    def pack(key: str) -> None:
        command: list[str | Path] = [program, "-f", "upload", "-k", key, "-t", "packed", "-mode", "gzip"]
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(pack, keys):
            pass


def rate(work: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def main() -> None:
    args = arguments(__doc__, turns=5).parse_args()
    objects, turns = (600, 1) if args.small else (10_000, args.turns)
    program = build_go_peer()
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        minio = held.enter_context(MinioServer(folder, env={"MINIO_PROMETHEUS_AUTH_TYPE": "public"}))
        client = minio.endpoint.client()
        for bucket in ("upload", "processed", "copied", "packed"):
            client.make_bucket(bucket)
        keys = [f"in/{number:05}.csv" for number in range(objects)]
        rows = b"".join(donor_chunks(objects * 70, seed=7))

        def store(number: int) -> None:
            data = rows[number * OBJECT_BYTES :][:OBJECT_BYTES]
            client.put_object("upload", keys[number], io.BytesIO(data), OBJECT_BYTES, content_type="text/csv")

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(store, range(objects)))
        settings = {"SOURCE": "s3://upload/*", "SINK": "s3://processed/{key}.gz"}
        function = held.enter_context(function_on(minio, "compress", settings))
        before = requests_of(minio)
        share = objects // turns
        rates: dict[str, list[float]] = {}
        cpu: list[float] = []
        for turn in range(turns):
            part = keys[turn * share : (turn + 1) * share]
            few = part[: max(20, share // 10)]
            bodies = [json.dumps({"bucket": "upload", "key": key}).encode() for key in part]
            used = cpu_seconds(worker_pids(function))
            ways: dict[str, tuple[Callable[[], object], int]] = {
                "penstock compress": (partial(post_all, function.url, bodies, connections=THREADS), len(part)),
                "copy loop, obstore": (partial(copy_all, minio, part), len(part)),
                "Go program, one start for each": (partial(run_go, program, minio, few), len(few)),
            }
            for name, (work, count) in ways.items():
                rates.setdefault(name, []).append(rate(work, count))
                if work is ways["penstock compress"][0]:
                    cpu.append((cpu_seconds(worker_pids(function)) - used) / count)
        seen = {api: count - before.get(api, 0) for api, count in requests_of(minio).items()}
    ours, loop, go = (median(found) for found in rates.values())
    report = Report(f"compress: {objects:,} objects of {OBJECT_BYTES:,} bytes")
    report.table(
        ["way", "objects per second", "to the copy loop"],
        [[name, f"{median(found):,.0f}", f"{median(found) / loop:.2f}"] for name, found in rates.items()],
    )
    report.say(f"Processor time of the function: {median(cpu) * 1000:.2f} ms an object.")
    # The copy loop's are one GET and one PUT, the Go program's one GET, and parts of a multipart upload.
    done = share * turns
    went = sum(len(keys[turn * share : (turn + 1) * share][: max(20, share // 10)]) for turn in range(turns))
    counts = {
        "HEAD": seen.get("headobject", 0) / done,
        "GET": (seen.get("getobject", 0) - done - went) / done,
        "PUT": (seen.get("putobject", 0) - done) / done,
    }
    others = {api: count for api, count in seen.items() if api not in ("headobject", "getobject", "putobject")}
    report.say(
        "Requests for an object: "
        + ", ".join(f"{verb} {count:.2f}" for verb, count in counts.items())
        + f". All others, those of the Go program's {went}: "
        + (", ".join(f"{api} {count}" for api, count in others.items() if count) or "none")
        + "."
    )
    report.goals = [
        Goal(2, "objects per second to the Go program's", ours / go, 3, at_most=False),
        Goal(2, "objects per second to the copy loop's", ours / loop, 0.35, at_most=False),
        Goal(2, "requests for an object", sum(counts.values()), 5),
    ]
    report.finish()


if __name__ == "__main__":
    main()
