"""`penstock demo`: a million donors and eight photographs through all three functions, every output read back."""

import argparse
import contextlib
import hashlib
import os
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from penstock.commands.up import add_stack_arguments, options_from, raise_file_limit, running, set_up_terminal
from penstock.errors import ConfigError, PenstockError
from penstock.local.demo import checks as demo_checks
from penstock.local.demo.checks import CheckFailed, Uploaded
from penstock.local.demo.donors import DEFAULT_ROWS, donor_chunks, row_count
from penstock.local.demo.photos import read_photos
from penstock.local.demo.report import Report, Row
from penstock.local.gateway.invocations import Invocation
from penstock.local.gateway.router import Route
from penstock.local.stack import Stack
from penstock.local.store.minio import RealMinio
from penstock.process.signals import end_on_sigterm
from penstock.settings.config import Config
from penstock.types import ObjectRef

_ZERO_AFTER_SECONDS: Final = 3.0
_ZERO_WAIT_SECONDS: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_stack_arguments(parser, port=0, store_port=0)
    parser.add_argument("--rows", type=row_count, default=DEFAULT_ROWS, help="donors to make (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which donors (default: %(default)s)")
    parser.add_argument(
        "--timeout", type=_seconds, default=300.0, help="seconds to wait for results (default: %(default)s)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the demo's objects on a real MinIO server")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of seconds above 0")
    return seconds


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 when every output is right, 1 when one is missing, wrong or was refused."""
    set_up_terminal(os.environ.get("LOG_LEVEL", "ERROR").upper())
    raise_file_limit()
    end_on_sigterm()
    if args.zero_after is None:
        args.zero_after = _ZERO_AFTER_SECONDS
    report = Report(sys.stdout)
    with contextlib.ExitStack() as held:
        data = args.data or _temporary_folder(held)
        with running(options_from(args, data)) as stack:
            problems = _Demo(stack, report, args).run()
    report.verdict(problems)
    if problems:
        where = f"are in {data}" if args.data else "are gone; --data FOLDER keeps those of the next run"
        print(f"logs and inbox {where}", file=sys.stderr)
        return 1
    return 0


def _temporary_folder(held: contextlib.ExitStack) -> Path:
    """A folder that goes with `held`, whatever happens; a function's log may still be written then."""
    return Path(held.enter_context(tempfile.TemporaryDirectory(prefix="penstock-demo-", ignore_cleanup_errors=True)))


@dataclass(slots=True)
class _Awaited:
    """What must happen: a function takes an object, and makes a target of each rendition. Filled in when it has."""

    function: str
    source: ObjectRef
    targets: Mapping[str | None, ObjectRef]
    row: Row | None = None
    refused: str = ""

    @property
    def done(self) -> bool:
        return self.row is not None or bool(self.refused)


