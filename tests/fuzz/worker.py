"""`python -m tests.fuzz.worker`: tries the cases of one subject, in a process that may crash or hang.

Before each case its number is written to a file that the parent process watches. Each find is one line of JSON.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import gc
import json
import logging
import mmap
import random
import struct
import sys
import tempfile
import time
import traceback
from contextlib import ExitStack
from pathlib import Path

from tests.fuzz.heads_servers import SERVERS
from tests.fuzz.subjects import Subject, subjects

# Memory grows at first: caches fill. Afterwards it may grow by so much and not more.
_WARM_CASES = 400
_GROWTH_BYTES = 160 * 1024 * 1024
_MAX_FINDS = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.worker", description=__doc__)
    parser.add_argument("subject")
    parser.add_argument("seed", type=int)
    parser.add_argument("first", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("place", type=Path)
    parser.add_argument("--only", action="store_true", help="the first case alone")
    arguments = parser.parse_args()
    # What is logged about bad inputs says nothing here.
    logging.disable(logging.CRITICAL)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="penstock-fuzz-")))
        name = arguments.subject
        subject: Subject = SERVERS[name](held) if name in SERVERS else subjects(folder)[name]()
        with arguments.place.open("r+b") as file, mmap.mmap(file.fileno(), 8) as place:
            return _run(subject, arguments, place)


def case_of(subject: Subject, seed: int, number: int) -> bytes:
    """The input with this number: first what was found before, then what the seed makes."""
    old = subject.first()
    if number < len(old):
        return old[number]
    return subject.case(random.Random(f"{seed}/{subject.name}/{number}"), number - len(old))


def _run(subject: Subject, arguments: argparse.Namespace, place: mmap.mmap) -> int:
    number, finds, warm = arguments.first, 0, 0
    end = time.monotonic() + arguments.seconds
    while time.monotonic() < end and finds < _MAX_FINDS:
        place[:8] = struct.pack("q", number)
        data = case_of(subject, arguments.seed, number)
        try:
            subject.check(data)
        except Exception as error:  # noqa: BLE001 - every one is a find
            finds += 1
            trace = "".join(traceback.format_exception(error)[-4:])
            _say(number, f"{type(error).__name__}: {error}"[:1500], data, trace[-2500:])
        number += 1
        if number - arguments.first == _WARM_CASES:
            warm = _resident_bytes()
        if arguments.only:
            return finds
    if warm and (grown := _resident_bytes() - warm) > _GROWTH_BYTES:
        _say(number, f"memory grew by {grown} bytes in {number - arguments.first - _WARM_CASES} cases", b"", "")
    place[:8] = struct.pack("q", number)
    return 0


def _say(number: int, what: str, data: bytes, trace: str) -> None:
    find = {"case": number, "what": what, "data": base64.b64encode(data).decode(), "trace": trace}
    sys.stdout.write(json.dumps(find) + "\n")
    sys.stdout.flush()


def _resident_bytes() -> int:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


if __name__ == "__main__":
    sys.exit(main())
