"""Measure the index: documents per second into SQLite, and megabytes of CSV per second, each beside a bare loop.

    python bench/index.py [--documents 100000] [--rows 1000000] [--turns 3]

The bare loop of SQLite inserts the same ready JSON texts with one statement, in commits of 500, as durably (a log with
synchronous FULL); it keeps no marks, no versions, no full text. The bare loops of CSV count the rows of Python's csv
module, and only read. Turns are interleaved, and figures are medians. Peak memory is that of a process of its own.
"""

import argparse
import csv
import gc
import gzip
import io
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import zstandard
from penstock import Body, Context, Event, Result
from penstock.handler.loading import load_module
from penstock.local.demo.donors import write_donors
from penstock.sinks.document import inside, to_json
from penstock.sinks.sqlite import SqliteSink
from penstock.streams import CHUNK_BYTES, read_chunks
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Write

from bench.report import Goal, Report

ROOT = Path(__file__).parent.parent
MARK = Mark("a" * 32, "index", "b" * 16, "c" * 64)
BATCH = 500
THREADS = 16
NOW = datetime.now(UTC)

Run = Callable[[Path], None]


def documents(count: int) -> list[Write]:
    """What the handler gives for small CSV files, with the default five rows."""
    writes = []
    for number in range(count):
        rows = [[f"p{number}.{row}@example.com", f"Ann Lee {row}", "A+", "1970-01-01", "Ohio"] for row in range(5)]
        columns = ["email", "name", "type", "birthday", "state"]
        table = {
            "encoding": "ascii",
            "delimiter": ",",
            "header": True,
            "columns": columns,
            "rows": 1000,
            "first_rows": rows,
        }
        inside = {
            "kind": "csv",
            "type": "text/csv",
            "name": f"{number}.csv",
            "complete": True,
            "warnings": [],
            "csv": table,
        }
        ref = ObjectRef("upload", f"in/{number % 100}/{number}.csv")
        source = ObjectState(ref, 60_000, f"{number:032x}", None, "text/csv", {}, NOW)
        writes.append(Write(f"{ref.bucket}/{ref.key}", Result(inside), MARK, source, None))
    return writes


def batches(writes: list[Write]) -> Iterator[list[Write]]:
    for start in range(0, len(writes), BATCH):
        yield writes[start : start + BATCH]


