"""`penstock run FUNCTION`: one function on one object, once; by hand, in a script or in a Kubernetes Job.

Understands the flags of the compressor it replaces: `-f upload -k donors.csv -t processed`, also written `-f=upload`.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from http import HTTPStatus

from penstock.commands.flags import add_function_flags, add_store_flags
from penstock.commands.local_stack import beside_local_stack
from penstock.errors import PermanentError
from penstock.events.endpoint import EventEndpoint
from penstock.runtime.answers import outcome_document, outcome_event
from penstock.serving.oneshot import oneshot_config
from penstock.serving.wiring import make_runtime
from penstock.settings.config import Config
from penstock.store import Store
from penstock.store.watched import WatchedStore
from penstock.terminal import Progress, json_text, one_line, printable, progress
from penstock.types import ObjectRef

_ANSWER_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_function_flags(parser)
    parser.add_argument("-f", "--from", dest="source", metavar="BUCKET", required=True, help="bucket of the object")
    parser.add_argument("-k", "--key", required=True, help="key of the object")
    parser.add_argument("-t", "--to", dest="target", metavar="BUCKET", help="bucket of the result, instead of SINK's")
    parser.add_argument("--missing-ok", action="store_true", help="an object that is gone meanwhile is not an error")
    parser.add_argument("--answer-to", metavar="URL", help="send the outcome there as a CloudEvent (default: K_SINK)")
    add_store_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Make one object's target agree, and print the outcome as JSON.

    Returns 0 when it is processed, unchanged or needs nothing, and with `--missing-ok` when it is gone; 65 for a
    refusal. Raises `TemporaryError` (exit code 75) for what may work later.
    """
    ref = ObjectRef(args.source, args.key)
    env, stack = beside_local_stack(args, env)
    config = oneshot_config(args.function, ref, env, stack=stack, target=args.target)
    with progress(ref.key, unit="B", divisor=1024) as bar:
        outcome = make_runtime(args.function, config, _watched(config, ref, bar)).agree(ref)
    document = outcome_document(outcome, config.function)
    print(json_text(document))
    for note in dict.fromkeys(note for entry in outcome.entries.values() for note in entry.notes):
        print(printable(f"penstock run: {ref}: note: {note}"), file=sys.stderr)
    gone_is_fine = args.missing_ok and outcome.source is None
    if outcome.status >= HTTPStatus.BAD_REQUEST or not (gone_is_fine or outcome.kind in ("processed", "refused")):
        print(f"{printable(f'penstock run: {ref}')}: {one_line(outcome.reason)}", file=sys.stderr)
        return PermanentError.exit_code
    answer_to = args.answer_to or env.get("K_SINK", "")
    if answer_to and outcome.status == HTTPStatus.OK:
        data = json.dumps(document, ensure_ascii=False).encode()
        endpoint = EventEndpoint(answer_to, timeout_seconds=_ANSWER_SECONDS)
        endpoint.send(outcome_event(outcome, config.function, data))
    return 0


def _watched(config: Config, ref: ObjectRef, bar: Progress) -> Store | None:
    """The store, its reads of the object followed by the bar; None, for the plain one, where nothing is shown."""
    if config.store is None or not sys.stderr.isatty():
        return None
    from penstock.store.s3 import S3ObjectStore

    store = S3ObjectStore(config.store)
    return WatchedStore(store, ref, opened=lambda state: bar.restart(state.size), read=bar.advance)
