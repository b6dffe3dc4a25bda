"""Compare `penstock donors` with the loop over Faker that it replaces: rows per second, and size after gzip -3.

    python bench/donors_vs_faker.py --rows 200000

Both run on one core, in turns, so that a change in the machine's speed meets both. Faker's rows are
written as the obvious program writes them: one call a field, one line a row.
"""

import argparse
import statistics
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import faker
from faker import Faker
from penstock.local.demo.donors import BLOOD_GROUPS, donor_chunks

from bench.report import Goal, Report

TURNS = 5
MILLION = 1_000_000


def faker_chunks(fake: Faker, rows: int) -> Iterator[bytes]:
    for _ in range(rows):
        yield (
            f"{fake.email()},{fake.name()},{fake.random_element(BLOOD_GROUPS)},"
            f"{fake.date_of_birth(minimum_age=18, maximum_age=107)},{fake.state()}\n"
        ).encode()


def timed(make: Callable[[], Iterator[bytes]]) -> tuple[float, bytes]:
    start = time.perf_counter()
    data = b"".join(make())
    return time.perf_counter() - start, data


def gzip_bytes(data: bytes) -> int:
    packer = zlib.compressobj(level=3, wbits=31)
    return len(packer.compress(data)) + len(packer.flush())


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare penstock donors with Faker.")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of each (default: %(default)s)")
    rows: int = parser.parse_args().rows

    fake = Faker("en_US")
    Faker.seed(0)
    list(donor_chunks(1))  # both have their tables before the clock starts
    ours_seconds, theirs_seconds = [], []
    ours, theirs = b"", b""
    for turn in range(TURNS):
        seconds, data = timed(partial(faker_chunks, fake, rows // TURNS))
        theirs_seconds.append(seconds / (rows // TURNS))
        theirs += data
        seconds, ours = timed(partial(donor_chunks, rows, seed=turn))
        ours_seconds.append(seconds / rows)

    print(f"{rows:,} rows of each, Faker {faker.VERSION}, median of {TURNS} turns")
    print(f"{'':10} {'rows/s':>10} {'bytes/row':>10} {'gzip -3':>10} {'ratio':>7}")
    for name, per_row, data in (("Faker", theirs_seconds, theirs), ("penstock", ours_seconds, ours)):
        packed = gzip_bytes(data)
        rate = 1 / statistics.median(per_row)
        count = data.count(b"\n")
        print(f"{name:10} {rate:10,.0f} {len(data) / count:10.2f} {packed / count:10.2f} {packed / len(data):7.4f}")
    times = statistics.median(theirs_seconds) / statistics.median(ours_seconds)
    print(f"size after gzip -3: {gzip_bytes(ours) / gzip_bytes(theirs) - 1:+.1%} of Faker's")

    seconds, data = timed(partial(donor_chunks, MILLION))
    print(
        f"one million rows: {seconds:.2f} s, {len(data) / 1e6:.1f} MB, {gzip_bytes(data) / 1e6:.1f} MB after gzip -3\n"
    )
    report = Report("donors", goals=[Goal(7, "rows per second to Faker's", times, 50, at_most=False)])
    report.finish()


if __name__ == "__main__":
    main()