@dataclass(slots=True)
class _Progress:
    """The chain of functions each upload goes through, followed by the answers they give."""

    routes: tuple[Route, ...]
    awaited: dict[tuple[str, ObjectRef], _Awaited] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def expect(self, ref: ObjectRef) -> None:
        """Await every function that takes the object, and every one that takes what those make."""
        for route in self.routes:
            if route.config.takes(ref) and (route.name, ref) not in self.awaited:
                names: list[str | None] = list(route.config.renditions) or [None]
                address = route.address
                targets = {name: made for name in names if address and (made := address.of(ref, name)) is not None}
                self.awaited[route.name, ref] = _Awaited(route.name, ref, targets)
                for target in targets.values():
                    self.expect(target)

    def saw(self, invocation: Invocation) -> None:
        """Take note of one answer; called on the gateway's threads."""
        answer = invocation.answer or {}
        for result in answer.get("results", [answer]):
            self._note(invocation, result)

    def _note(self, invocation: Invocation, result: Mapping[str, Any]) -> None:
        source = result.get("source") or {}
        ref = ObjectRef(str(source.get("bucket")), str(source.get("key")))
        with self.changed:
            awaited = self.awaited.get((invocation.function, ref))
            if awaited is None or awaited.done:
                return
            if result.get("outcome") == "processed":
                sizes = [target.get("size", 0) for target in result.get("targets", [])]
                awaited.row = Row(
                    source=ref,
                    function=invocation.function,
                    cold=invocation.cold,
                    seconds=invocation.seconds,
                    bytes_in=int(source.get("size", 0)),
                    bytes_out=sum(sizes),
                )
            elif result.get("outcome") == "refused":
                awaited.refused = str(result.get("reason", "refused"))
            self.changed.notify_all()

    def count(self) -> tuple[int, int]:
        return sum(1 for awaited in self.awaited.values() if awaited.done), len(self.awaited)

    def wait(self, seconds: float, stop: Callable[[], bool], show: Callable[[int, int], None]) -> None:
        """Return when all is done, `stop()` holds or the time is up."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                done, all_of_them = self.count()
                show(done, all_of_them)
                left = deadline - time.monotonic()
                if done == all_of_them or left <= 0 or stop():
                    return
                self.changed.wait(min(left, 0.5))


class _Demo:
    """One run on a stack that is up."""

    def __init__(self, stack: Stack, report: Report, args: argparse.Namespace) -> None:
        self._stack, self._report, self._args = stack, report, args
        self._real = isinstance(stack.lake, RealMinio)
        # A server that is kept has objects of earlier runs: equal ones would be skipped, and never reach the index.
        self._prefix = f"demo-{secrets.token_hex(3)}/" if self._real else ""
        self._progress = _Progress(stack.router.routes)
        self._uploads: dict[ObjectRef, Uploaded] = {}
        self._dead_before = stack.inbox.counts().dead  # of earlier runs in the same --data folder

    def run(self) -> list[str]:
        """Do all of it and return what went wrong."""
        self._report.opening(self._stack, self._args.rows)
        self._stack.invocations.listen(self._progress.saw)
        try:
            self._upload_all()
            self._wait()
            problems = [*self._unfinished(), *self._dead_letters()]
            rows = [awaited.row for awaited in self._progress.awaited.values() if awaited.row is not None]
            self._report.table(rows, self._prefix)
            problems += self._check_all()
            if not self._stack.functions.wait_until_zero(_ZERO_WAIT_SECONDS):
                awake = ", ".join(function.spec.name for function in self._stack.functions if function.replicas)
                problems.append(f"still running {_ZERO_WAIT_SECONDS:g} s after the last request: {awake}")
            else:
                self._report.asleep(len(list(self._stack.functions)))
        finally:
            self._clean_up()
        return problems

    def _upload_all(self) -> None:
        donors = self._place("donors.csv")
        self._upload(donors, donor_chunks(self._args.rows, seed=self._args.seed), "application/csv")
        for photo, data in read_photos():
            self._upload(self._place(photo.key), [data], "image/jpeg", demo_checks.pixels_of(data))
        self._report.line("")

    def _place(self, key: str) -> ObjectRef:
        """The bucket whose objects with such a key are somebody's first input; raises `ConfigError`."""
        key = self._prefix + key
        routes = self._stack.router.routes
        made = {route.address.bucket for route in routes if route.address is not None}
        for route in routes:
            for rule in route.config.sources:
                if rule.bucket not in made and rule.matches(ObjectRef(rule.bucket, key)):
                    return ObjectRef(rule.bucket, key)
        raise ConfigError(f"{key}: no function of {self._args.stack} takes it; the demo is for functions that do")

    def _upload(
        self, ref: ObjectRef, chunks: Iterable[bytes], content_type: str, pixels: tuple[int, int] | None = None
    ) -> None:
        digest, size = hashlib.sha256(), 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        self._progress.expect(ref)
        started = time.perf_counter()
        self._stack.store.put(ref, counted(), content_type=content_type, metadata={})
        self._report.uploaded(ref, size, time.perf_counter() - started, self._prefix)
        self._uploads[ref] = Uploaded(ref, size, digest.hexdigest(), pixels)

    def _wait(self) -> None:
        self._progress.wait(
            self._args.timeout,
            stop=lambda: self._stack.inbox.counts().dead > self._dead_before,
            show=self._report.progress,
        )
        self._report.progress_done()

    def _unfinished(self) -> list[str]:
        return [
            f"{awaited.function} on {awaited.source}: {awaited.refused or f'no result within {self._args.timeout:g} s'}"
            for awaited in self._progress.awaited.values()
            if awaited.row is None
        ]

    def _dead_letters(self) -> list[str]:
        return [
            f"dead letter of {letter.message.target}: {letter.message.origin}: {letter.reason}"
            for letter in self._stack.inbox.dead_letters()[self._dead_before :]
        ]

    def _check_all(self) -> list[str]:
        problems = []
        routes = {route.name: route for route in self._stack.router.routes}
        for awaited in self._progress.awaited.values():
            if awaited.row is None:
                continue
            for name, target in (awaited.targets or {None: awaited.source}).items():
                try:
                    seen = self._check(awaited, name, target, routes[awaited.function].config)
                except (CheckFailed, PenstockError) as exc:
                    problems.append(str(exc))
                else:
                    self._report.checked(target, awaited.function, seen, self._prefix)
        return problems

    def _check(self, awaited: _Awaited, rendition: str | None, target: ObjectRef, config: Config) -> str:
        store = self._stack.store
        if not awaited.targets:
            return demo_checks.check_indexed(self._stack.url, awaited.function, store, target)
        upload = self._uploads.get(awaited.source)
        if upload is None:
            raise CheckFailed(f"{target}: made from {awaited.source}, which this demo did not upload")
        if upload.pixels is None:
            return demo_checks.check_gunzips_to(store, target, upload)
        own = config.renditions[rendition] if rendition is not None else {}
        return demo_checks.check_image(store, target, upload, {**config.options, **own})

    def _clean_up(self) -> None:
        """Leave a real server as it was: first without our rules, so that the removals wake nobody."""
        lake = self._stack.lake
        if not isinstance(lake, RealMinio):
            return
        lake.disconnect()
        if self._args.keep:
            return
        for bucket in self._stack.router.buckets():
            for state in list(self._stack.store.list(bucket, self._prefix)):
                self._stack.store.delete(state.ref)
