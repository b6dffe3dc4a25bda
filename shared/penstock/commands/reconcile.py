"""`penstock reconcile`: bring every target of one function into agreement with its source."""

import argparse
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from penstock.errors import ConfigError, Forbidden, PenstockError, TemporaryError
from penstock.process.signals import end_on_sigterm
from penstock.reconcile.compare import EXAMPLES, Difference, Reconciler, Report, scratch
from penstock.runtime.runtime import Runtime
from penstock.serving.wiring import function_config, function_folder, make_runtime
from penstock.settings.config import Config, SourceRule
from penstock.settings.durations import duration_argument
from penstock.sinks import Sink
from penstock.sinks.address import BucketAddress, parse_sink
from penstock.store import Store

# A live worker's upload is younger than this; MinIO itself expires stale ones after 24 hours.
UPLOAD_AGE_SECONDS = 3600
_KEYS_BETWEEN_PLACES = 5000


class Worker:
    """Brings differences into agreement, several at once, never more than `concurrency` waiting."""

    def __init__(self, runtime: Runtime, sink: Sink, report: Report, *, concurrency: int, adopt: bool) -> None:
        self._runtime = runtime
        self._sink = sink
        self._report = report
        self._adopt = adopt
        self._pool = ThreadPoolExecutor(concurrency)
        self._places = concurrency * 2
        self._slots = threading.Semaphore(self._places)
        self._lock = threading.Lock()

    def take(self, difference: Difference) -> None:
        """Start on one object; waits while too many are under way."""
        self._slots.acquire()
        self._pool.submit(self._bring, difference).add_done_callback(lambda _done: self._slots.release())

    def drain(self) -> None:
        """Wait until everything taken so far is done."""
        for _ in range(self._places):
            self._slots.acquire()
        self._slots.release(self._places)

    def close(self) -> None:
        """End; what was taken and not begun is dropped, so drain first unless something went wrong."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _bring(self, difference: Difference) -> None:
        try:
            if difference.ref is None:
                self._forget(difference.record)
                outcome, problem = "forgotten", ""
            else:
                done = self._runtime.agree(difference.ref, adopt=self._adopt)
                outcome, problem = done.kind, done.reason if done.status >= 400 else ""
        except PenstockError as exc:
            outcome, problem = "failed", str(exc)
        except Exception as exc:  # noqa: BLE001 - a handler's own defect must not stop the others
            outcome, problem = "failed", f"{difference.ref}: {type(exc).__name__}: {exc}"
        with self._lock:
            self._report.done[outcome] += 1
            if problem and len(self._report.failures) < EXAMPLES:
                self._report.failures.append(problem)

    def _forget(self, record: str) -> None:
        """Remove a refusal's record, then look at its source: by now the record may have been a newer state's."""
        source = self._sink.forget(record)
        if source is not None:
            with suppress(Forbidden):  # of a bucket that is no source any more
                self._runtime.agree(source)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument("function", type=function_folder, help="the function's folder, or its name under ./functions")
    parser.add_argument("--stack", type=Path, help="take the function's settings from this stack.yml")
    parser.add_argument("--check", action="store_true", help="only report; exit code 1 when something differs")
    parser.add_argument("--prefix", default="", help="only sources whose key begins with this")
    parser.add_argument("--since", type=_moment, help="only sources written since then: 24h, 7d or 2026-01-31T12:00")
    parser.add_argument("--concurrency", type=int, default=8, help="objects worked on at once (default: %(default)s)")
    parser.add_argument("--adopt", action="store_true", help="overwrite targets that carry no mark")
    parser.add_argument("--yes", action="store_true", help="remove more than 1%% of the targets if it comes to that")
    parser.add_argument(
        "--uploads-older-than",
        type=duration_argument,
        metavar="AGE",
        default=UPLOAD_AGE_SECONDS,
        help="abort unfinished uploads of targets older than this, for example 6h (default: 1h)",
    )
    parser.add_argument("--resume", type=Path, metavar="FILE", help="keep the place in this file and go on from there")


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Reconcile one function; returns 1 when --check finds differences, 75 when some could not be mended."""
    end_on_sigterm()  # what is under way is finished, and the temporary file goes
    if args.concurrency < 1:
        raise ConfigError(f"--concurrency {args.concurrency}: expected a whole number of at least 1")
    config = function_config(args.function, env, args.stack)
    runtime = make_runtime(args.function, config)
    report = reconcile(
        runtime,
        check=args.check,
        prefix=args.prefix,
        since=args.since,
        concurrency=args.concurrency,
        adopt=args.adopt,
        yes=args.yes,
        resume=args.resume,
        upload_age_seconds=args.uploads_older_than,
    )
    _print(report, config.function, checked_only=args.check)
    if args.check:
        return 1 if report.differences or report.uploads else 0
    return TemporaryError.exit_code if report.done["failed"] else 0


