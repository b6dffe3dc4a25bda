"""What an event costs a function: one that finds all as it should be, and batches of them into the index.

    python -m bench.events [--small] [--turns 5]

Skip path: `compress` with nothing to do, against a bare Flask hello, and a hello that makes the same two HEADs with
the same client. Index: batches of CloudEvents for small CSV files that are new, and again when nothing changed; over a
store in memory, where only the function's own cost is left, and on a real MinIO, which takes its share of the same
cores. What that share leaves is shown by a bare loop: the same requests with the same client, a GET and a HEAD for a
new object and a HEAD for an unchanged one, and nothing else. Figures per core are per processor second of the workers,
so that neither the store nor the load generator counts.
"""

import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from penstock.settings.config import StoreSettings
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from bench.load import post_all
from bench.peers import THREADS, Cost, cpu_seconds, function_on, hello, measured, store_settings
from bench.report import Goal, Report, arguments
from tests.components import MinioServer
from tests.served import Served

BATCH = 500
ROWS = b"email, name, type, birthday, state\n" + b"a@example.com,Ann Lee,A+,1970-01-01,Ohio\n" * 20
BATCHED = "application/cloudevents-batch+json"
NEW, UNCHANGED = "new", "unchanged"
BARE_LOOP = "bare loop on MinIO, same requests"


def reference(key: str) -> bytes:
    return json.dumps({"bucket": "upload", "key": key}).encode()


def cloudevents(first: int, count: int) -> bytes:
    """A batch of events as MinIO's notifications become them, 1.1 KB each."""
    return json.dumps([cloudevent(number) for number in range(first, first + count)]).encode()


def cloudevent(number: int) -> dict[str, object]:
    owner = {"principalId": "penstock-root"}
    record = {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": "",
        "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": "s3:ObjectCreated:Put",
        "userIdentity": owner,
        "requestParameters": {**owner, "region": "", "sourceIPAddress": "127.0.0.1"},
        "responseElements": {
            "x-amz-id-2": "d" * 64,
            "x-amz-request-id": "17E2B2A1C9D6F1A1",
            "x-minio-deployment-id": "a" * 36,
            "x-minio-origin-endpoint": "http://127.0.0.1:9000",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {"name": "upload", "ownerIdentity": owner, "arn": "arn:aws:s3:::upload"},
            "object": {
                "key": f"in%2F{number}.csv",
                "size": len(ROWS),
                "eTag": "a" * 32,
                "contentType": "text/csv",
                "userMetadata": {"content-type": "text/csv"},
                "sequencer": f"17E2B2A1{number:08X}",
            },
        },
        "source": {"host": "127.0.0.1", "port": "", "userAgent": "MinIO"},
    }
    subject = f"in/{number}.csv"
    head = {"specversion": "1.0", "id": str(number), "source": "minio:s3", "type": "com.amazonaws.s3.ObjectCreated.Put"}
    return {**head, "subject": subject, "data": record}


def put_objects(minio: MinioServer, keys: Iterator[str]) -> None:
    client = minio.endpoint.client()

    def put(key: str) -> None:
        client.put_object("upload", key, io.BytesIO(ROWS), len(ROWS), content_type="text/csv")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, keys))


def skip_path(report: Report, minio: MinioServer, turns: int, events: int) -> None:
    keys = [f"skip/{number}.csv" for number in range(min(events, 500))]
    put_objects(minio, iter(keys))
    bodies = [reference(keys[number % len(keys)]) for number in range(events)]
    settings = {"SOURCE": "s3://upload/skip/*", "SINK": "s3://processed/{key}.gz"}
    costs: dict[str, list[Cost]] = {}
    with ExitStack() as held:
        function = held.enter_context(function_on(minio, "compress", settings))
        peers = {
            "hello": held.enter_context(hello("hello")),
            "hello with two HEADs": held.enter_context(hello("heads", store_settings(minio))),
            "compress, nothing to do": function,
        }
        post_all(function.url, [reference(key) for key in keys], connections=THREADS)
        for turn in range(turns + 1):
            for name, peer in peers.items():
                cost = measured(peer, partial(post_all, peer.url, bodies, connections=THREADS))
                costs.setdefault(name, []).extend([cost] if turn else [])
    micros = {name: median(cost.cpu for cost in found) / events * 1e6 for name, found in costs.items()}
    walls = {name: median(cost.wall for cost in found) / events for name, found in costs.items()}
    report.say(f"{events:,} events that need no work, {THREADS} connections, medians of {turns} interleaved turns:")
    report.table(
        ["what", "CPU per event, µs", "events per second of one core", "a second here, beside MinIO and the load"],
        [[name, f"{cost:.0f}", f"{1e6 / cost:,.0f}", f"{1 / walls[name]:,.0f}"] for name, cost in micros.items()],
    )
    bare_cost, heads_cost, ours = micros.values()
    what = "nothing to do, events per core to a hello with two HEADs"
    report.goals.append(Goal(5, what, heads_cost / ours, 0.5, at_most=False))
    report.say(
        f"To the hello without any request: {bare_cost / ours:.2f}, "
        f"and the hello with two HEADs is {bare_cost / heads_cost:.2f} of it."
    )


