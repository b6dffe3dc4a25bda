"""Pictures at the moment of reading: per second, made, stored and unchanged, beside imgproxy's model.

    python -m bench.on_read [--small] [--turns 5]

Real MinIO on loopback, a JPEG of 12 megapixels and 3 MB, 800 px wide as a JPEG, four readers at a time. The ways:

- made: `GET /read/...` of `resize`, which reads the source and runs its handler each time.
- stored: the same with STORE_ON_READ=on, after a first read.
- unchanged: the same with If-None-Match.
- through MinIO: `GET ...?lambdaArn=...` of the store, which asks `POST /lambda`; processor time is the function's.
- imgproxy's model, a stand-in as in bench/resize.py: a server that fetches the source from MinIO over a kept connection
  and answers with libvips's thumbnail_buffer, with nothing else around it. imgproxy itself measured 0.85 of that.

All work in turns. Ratios are pictures per second of processor time of the serving processes, so that a busy machine
meets all alike.
"""

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3
from penstock.serving.signed_urls import signed_path
from penstock.types import ObjectRef

from bench.peers import THREADS, Cost, cpu_seconds, function_on, process_tree, worker_pids
from bench.photographs import USUAL, encoded
from bench.report import Goal, Report, arguments
from bench.resize import IMGPROXY_TO_THUMBNAIL, WIDTH, thumbnail
from tests.components import MinioServer
from tests.served import free_port

KEY = "a-key-that-only-this-bench-has"
PICTURE = ObjectRef("upload", "picture.jpg")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to read: what to ask for, whose processor time counts, and how many reads a turn has."""

    read: Callable[[], int]
    pids: Sequence[int]
    reads: int


def get(pool: urllib3.PoolManager, url: str, wanted: int = 200, **headers: str) -> int:
    """The bytes of one answer; raises `RuntimeError` for another status than `wanted`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = pool.request("GET", url, headers=named, redirect=False)
    if answer.status != wanted:
        raise RuntimeError(f"{url}: {answer.status} {answer.data[:300]!r}")
    return len(answer.data)


def run(way: Way) -> Cost:
    used, started = cpu_seconds(way.pids), time.perf_counter()
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda _: way.read(), range(way.reads)))
    return Cost(time.perf_counter() - started, cpu_seconds(way.pids) - used)


def serve_stand_in(port: int, source: str) -> None:
    """A server that makes a thumbnail of what it fetches from `source`, for each request."""
    pool = urllib3.PoolManager(maxsize=THREADS)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            data = thumbnail(pool.request("GET", source).data, "jpeg")
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: Any) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


@contextmanager
def stand_in(source: str, pool: urllib3.PoolManager) -> Iterator[tuple[str, Sequence[int]]]:
    """The same in a process of its own: its URL and its process."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.on_read", "--stand-in", str(port), source])
    url = f"http://127.0.0.1:{port}/"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                get(pool, url)
                break
            except urllib3.exceptions.HTTPError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.1)
        yield url, process_tree(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def show(report: Report, costs: Mapping[str, Sequence[Cost]], ways: Mapping[str, Way]) -> dict[str, float]:
    """A table of all ways; returns pictures per second of processor time."""
    per_cpu: dict[str, float] = {}
    rows = []
    for name, found in costs.items():
        reads = ways[name].reads
        per_cpu[name] = reads / max(0.01, statistics.median(cost.cpu for cost in found))
        wall = reads / statistics.median(cost.wall for cost in found)
        rows.append([name, f"{wall:.1f}", f"{per_cpu[name]:.1f}"])
    report.table(["way", "pictures per second", "per second of processor time"], rows)
    return per_cpu


def main() -> None:
    if sys.argv[1:2] == ["--stand-in"]:
        serve_stand_in(int(sys.argv[2]), sys.argv[3])
    args = arguments(__doc__, turns=5).parse_args()
    reads, turns = (8, 1) if args.small else (40, args.turns)
    os.environ["VIPS_CONCURRENCY"] = "1"
    pool = urllib3.PoolManager(maxsize=2 * THREADS, retries=False)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        env = {
            "MINIO_LAMBDA_WEBHOOK_ENABLE_resize": "on",
            "MINIO_LAMBDA_WEBHOOK_ENDPOINT_resize": f"http://127.0.0.1:{port}/lambda",
        }
        minio = held.enter_context(MinioServer(folder, env=env))
        client = minio.endpoint.client()
        for bucket in ("upload", "processed"):
            client.make_bucket(bucket)
        data = encoded(USUAL)
        client.put_object(PICTURE.bucket, PICTURE.key, io.BytesIO(data), len(data), content_type="image/jpeg")
        settings = {
            "SOURCE": "s3://upload/*",
            "SINK": "s3://processed/{key}",
            "SIGNED_URL_KEY": KEY,
            "OPTION_WIDTH": str(WIDTH),
            "VIPS_CONCURRENCY": "1",
        }
        making = held.enter_context(function_on(minio, "resize", settings, port=port))
        storing = held.enter_context(function_on(minio, "resize", {**settings, "STORE_ON_READ": "on"}))
        path = signed_path(KEY, PICTURE, {}, int(time.time()) + 24 * 3600)
        where: dict[str, Any] = {"lambdaArn": "arn:minio:s3-object-lambda::resize:webhook"}
        through = client.get_presigned_url("GET", PICTURE.bucket, PICTURE.key, extra_query_params=where)
        source = client.get_presigned_url("GET", PICTURE.bucket, PICTURE.key, expires=timedelta(days=1))
        peer, peer_pids = held.enter_context(stand_in(source, pool))
        etag = pool.request("GET", storing.url + path).headers["ETag"]
        ways = {
            "made": Way(partial(get, pool, making.url + path), worker_pids(making), reads),
            "through MinIO": Way(partial(get, pool, through), worker_pids(making), reads),
            "stored": Way(partial(get, pool, storing.url + path), worker_pids(storing), 20 * reads),
            "unchanged": Way(
                partial(get, pool, storing.url + path, 304, If_None_Match=etag), worker_pids(storing), 20 * reads
            ),
            "imgproxy's model": Way(partial(get, pool, peer), peer_pids, reads),
        }
        for way in ways.values():
            way.read()
        costs: dict[str, list[Cost]] = {name: [] for name in ways}
        for _ in range(turns):
            for name, way in ways.items():
                costs[name].append(run(way))
    report = Report("Pictures at the moment of reading")
    per_cpu = show(report, costs, ways)
    model = per_cpu["imgproxy's model"] * IMGPROXY_TO_THUMBNAIL
    report.goals += [
        Goal(3, "on read, made, speed to imgproxy's model", per_cpu["made"] / model, 1, at_most=False),
        Goal(3, "on read, stored, speed to imgproxy's model", per_cpu["stored"] / model, 10, at_most=False),
    ]
    report.finish()


if __name__ == "__main__":
    main()
