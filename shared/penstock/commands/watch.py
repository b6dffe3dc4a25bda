"""`penstock watch`: for stores that send no events, make hints of listings."""

import argparse
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from penstock.commands.flags import add_ca_file_flag, add_listen_flag, duration, moment, whole
from penstock.connect.listing.hints import HintTarget
from penstock.connect.listing.measures import WatchMeasures
from penstock.connect.listing.rounds import ListingWatch, RoundReport
from penstock.connect.listing.seen import SeenObjects
from penstock.connect.settings import address_from, ca_file_from, caller_headers, caller_keys, named_target
from penstock.errors import ConfigError, TemporaryError
from penstock.process.log import set_up_logging
from penstock.process.signals import stopping_on_signals
from penstock.process.status_server import StatusServer
from penstock.settings.config import SourceRule
from penstock.settings.environment import load_store_settings
from penstock.settings.secrets import read_secret

# A store that does not answer holds a listing up for a minute, and Kubernetes kills 30 seconds after SIGTERM.
_PATIENCE_SECONDS: Final = 5.0
_log = logging.getLogger("penstock.watch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument(
        "source", nargs="+", metavar="SOURCE", help="what to watch, s3://bucket/prefix*suffix as in a function's SOURCE"
    )
    parser.add_argument(
        "--to",
        required=True,
        metavar="URL",
        help="who gets the hints: http://HOST/function/compress/event, or a bridge",
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path("watch.db"),
        metavar="FILE",
        help="file that keeps what was told (default: %(default)s)",
    )
    parser.add_argument(
        "--every", type=duration, default=60.0, metavar="TIME", help="pause between two listings (default: 1m)"
    )
    parser.add_argument("--once", action="store_true", help="list once and end, for a schedule of your own")
    parser.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="with a new state file: objects written before this time count as told, such as 24h or 2026-01-31T12:00",
    )
    parser.add_argument(
        "--batch", type=whole, default=20, metavar="N", help="objects in one request (default: %(default)s)"
    )
    parser.add_argument(
        "--concurrency", type=whole, default=4, metavar="N", help="requests at once (default: %(default)s)"
    )
    add_listen_flag(parser)
    add_ca_file_flag(parser, "for an https target")


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Watch until SIGTERM or Ctrl+C, with probes and metrics; `--once` lists once, without them.

    Returns 75 after `--once` when something must be told again, else 0.
    """
    set_up_logging(env.get("LOG_LEVEL", "INFO"))
    if args.batch < 1 or args.concurrency < 1:
        raise ConfigError("--batch and --concurrency: expected a whole number of at least 1")
    rules = _rules(args.source)
    token = read_secret(env, "BRIDGE_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else caller_headers(env)
    target = replace(named_target(args.to, ca_file_from(args, env), headers), keys=caller_keys(env))
    from penstock.store.s3 import S3ObjectStore  # needs obstore

    store = S3ObjectStore(load_store_settings(env))
    seen = SeenObjects(args.state, f"{' '.join(map(str, rules))} to {target.url}")
    stop = threading.Event()
    watch = ListingWatch(
        store,
        rules,
        seen,
        HintTarget(target, args.concurrency).send,
        batch=args.batch,
        concurrency=args.concurrency,
        since=args.since,
        stopped=stop.is_set,
    )
    try:
        with stopping_on_signals(stop.set, patience_seconds=_PATIENCE_SECONDS):
            if args.once:
                report = watch.round()
                _say(report)
                return TemporaryError.exit_code if report.failed else 0
            measures = WatchMeasures()
            # A restart helps no more than the next round does, so liveness never fails.
            status = StatusServer(address_from(args, env), measures, ill=str, unready=measures.unready)
            status.start()
            try:
                _rounds(watch, stop, measures, every_seconds=args.every)
            finally:
                status.stop()
        return 0
    finally:
        seen.close()


def _rounds(watch: ListingWatch, stop: threading.Event, measures: WatchMeasures, *, every_seconds: float) -> None:
    while not stop.is_set():
        try:
            report = watch.round()
        except TemporaryError as exc:
            measures.failed(str(exc))
            _log.error("%s; next try in %g s", exc, every_seconds)
        else:
            _say(report)
            if not stop.is_set():  # else it may have been cut short
                measures.ended(report)
        stop.wait(every_seconds)


def _say(report: RoundReport) -> None:
    _log.info(
        "listed %d objects: %d new or other, %d gone; told %d, refused %d, to be told again %d",
        report.listed,
        report.changed,
        report.gone,
        report.told,
        report.refused,
        report.failed,
    )
    for problem in report.problems:
        _log.warning("%s", problem)


def _rules(texts: list[str]) -> list[SourceRule]:
    rules: list[SourceRule] = []
    problems = []
    for text in texts:
        try:
            rules += SourceRule.parse_all(text)
        except ValueError as exc:
            problems.append(f"{text}: {exc}")
    problems += [f"{rule}: a watch sees keys alone; leave the filter to the function" for rule in rules if rule.filter]
    if problems:
        raise ConfigError(*problems)
    return rules
