"""Measure the compress function's settings without any store: size and CPU time beside Go's compress/gzip at level 3.

    python bench/compress_codec.py [--rows 200000] [--turns 5] [--file FILE] [--threads 1]

Go's share is measured by bench/gopeer in its `codec` mode, built here. The turns are interleaved, so that a change in
the machine's speed meets all alike, and every output is unpacked and compared with the input. Ratios are medians.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard
from penstock import Body, Context, Event
from penstock.handler.loading import load_module
from penstock.local.demo.donors import write_donors
from penstock.streams import CHUNK_BYTES, as_chunks

ROOT = Path(__file__).parent.parent
Measured = tuple[int, float, float]  # bytes out, wall seconds, CPU seconds


def build_go(folder: Path) -> Path:
    program = folder / "gopeer"
    subprocess.run(["go", "build", "-trimpath", "-o", str(program), "."], cwd=ROOT / "bench" / "gopeer", check=True)
    return program


def measure_go(program: Path, source: Path, mode: str, threads: int) -> Measured:
    """Run the codec mode in its own process; it prints bytes out, wall and CPU seconds of the packing alone."""
    shown = subprocess.run(
        [str(program), "-codec", str(source), "-mode", mode],
        env={**os.environ, "GOMAXPROCS": str(threads)},
        capture_output=True,
        text=True,
        check=True,
    )
    size, wall, cpu = shown.stdout.split()
    return int(size), float(wall), float(cpu)


def measure(pack: Callable[[bytes], Iterator[bytes]], data: bytes) -> tuple[Measured, bytes]:
    wall, cpu = time.perf_counter(), time.process_time()
    packed = list(pack(data))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    whole = b"".join(packed)
    return (len(whole), wall, cpu), whole


def unpack(packed: bytes) -> bytes:
    if packed.startswith(b"\x1f\x8b"):
        return zlib.decompress(packed, wbits=31)
    return zstandard.ZstdDecompressor().decompressobj().decompress(packed)


def packers(threads: int) -> dict[str, Callable[[bytes], Iterator[bytes]]]:
    handler = load_module(ROOT / "functions" / "compress")

    def with_options(kind: str, setting: str) -> Callable[[bytes], Iterator[bytes]]:
        options = handler.Options(format=kind, setting=setting, threads=threads)

        def pack(data: bytes) -> Iterator[bytes]:
            parts = (data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))
            event = Event("donors.csv", len(data), "text/csv", {}, options, Body(lambda: parts))
            return iter(as_chunks(handler.handle(event, Context("compress")).body))

        return pack

    def stdlib(data: bytes) -> Iterator[bytes]:
        packer = zlib.compressobj(level=3, wbits=31)
        yield packer.compress(data)
        yield packer.flush()

    return {f"{kind} {setting}": with_options(kind, setting) for kind, setting in handler.PLANS} | {
        "Python's zlib 3": stdlib
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the compress function's codecs beside Go's.")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of donors (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=5, help="interleaved runs of each (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="cores for one input (default: %(default)s)")
    parser.add_argument("--file", type=Path, help="measure this file instead of donors")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source: Path = args.file or folder / "donors.csv"
        if args.file is None:
            write_donors(source, args.rows)
        data = source.read_bytes()
        program = build_go(folder)
        results: dict[str, list[Measured]] = {}
        for _ in range(args.turns):
            for mode, name in {"gzip": "Go gzip 3", "klauspost": "Go klauspost 3", "pgzip": "Go pgzip 3"}.items():
                results.setdefault(name, []).append(measure_go(program, source, mode, args.threads))
            for name, pack in packers(args.threads).items():
                measured, packed = measure(pack, data)
                if unpack(packed) != data:
                    print(f"{name}: what comes out is not what went in", file=sys.stderr)
                    return 1
                results.setdefault(name, []).append(measured)

    peer_size, peer_wall, peer_cpu = (statistics.median(values) for values in zip(*results["Go gzip 3"], strict=True))
    print(f"{source.name}, {len(data) / 1e6:.1f} MB, {args.threads} threads, median of {args.turns} interleaved turns")
    print("| what | size | wall | CPU | MB/s |\n|---|---|---|---|---|")
    for name, turns in results.items():
        size, wall, cpu = (statistics.median(values) for values in zip(*turns, strict=True))
        rate = len(data) / 1e6 / wall
        print(f"| {name} | {size / peer_size:.3f} | {wall / peer_wall:.2f} | {cpu / peer_cpu:.2f} | {rate:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
