"""`python -m tests.chaos`: run campaigns, print what they did, and end with 1 when the lake and the model differ."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from pathlib import Path

from tests.chaos import volumes
from tests.chaos.campaign import LONG, LONG_SEEDS, SHORT, Verdict, run

_SHOWN = 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed again (default: a new one)")
    parser.add_argument("--seeds", type=int, help="so many campaigns, each with the next seed, and their sum")
    parser.add_argument("--long", action="store_true", help=f"{LONG.operations} operations a seed and longer faults")
    parser.add_argument("--operations", type=int, help=f"so many operations a seed (default: {SHORT.operations})")
    parser.add_argument("--without", nargs="*", default=[], metavar="TEXT", help="leave out faults with these texts")
    parser.add_argument("--no-kafka", action="store_true", help="events by webhook only")
    parser.add_argument("--folder", type=Path, help="keep logs and data here (default: kept only after a failure)")
    arguments = parser.parse_args()
    volumes.move_inside(sys.argv[1:])
    # One seed that is given is one that failed; the long form alone goes through some.
    seeds = arguments.seeds or (LONG_SEEDS if arguments.long and arguments.seed is None else 1)
    first = arguments.seed if arguments.seed is not None else secrets.randbelow(1_000_000)
    began = time.monotonic()
    verdicts = [_campaign(seed, arguments) for seed in range(first, first + seeds)]
    failed = [verdict.seed for verdict in verdicts if verdict.findings]
    if seeds > 1:
        total = Verdict(first)
        for each in verdicts:
            total.add(each)
        print(f"\nSUM of {seeds} seeds, {first} to {first + seeds - 1}; failed: {failed or 'none'}")
        _report(total, time.monotonic() - began)
    return 1 if failed else 0


def _campaign(seed: int, arguments: argparse.Namespace) -> Verdict:
    size = LONG if arguments.long else SHORT
    if arguments.operations:
        size = replace(size, operations=arguments.operations)
    folder = arguments.folder / str(seed) if arguments.folder else Path(tempfile.mkdtemp(prefix="penstock-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    again = f"make chaos SEED={seed}{' LONG=1' if arguments.long else ''}"
    print(f"chaos: seed {seed}, {size.operations} operations; logs in {folder}; again: {again}", flush=True)
    began = time.monotonic()
    try:
        verdict = run(seed, size, folder, with_kafka=not arguments.no_kafka, without=arguments.without)
    except Exception as error:  # noqa: BLE001 - the next seed runs all the same
        traceback.print_exc()
        verdict = Verdict(seed, findings=[f"broke off: {type(error).__name__}: {error}"])
    _report(verdict, time.monotonic() - began)
    if verdict.findings:
        print(f"chaos: seed {seed} FAILED; logs are in {folder}; again: {again}", flush=True)
    elif arguments.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    return verdict


def _report(verdict: Verdict, seconds: float) -> None:
    counts = {"operations": verdict.operations, "faults": verdict.faults, "broken requests": verdict.broken}
    for title, counter in counts.items():
        parts = ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))
        print(f"{title}: {sum(counter.values())} ({parts})")
    print(f"requests of functions to the store: {verdict.store_requests}; dead letters: {verdict.dead_letters}")
    phases = ", ".join(f"{name} {spent:.0f} s" for name, spent in verdict.seconds.items())
    print(f"objects at the end: {verdict.objects}; {seconds:.0f} s in all ({phases})")
    for line in verdict.findings[:_SHOWN]:
        print(f"WRONG {line}")
    if len(verdict.findings) > _SHOWN:
        print(f"WRONG and {len(verdict.findings) - _SHOWN} more", flush=True)


if __name__ == "__main__":
    sys.exit(main())