def reconcile(
    runtime: Runtime,
    *,
    check: bool = False,
    prefix: str = "",
    since: datetime | None = None,
    concurrency: int = 8,
    adopt: bool = False,
    yes: bool = False,
    resume: Path | None = None,
    upload_age_seconds: float = UPLOAD_AGE_SECONDS,
) -> Report:
    """Compare one function's sources with its sink and, unless `check`, bring what differs into agreement.

    Raises `ConfigError` for a function without SOURCE or SINK, `TooManyRemovals`, and `TemporaryError` when a
    listing fails; then nothing has been removed.
    """
    config, store, sink = runtime.config, runtime.store, runtime.sink
    if store is None or sink is None or not config.sources:
        raise ConfigError(f"{config.function}: set SOURCE, SINK and MINIO_ENDPOINT, or name a stack file with --stack")
    compare = Reconciler(runtime, store, sink, prefix=prefix, since=since, may_remove_many=yes or check, adopt=adopt)
    worker = Worker(runtime, sink, compare.report, concurrency=concurrency, adopt=adopt)
    place = _Place(resume, worker)
    try:
        with scratch() as db, _progress(config.function) as tick:

            def on_compared(rule: SourceRule, key: str) -> None:
                tick()
                place.reached(rule, key)

            for difference in compare.differences(db, resume_after=dict(place.keys), on_compared=on_compared):
                if not check:
                    worker.take(difference)
            worker.drain()
    finally:
        worker.close()
    place.forget()
    compare.report.uploads = _abandoned_uploads(config, store, upload_age_seconds, dry_run=check)
    return compare.report


class _Place:
    """How far a run has come, in a file: every so many keys, once everything before is done."""

    def __init__(self, path: Path | None, worker: Worker) -> None:
        self._path = path
        self._worker = worker
        self._since = 0
        self.keys: dict[str, str] = {}
        if path is not None and path.is_file():
            try:
                self.keys = dict(json.loads(path.read_text()))
            except (ValueError, TypeError) as exc:
                raise ConfigError(f"{path}: no place that reconcile kept; remove it to begin anew") from exc

    def reached(self, rule: SourceRule, key: str) -> None:
        if self._path is None:
            return
        self.keys[str(rule)] = key
        self._since += 1
        if self._since >= _KEYS_BETWEEN_PLACES:
            self._since = 0
            self._worker.drain()
            written = self._path.with_suffix(".part")
            written.write_text(json.dumps(self.keys))
            written.replace(self._path)

    def forget(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _abandoned_uploads(config: Config, store: Store, age_seconds: float, *, dry_run: bool) -> tuple[str, ...]:
    address = parse_sink(config.sink)
    if not isinstance(address, BucketAddress):
        return ()
    outputs = {address.outputs_of(rule) for rule in config.sources}
    return tuple(key for rule in outputs for key in store.abort_uploads(rule, age_seconds, dry_run=dry_run))


@contextmanager
def _progress(function: str) -> Iterator[Callable[[], object]]:
    """A bar on a terminal, nothing elsewhere; tqdm is optional."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        yield lambda: None
        return
    with tqdm(desc=f"reconcile {function}", unit=" objects", unit_scale=True, disable=None) as bar:
        yield bar.update


def _print(report: Report, function: str, *, checked_only: bool) -> None:
    found = ", ".join(f"{count} {name}" for name, count in sorted(report.found.items())) or "nothing to compare"
    print(f"{function}: {found}")
    for line in report.examples:
        print(f"  {_printable(line)}")
    if not checked_only and report.done:
        print("  done: " + ", ".join(f"{count} {name}" for name, count in sorted(report.done.items())))
    for line in report.failures:
        print(f"  not agreed: {_printable(line)}", file=sys.stderr)
    if report.uploads:
        print(f"  {len(report.uploads)} abandoned uploads {'found' if checked_only else 'aborted'}")


def _printable(line: str) -> str:
    """A key may hold anything; a terminal must not obey it."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line)


def _moment(text: str) -> datetime:
    """`24h`, `30m`, `7d` ago, or an ISO date; raises what argparse turns into a message."""
    found = re.fullmatch(r"(\d+)([mhd])", text)
    if found:
        unit = {"m": "minutes", "h": "hours", "d": "days"}[found.group(2)]
        return datetime.now(UTC) - timedelta(**{unit: int(found.group(1))})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 24h, 7d or 2026-01-31T12:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
