"""The demo on a stack that runs: upload, wait for every function, read every output back."""

import hashlib
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from penstock.delivery.attempts import key_of
from penstock.errors import ConfigError, PenstockError
from penstock.local.demo import checks
from penstock.local.demo.awaited import Awaited, Expectation
from penstock.local.demo.checks import CheckFailed, Uploaded
from penstock.local.demo.donors import donor_chunks
from penstock.local.demo.photos import read_photos
from penstock.local.demo.report import DemoReport
from penstock.local.stack import Stack
from penstock.local.store.minio import RealMinio
from penstock.settings.config import Config
from penstock.types import ObjectRef

_ZERO_WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How many donors of which seed, how long to wait for results, and whether a real server keeps the objects."""

    rows: int
    seed: int
    timeout_seconds: float
    keep: bool = False


class Demo:
    """One run on a stack that is up."""

    def __init__(self, stack: Stack, report: DemoReport, options: DemoOptions) -> None:
        self._stack, self._report, self._options = stack, report, options
        self._real = isinstance(stack.lake, RealMinio)
        # A server that is kept has objects of earlier runs: equal ones would be skipped, and never reach the index.
        self._prefix = f"demo-{secrets.token_hex(3)}/" if self._real else ""
        self._expected = Expectation(stack.router.routes)
        self._uploads: dict[ObjectRef, Uploaded] = {}
        # Of earlier runs in the same --data folder.
        self._dead_before = {letter.id for letter in stack.inbox.dead_letters()}
        self._dead: list[str] = []

    def run(self) -> list[str]:
        """Do all of it and return what went wrong."""
        self._report.opening(self._stack, self._options.rows)
        self._stack.invocations.listen(self._expected.saw)
        self._stack.crashes.listen(self._report.crashed)
        try:
            self._upload_all()
            self._wait()
            problems = [*self._unfinished(), *self._dead]
            rows = [awaited.row for awaited in self._expected.awaited.values() if awaited.row is not None]
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
        self._upload(donors, donor_chunks(self._options.rows, seed=self._options.seed), "application/csv")
        for photo, data in read_photos():
            self._upload(self._place(photo.key), [data], "image/jpeg", checks.pixels_of(data))
        self._report.line("")

    def _place(self, key: str) -> ObjectRef:
        """The bucket whose objects with such a key are the first input of a function; raises `ConfigError`."""
        key = self._prefix + key
        if bucket := self._stack.router.place(key):
            return ObjectRef(bucket, key)
        raise ConfigError(
            f"{key}: no function of {self._stack.options.stack_file} takes it; the demo is for functions that do"
        )

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

        self._expected.expect(ref)
        started = time.perf_counter()
        self._stack.store.put(ref, counted(), content_type=content_type, metadata={})
        self._report.uploaded(ref, size, time.perf_counter() - started, self._prefix)
        self._uploads[ref] = Uploaded(ref, size, digest.hexdigest(), pixels)

    def _wait(self) -> None:
        self._expected.wait(self._options.timeout_seconds, stop=self._meet_dead_letters, show=self._report.progress)
        self._report.progress_done()

    def _meet_dead_letters(self) -> bool:
        """Note the new dead letters; True when one is about nothing that the demo waits for."""
        for letter in self._stack.inbox.dead_letters():
            if letter.id in self._dead_before:
                continue
            self._dead_before.add(letter.id)
            bucket, _, name = key_of(letter.message).partition("/")
            if not self._expected.died(letter.message.target, ObjectRef(bucket, name), letter.reason):
                self._dead.append(f"dead letter of {letter.message.target}: {letter.message.origin}: {letter.reason}")
        return bool(self._dead)

    def _unfinished(self) -> list[str]:
        """One reason for each failure; an object that was not made since another one failed has none of its own."""
        late = (
            f"no result within {self._options.timeout_seconds:g} s" if not self._dead else "not waited for any longer"
        )
        missing = [awaited for awaited in self._expected.awaited.values() if awaited.row is None]
        not_made = {target for awaited in missing for target in awaited.targets.values()}
        problems = []
        for awaited in missing:
            if awaited.source not in not_made:
                last = f"; the last answer: {awaited.last}" if awaited.last else ""
                reason = self._stack.crashes.explained(awaited.refused or late + last)
                problems.append(f"{awaited.function} on {awaited.source}: {reason}")
        return problems

    def _check_all(self) -> list[str]:
        problems = []
        routes = {route.name: route for route in self._stack.router.routes}
        for awaited in self._expected.awaited.values():
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

    def _check(self, awaited: Awaited, rendition: str | None, target: ObjectRef, config: Config) -> str:
        store = self._stack.store
        if not awaited.targets:
            return checks.check_indexed(self._stack.url, awaited.function, store, target)
        upload = self._uploads.get(awaited.source)
        if upload is None:
            raise CheckFailed(f"{target}: made from {awaited.source}, which this demo did not upload")
        if upload.pixels is None:
            return checks.check_gunzips_to(store, target, upload)
        own = config.renditions[rendition] if rendition is not None else {}
        return checks.check_image(store, target, upload, {**config.options, **own})

    def _clean_up(self) -> None:
        """Leave a real server as it was: first without our rules, so that the removals wake no function."""
        lake = self._stack.lake
        if not isinstance(lake, RealMinio):
            return
        lake.disconnect()
        if self._options.keep:
            return
        for bucket in self._stack.router.buckets():
            for state in list(self._stack.store.list(bucket, self._prefix)):
                self._stack.store.delete(state.ref)