def bare(writes: list[Write]) -> Run:
    rows = [(write.address, to_json(inside(write.result, write.address))) for write in writes]

    def run(folder: Path) -> None:
        db = sqlite3.connect(folder / "bare.db", isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE documents (id TEXT PRIMARY KEY, body TEXT)")
        for start in range(0, len(rows), BATCH):
            db.execute("BEGIN IMMEDIATE")
            for row in rows[start : start + BATCH]:
                db.execute("INSERT INTO documents VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body", row)
            db.execute("COMMIT")
        db.close()

    return run


def in_batches(writes: list[Write], threads: int) -> Run:
    def run(folder: Path) -> None:
        sink = SqliteSink(folder / "index.db", "index")
        todo = batches(writes)
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    batch = next(todo, None)
                if batch is None:
                    return
                if not all(isinstance(outcome, Entry) for outcome in sink.write_many(batch)):
                    raise RuntimeError("a write failed")

        spread(work, threads)
        sink.close()

    return run


def one_by_one(writes: list[Write], threads: int) -> Run:
    def run(folder: Path) -> None:
        sink = SqliteSink(folder / "index.db", "index")
        todo = iter(writes)
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    write = next(todo, None)
                if write is None:
                    return
                [stored] = sink.write_many([write])
                if not isinstance(stored, Entry):
                    raise stored

        spread(work, threads)
        sink.close()

    return run


def searchable(writes: list[Write]) -> Run:
    def run(folder: Path) -> None:
        in_batches(writes, 1)(folder)
        sink = SqliteSink(folder / "index.db", "index")
        if not sink.search(f"{len(writes) - 1}.csv"):
            raise RuntimeError("the last document cannot be found")
        sink.close()

    return run


def spread(work: Callable[[], None], threads: int) -> None:
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def measure_sqlite(count: int, turns: int) -> None:
    writes = documents(count)
    few = writes[: count // 20]
    runs: dict[str, tuple[int, Run]] = {
        "bare loop, batches of 500": (count, bare(writes)),
        "sink, batches of 500": (count, in_batches(writes, 1)),
        "sink, batches of 500, 2 threads": (count, in_batches(writes, 2)),
        "sink, batches of 500, until found by a search": (count, searchable(writes)),
        "sink, one write a call": (len(few), one_by_one(few, 1)),
        f"sink, one write a call, {THREADS} threads": (len(few), one_by_one(few, THREADS)),
    }
    gc.collect()
    gc.freeze()  # the ready documents are the bench's, and a service would not have the collector look at them
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(turns):
        for name, (done, run) in runs.items():
            with tempfile.TemporaryDirectory() as folder:
                wall, cpu = time.perf_counter(), time.process_time()
                run(Path(folder))
                rates[name].append((done / (time.perf_counter() - wall), done / (time.process_time() - cpu)))
    report = Report(f"{count:,} documents into SQLite, synchronous FULL, median of {turns} interleaved turns")
    middle = {
        name: [statistics.median(values) for values in zip(*measured, strict=True)] for name, measured in rates.items()
    }
    rows = [[name, f"{wall:,.0f}", f"{cpu:,.0f}"] for name, (wall, cpu) in middle.items()]
    report.table(["what", "documents per second", "per processor second"], rows)
    reached, _ = middle["sink, batches of 500"]
    report.goals.append(
        Goal(5, "index, documents per second into SQLite, batches of 500", reached, 50_000, at_most=False)
    )
    report.finish()


def describe(path: Path) -> dict[str, object]:
    handler = load_module(ROOT / "functions" / "index")
    with path.open("rb") as file:
        body = Body(lambda: read_chunks(file, CHUNK_BYTES))
        options = handler.Options(max_scan_bytes=2**40)
        result = handler.handle(Event(path.name, path.stat().st_size, "", {}, options, body), Context("index"))
    document: dict[str, object] = result.body
    return document


def peak_mib(path: Path) -> float:
    """Peak memory of a process that describes this one file."""
    shown = subprocess.run(
        [sys.executable, __file__, "--describe", str(path)], capture_output=True, text=True, check=True
    )
    return int(shown.stdout.splitlines()[-1]) / 1024


def measure_csv(rows: int, turns: int, folder: Path) -> None:
    plain = folder / "donors.csv"
    write_donors(plain, rows)
    data = plain.read_bytes()
    quoted = folder / "quoted.csv"
    with plain.open(newline="") as source, quoted.open("w", newline="") as target:
        csv.writer(target, quoting=csv.QUOTE_ALL).writerows(csv.reader(source, skipinitialspace=True))
    embedded = folder / "embedded.csv"
    embedded.write_bytes(_with_commas(data))
    (folder / "donors.csv.gz").write_bytes(gzip.compress(data, 3))
    (folder / "donors.csv.zst").write_bytes(zstandard.compress(data))

    def csv_module(path: Path) -> object:
        with path.open(newline="") as file:
            return sum(1 for _ in csv.reader(file)) - 1

    def read_only(path: Path) -> object:
        with path.open("rb") as file:
            return sum(map(len, read_chunks(file, CHUNK_BYTES)))

    runs: dict[str, tuple[Path, Callable[[Path], object]]] = {
        "read only": (plain, read_only),
        "Python's csv module": (plain, csv_module),
        "index, csv": (plain, describe),
        "index, csv.gz": (folder / "donors.csv.gz", describe),
        "index, csv.zst": (folder / "donors.csv.zst", describe),
        "index, csv, every field quoted": (quoted, describe),
        "index, csv, a comma in each name": (embedded, describe),
    }
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(turns):
        for name, (path, run) in runs.items():
            size = len(data) if path.suffix in (".gz", ".zst") else path.stat().st_size
            start = time.perf_counter()
            found = run(path)
            rates[name].append(size / 1e6 / (time.perf_counter() - start))
            if isinstance(found, dict) and found["csv"]["rows"] != rows:
                raise RuntimeError(f"{name}: {found['csv']['rows']} rows instead of {rows}")
    print(f"\ndonors.csv, {rows} rows, {len(data) / 1e6:.1f} MB, median of {turns} interleaved turns")
    print("| what | MB/s of CSV |\n|---|---|")
    for name, measured in rates.items():
        print(f"| {name} | {statistics.median(measured):,.0f} |")
    small = folder / "small.csv"
    small.write_bytes(data[: len(data) // 20])
    print(f"\npeak memory: {peak_mib(small):.1f} MiB for a twentieth of it, {peak_mib(plain):.1f} MiB for all of it\n")


def _with_commas(data: bytes) -> bytes:
    target = io.BytesIO()
    for number, line in enumerate(data.splitlines(keepends=True)):
        email, name, rest = line.split(b",", 2)
        target.write(line if number == 0 else b'%s,"%s, jr",%s' % (email, name, rest))
    return target.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the index's sink and its CSV reader.")
    parser.add_argument("--documents", type=int, default=100_000, help="documents to store (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of donors (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="interleaved runs of each (default: %(default)s)")
    parser.add_argument("--describe", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.describe:
        print(json.dumps(describe(args.describe)))
        # Not ru_maxrss: that begins with the peak of the process that started this one.
        status = Path("/proc/self/status").read_text(encoding="ascii")
        print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))
        return 0
    print(f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory() as folder:
        measure_csv(args.rows, args.turns, Path(folder))
    measure_sqlite(args.documents, args.turns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
