"""What `index` takes for one small file, beside Python's csv module that guesses and counts.

    python -m bench.small_files [--small] [--turns 7]

The handler alone, in one process and one thread, on texts of 20 rows that differ from call to call: processor time,
best of the turns. Beside it `csv.Sniffer` guesses the dialect and the header of the same text, and `csv.reader` counts
its rows; it makes no document. Store, sink and event are left out: `bench.events` has them.
"""

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path

from penstock import Body, Context, Event
from penstock.handler.loading import load_module

from bench.report import Report, arguments

HANDLER = load_module(Path(__file__).parents[1] / "functions" / "index")
HEAD = b"email, name, type, birthday, state\n"
FILES: dict[str, bytes] = {
    "five columns, all texts but one": HEAD + b"a@example.com,Ann Lee,A+,1970-01-01,Ohio\n" * 20,
    "three columns, numbers": b"id,price,qty\n" + b"".join(b"%d,%d.5,%d\n" % (n, n * 3, n % 7) for n in range(20)),
    "quotes": b"id,name,text\n" + b"".join(b'%d,"Ann, Lee","a ""b"" c"\n' % n for n in range(20)),
    "semicolons, commas in numbers": b"id;name;price\n" + b"".join(b"%d;Ann;%d,5\n" % (n, n) for n in range(20)),
    "a letter called .csv": b"Dear Ann, thank you for the letter.\nIt came today.\nBest, Bob\n" * 10,
    "JSON lines called .csv": b'{"a": 1, "b": [1, 2, 3]}\n' * 20,
}


def described(data: bytes) -> None:
    event = Event("t.csv", len(data), "text/csv", {}, HANDLER.Options(), Body.of(data))
    HANDLER.handle(event, Context("index"))


def sniffed(data: bytes) -> None:
    text = data.decode()
    sniffer = csv.Sniffer()
    try:
        dialect = sniffer.sniff(text)
        sniffer.has_header(text)
    except csv.Error:  # "Could not determine delimiter"
        return
    sum(1 for _ in csv.reader(io.StringIO(text, newline=""), dialect))


def micros(work: Callable[[bytes], None], data: bytes, calls: int) -> float:
    texts = [data.replace(b"Ann", b"A%04d" % number).replace(b"a@", b"b%d@" % number) for number in range(calls)]
    start = time.process_time()
    for text in texts:
        work(text)
    return (time.process_time() - start) / calls * 1e6


def main() -> None:
    args = arguments(__doc__, turns=7).parse_args()
    turns, calls = (1, 20) if args.small else (args.turns, 400)
    report = Report("One small file")
    rows = []
    for name, data in FILES.items():
        ours, theirs = (min(micros(work, data, calls) for _ in range(turns)) for work in (described, sniffed))
        rows.append([name, f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"])
    report.table(["file of 20 rows", "`index`, µs", "csv.Sniffer and csv.reader, µs", "ratio"], rows)
    report.finish()


if __name__ == "__main__":
    main()
