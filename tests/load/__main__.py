"""`python -m tests.load`: load for a time, then figures; ends with 1 when something was answered wrongly or grew.

One turn is steady load on all functions together, then a burst on each: more requests at once than its threads and its
waiting places. After each turn, when nothing is under way, memory and descriptors are looked at.
"""

from __future__ import annotations

import argparse
import gzip
import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from minio import Minio
from minio.error import S3Error

from tests.components import MinioServer
from tests.components.process import free_ports
from tests.integration.connect_helpers import Penstock
from tests.integration.processes import store_settings
from tests.load import samples
from tests.load.callers import SOURCES, TARGETS, Answers, Call, ask, burst, event, steady
from tests.paths import ROOT

THREADS, MAX_WAITING = 4, 16
CALLERS, KEYS = 3, 20
# Turns are short, so that also a minute has some.
_STEADY_SECONDS = 6.0
_BURST = 4 * (THREADS + MAX_WAITING)
_READY_SECONDS = 120.0
_MAX_GROWN_BYTES = 48 * 1024 * 1024
_MAX_GROWN_DESCRIPTORS = 12


@dataclass
class Loaded:
    """One function under load."""

    child: Penstock
    make: Callable[[int, int], Call]
    steady: Answers = field(default_factory=Answers)
    burst: Answers = field(default_factory=Answers)
    samples: list[samples.Sample] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long (default: %(default)s)")
    arguments = parser.parse_args()
    print(f"load: {arguments.seconds:.0f} s", flush=True)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="penstock-load-")))
        minio = held.enter_context(MinioServer(folder / "minio"))
        client = minio.endpoint.client()
        for bucket in (SOURCES, TARGETS):
            client.make_bucket(bucket_name=bucket)
        functions = _functions(folder, minio, client)
        for name, one in functions.items():
            held.callback(one.child.stop)
            one.child.until(one.child.is_ready, f"{name} ready", timeout_seconds=_READY_SECONDS)
        began = time.monotonic()
        turns = 0
        while time.monotonic() - began < arguments.seconds or turns < 6:
            _turn(functions)
            turns += 1
            for one in functions.values():
                one.samples.append(samples.take(one.child.pid, time.monotonic() - began))
        problems = list(_wrong_targets(client, functions["compress"]))
        for name, one in functions.items():
            one.child.stop(60)
            if one.child.returncode() != 0:
                problems.append(
                    f"{name} ended with {one.child.returncode()}; its log ends with {one.child.text()[-2000:]}"
                )
        problems += _report(functions, time.monotonic() - began, turns)
    for problem in problems[:40]:
        print(f"WRONG {problem}")
    return 1 if problems else 0


def _functions(folder: Path, minio: MinioServer, client: Minio) -> Mapping[str, Loaded]:
    picture = _picture()

    def text(caller: int, number: int) -> bytes:
        return b"email,name\n" + b"%d@example.com,%d\n" % (caller, number) * (100 + number % 400)

    def changed(name: str, data: Callable[[int, int], bytes]) -> Callable[[int, int], Call]:
        """Two of three requests are about an object that has just changed, the third is a direct call."""

        def make(caller: int, number: int) -> Call:
            body = data(caller, number)
            if number % 3 == 2:
                return Call(f"/{caller}.{name}", body, "application/octet-stream")
            key = f"{name}/{caller}-{number % KEYS}"
            client.put_object(bucket_name=SOURCES, object_name=key, data=io.BytesIO(body), length=len(body))
            return event(key)

        return make

    sinks = {"compress": f"s3://{TARGETS}/{{key}}.gz", "resize": f"s3://{TARGETS}/{{key}}.jpg"}
    made = {}
    for name, port in zip(("compress", "resize", "index"), free_ports(3), strict=True):
        settings = {
            "FUNCTION_NAME": name,
            "SOURCE": f"s3://{SOURCES}/{name}/*",
            "SINK": sinks.get(name, f"sqlite://{folder / 'index.db'}"),
            "THREADS": str(THREADS),
            "MAX_WAITING": str(MAX_WAITING),
            "LOG_LEVEL": "WARNING",
            "PORT": str(port),
            **({"OPTION_WIDTH": "200"} if name == "resize" else {}),
            **store_settings(minio),
        }
        words = ("serve", str(ROOT / "functions" / name), "--host", "127.0.0.1")
        child = Penstock(name, folder, *words, env=settings, address=f"127.0.0.1:{port}")
        made[name] = Loaded(child, changed(name, (lambda *_: picture) if name == "resize" else text))
    return made


def _turn(functions: Mapping[str, Loaded]) -> None:
    with ThreadPoolExecutor(len(functions)) as pool:
        running = [
            pool.submit(steady, one.child.address, CALLERS, _STEADY_SECONDS, one.make, one.steady)
            for one in functions.values()
        ]
        for each in running:
            each.result()
    for one in functions.values():
        calls = [one.make(number % CALLERS, number) for number in range(_BURST)]
        statuses = burst(one.child.address, calls, one.burst)
        # What was taken in is finished: as many good answers as threads and waiting places, at the least.
        if statuses.count(200) < THREADS:
            one.burst.problems.append(f"{statuses.count(200)} of {_BURST} requests at once were answered 200")


def _wrong_targets(client: Minio, compress: Loaded) -> Iterator[str]:
    """Targets of compress that are not their sources packed, after one more event for each source."""
    for item in client.list_objects(bucket_name=SOURCES, prefix="compress/", recursive=True):
        key = str(item.object_name)
        ask(compress.child.address, event(key), compress.steady, may_refuse=False)
        source, target = _read(client, SOURCES, key), _read(client, TARGETS, f"{key}.gz")
        try:
            if gzip.decompress(target) != source:
                yield f"target of {key}: not of its source's last state"
        except (OSError, EOFError) as error:
            yield f"target of {key}: not whole ({error})"


def _read(client: Minio, bucket: str, key: str) -> bytes:
    try:
        with client.get_object(bucket_name=bucket, object_name=key) as response:
            return bytes(response.read())
    except S3Error:
        return b""


def _report(functions: Mapping[str, Loaded], seconds: float, turns: int) -> list[str]:
    problems = []
    for name, one in functions.items():
        for kind, answers in (("steady", one.steady), ("bursts", one.burst)):
            statuses = ", ".join(f"{count} of {status}" for status, count in sorted(answers.statuses.items()))
            print(
                f"{name}, {kind}: {statuses}; half within {answers.quantile(0.5) * 1000:.0f} ms, 99 % within "
                f"{answers.quantile(0.99) * 1000:.0f} ms, all within {answers.quantile(1.0) * 1000:.0f} ms"
            )
            problems += [f"{name}, {kind}: {problem}" for problem in answers.problems[:5]]
        refused = sum(count for status, count in one.burst.statuses.items() if status in (429, 503))
        if not refused:
            problems.append(f"{name}: no burst was more than it takes, so nothing was shown")
        growth = samples.Growth.of(one.samples)
        print(f"{name}: {growth}")
        problems += [f"{name}: {each}" for each in growth.problems(_MAX_GROWN_BYTES, _MAX_GROWN_DESCRIPTORS)]
    print(f"load: {seconds:.0f} s, {turns} turns, problems: {len(problems)}")
    return problems


def _picture() -> bytes:
    from functions.resize.samples import photo, saved

    return saved(photo(640, 480), "jpeg")


if __name__ == "__main__":
    sys.exit(main())
