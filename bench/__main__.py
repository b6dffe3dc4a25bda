"""Every bench, one after the other: `python -m bench [--small] [NAME...]`. Ratios against peers, medians in turns."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent

# A bench by name, and its arguments when only a look is wanted.
BENCHES: dict[str, list[str]] = {
    "compress": ["--small"],
    "small_objects": ["--small"],
    "cold_start": ["--small"],
    "compress_codec": ["--rows", "50000", "--turns", "1"],
    "donors_vs_faker": ["--rows", "20000"],
    "index": ["--documents", "20000", "--rows", "100000", "--turns", "1"],
    "resize": ["--turns", "1", "--pictures", "2"],
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--small", action="store_true", help="little input, one turn: numbers to look at, not to quote")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(BENCHES)} (default: all)")
    args = parser.parse_args()
    if unknown := sorted(set(args.names) - set(BENCHES)):
        parser.error(f"no such bench: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    failed = []
    for name in args.names or BENCHES:
        started = time.perf_counter()
        print(f"\n## {name}\n", flush=True)
        command = [sys.executable, "-m", f"bench.{name}", *(BENCHES[name] if args.small else [])]
        if subprocess.run(command, cwd=HERE.parent).returncode:
            failed.append(name)
        print(f"\n({name}: {time.perf_counter() - started:.0f} s)", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