@contextmanager
def indexes(minio: MinioServer, folder: Path, objects: int) -> Iterator[dict[str, Served]]:
    """The function on a real MinIO and over a store in memory, with one worker and with two."""
    with ExitStack() as held:
        found: dict[str, Served] = {}
        for workers in (1, 2):
            common = {"WORKERS": str(workers), "SOURCE": "s3://upload/in/*"}
            sink = {"SINK": f"sqlite://{folder}/minio-{workers}.db"}
            found[f"MinIO, WORKERS={workers}"] = held.enter_context(function_on(minio, "index", {**common, **sink}))
            sink = {"SINK": f"sqlite://{folder}/memory-{workers}.db", "OBJECTS": str(objects)}
            served = hello("in_memory", {**common, **sink}, workers=workers)
            found[f"store in memory, WORKERS={workers}"] = held.enter_context(served)
        yield found


def bare_loop(store: S3ObjectStore, numbers: range, state: str) -> Cost:
    """The requests that `index` makes of the store for these objects, and nothing else, on as many threads."""

    def ask(number: int) -> None:
        ref = ObjectRef("upload", f"in/{number}.csv")
        if state == NEW:
            found = store.open(ref)
            if found is None or b"".join(found[1]) != ROWS:
                raise RuntimeError(f"{ref} is not what was stored")
        if store.stat(ref) is None:
            raise RuntimeError(f"{ref} is gone")

    started, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(ask, numbers):
            pass
    return Cost(time.perf_counter() - started, time.process_time() - used, 0)


def index_path(report: Report, minio: MinioServer, folder: Path, turns: int, events: int) -> None:
    put_objects(minio, (f"in/{number}.csv" for number in range(turns * events)))
    rates: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    server = [child.pid for child in minio.children]
    endpoint = minio.endpoint
    store = S3ObjectStore(StoreSettings(endpoint.url, endpoint.access_key, endpoint.secret_key, "us-east-1", None))
    with indexes(minio, folder, turns * events) as found:
        for turn in range(turns):
            numbers = range(turn * events, (turn + 1) * events)
            bodies = [cloudevents(at, min(BATCH, numbers.stop - at)) for at in numbers[::BATCH]]
            for state in (NEW, UNCHANGED):
                ways: dict[str, Callable[[], Cost]] = {BARE_LOOP: partial(bare_loop, store, numbers, state)}
                for name, function in found.items():
                    post = partial(post_all, function.url, bodies, connections=THREADS, content_type=BATCHED)
                    ways[name] = partial(measured, function, post)
                for name, way in ways.items():
                    used = cpu_seconds(server)
                    cost = way()
                    beside = (cpu_seconds(server) - used) / events * 1e6
                    rates.setdefault((name, state), []).append((events / cost.wall, cost.cpu / events * 1e6, beside))
    middle = {key: [median(values) for values in zip(*runs, strict=True)] for key, runs in rates.items()}
    report.say(
        f"`index`, {events:,} events a turn in batches of {BATCH}, {THREADS} batches at once, SQLite with synchronous "
        f"FULL, medians of {turns} turns:"
    )
    report.table(
        ["what", "objects are", "events per second", "CPU per event, µs", "MinIO's CPU per event, µs", "MinIO's share"],
        [
            [*key, f"{rate:,.0f}", f"{cpu:.0f}", f"{beside:.0f}", f"{beside / (cpu + beside):.0%}"]
            for key, (rate, cpu, beside) in middle.items()
        ],
    )
    cores = os.cpu_count() or 1
    for state in (NEW, UNCHANGED):
        ours, loop = middle["MinIO, WORKERS=2", state], middle[BARE_LOOP, state]
        report.say(
            f"Objects that are {state}: {ours[0] / loop[0]:.2f} of the bare loop's events per second. MinIO with all "
            f"{cores} cores to itself would answer {cores * 1e6 / loop[2]:,.0f} such events a second."
        )
    for what, key in {
        "index, batches of new objects, own cost (store in memory), both cores": ("store in memory, WORKERS=2", NEW),
        "index, batches of unchanged objects, own cost, both cores": ("store in memory, WORKERS=2", UNCHANGED),
        "index, batches of new objects, a real MinIO on the same cores": ("MinIO, WORKERS=2", NEW),
    }.items():
        report.goals.append(Goal(5, what, middle[key][0], 10_000, at_most=False))
    ratio = middle["MinIO, WORKERS=2", NEW][0] / middle[BARE_LOOP, NEW][0]
    what = "index, new objects on MinIO, to a bare loop of the same GET and HEAD"
    report.goals.append(Goal(5, what, ratio, 0.5, at_most=False))


def main() -> None:
    args = arguments(__doc__, turns=5).parse_args()
    turns = 1 if args.small else args.turns
    report = Report("Cost of an event")
    with tempfile.TemporaryDirectory() as folder, MinioServer(Path(folder, "minio")) as minio:
        for bucket in ("upload", "processed"):
            minio.endpoint.client().make_bucket(bucket)
        skip_path(report, minio, turns, 300 if args.small else 2000)
        index_path(report, minio, Path(folder), turns, 500 if args.small else 4000)
    report.finish()


if __name__ == "__main__":
    main()
