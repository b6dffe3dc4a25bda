"""`penstock reconcile`: make every target of one function agree with its source."""

import argparse
import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from penstock.commands.flags import add_function_flags, add_store_flags, duration, moment, whole
from penstock.commands.local_stack import beside_local_stack
from penstock.errors import ConfigError, PenstockError, TemporaryError
from penstock.process.signals import end_on_sigterm
from penstock.reconcile.compare import Report
from penstock.reconcile.engine import UPLOAD_AGE_SECONDS, count_sources, reconcile
from penstock.reconcile.listing import WholeListings
from penstock.serving.wiring import function_config, make_runtime
from penstock.settings.config import Config
from penstock.store import Store
from penstock.store.s3 import S3ObjectStore
from penstock.terminal import Progress, json_text, one_line, printable, progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_function_flags(parser)
    parser.add_argument("--check", action="store_true", help="only report; exit code 1 when something differs")
    parser.add_argument("--prefix", default="", metavar="TEXT", help="only sources whose key begins with this")
    parser.add_argument(
        "--since", type=moment, metavar="TIME", help="only sources written since then: 24h, 7d or 2026-01-31T12:00"
    )
    parser.add_argument(
        "--concurrency", type=whole, default=8, metavar="N", help="objects worked on at once (default: %(default)s)"
    )
    parser.add_argument("--adopt", action="store_true", help="overwrite targets that carry no mark")
    parser.add_argument("--yes", action="store_true", help="allow that more than 1%% of the targets are removed")
    parser.add_argument(
        "--uploads-older-than",
        type=duration,
        metavar="AGE",
        default=UPLOAD_AGE_SECONDS,
        help="abort unfinished uploads of targets older than this, for example 6h (default: 1h)",
    )
    parser.add_argument(
        "--retry-refused",
        action="store_true",
        help="try again everything that was refused, for example after a change of the code",
    )
    parser.add_argument("--resume", type=Path, metavar="FILE", help="keep progress in this file, and go on from there")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    add_store_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Reconcile one function; returns 1 when --check finds differences, 75 when some could not be mended."""
    end_on_sigterm()  # what is under way is finished, and the temporary file goes
    if args.concurrency < 1:
        raise ConfigError(f"--concurrency {args.concurrency}: expected a whole number of at least 1")
    env, stack = beside_local_stack(args, env)
    config = function_config(args.function, env, stack)
    plain = S3ObjectStore(config.store) if config.store is not None else None
    runtime = make_runtime(args.function, config, WholeListings.of(plain, config) if plain is not None else None)
    counted_in = plain or runtime.store
    with (
        progress(f"reconcile {config.function}", unit=" objects") as bar,
        _counted(config, counted_in, args.prefix, bar),
    ):
        report = reconcile(
            runtime,
            check=args.check,
            prefix=args.prefix,
            since=args.since,
            concurrency=args.concurrency,
            adopt=args.adopt,
            yes=args.yes,
            retry_refused=args.retry_refused,
            resume=args.resume,
            upload_age_seconds=args.uploads_older_than,
            tick=bar.advance,
        )
    if args.json:
        print(json_text(_told(report, config.function), indent=2))
    else:
        _print(report, config.function, checked_only=args.check)
    if args.check:
        return 1 if report.differences or report.uploads else 0
    return TemporaryError.exit_code if report.done["failed"] else 0


@contextlib.contextmanager
def _counted(config: Config, store: Store | None, prefix: str, bar: Progress) -> Iterator[None]:
    """While the block runs, count the sources beside it and tell the bar; only for a person at a terminal."""
    if store is None or not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()

    def count() -> None:
        total = 0
        # The run itself meets the same error and tells it.
        with contextlib.suppress(PenstockError):
            for total in count_sources(config, store, prefix):  # noqa: B007 - the last number counts
                if ended.is_set():
                    return
            bar.expect(total)

    counting = threading.Thread(target=count, name="count", daemon=True)
    counting.start()
    try:
        yield
    finally:
        ended.set()
        counting.join()


def _told(report: Report, function: str) -> dict[str, object]:
    return {
        "function": function,
        "found": dict(sorted(report.found.items())),
        "done": dict(sorted(report.done.items())),
        "examples": [dict(zip(("finding", "object"), line.split(maxsplit=1), strict=True)) for line in report.examples],
        "not_agreed": report.failures,
        "uploads": list(report.uploads),
        "compared_before": report.compared_before,
        "extra_requests": report.extra_requests,
    }


def _print(report: Report, function: str, *, checked_only: bool) -> None:
    found = ", ".join(f"{count} {name}" for name, count in sorted(report.found.items())) or "nothing to compare"
    print(f"{function}: {found}")
    if report.compared_before:
        print(f"  {report.compared_before} were compared by the run that was cut off")
    if report.extra_requests:
        print(f"  {report.extra_requests} requests more, because the store's listings do not tell metadata")
    for line in report.examples:
        print(f"  {printable(line)}")
    if not checked_only and report.done:
        print("  done: " + ", ".join(f"{count} {name}" for name, count in sorted(report.done.items())))
    for line in report.failures:
        print(f"  not agreed: {one_line(line)}", file=sys.stderr)
    if report.uploads:
        print(f"  {len(report.uploads)} abandoned uploads {'found' if checked_only else 'aborted'}")
