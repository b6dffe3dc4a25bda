"""`penstock run FUNCTION`: one function on one object, once; by hand, in a script or in a Kubernetes Job.

Understands the flags and variables of the compressor it replaces: `-f upload -k donors.csv -t processed`, also written
`-f=upload`, and ENDPOINT, ENDPOINT_SSL, ACCESS_KEY_ID, ACCESS_KEY_SECRET.
"""

import argparse
import json
import os
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from penstock.errors import ConfigError, PermanentError, TemporaryError
from penstock.handler.loading import load_module, make_function
from penstock.runtime.answers import outcome_document, outcome_event
from penstock.runtime.outcome import Outcome
from penstock.runtime.runtime import Runtime
from penstock.serving.wiring import function_config, function_folder, make_runtime, problems_of_handler
from penstock.settings.config import Config, SourceRule, bucket_problem
from penstock.sinks.wiring import contradictions
from penstock.store import Store
from penstock.types import ObjectRef, ObjectState

_ALIASES = {"ACCESS_KEY_ID": "MINIO_ACCESS_KEY", "ACCESS_KEY_SECRET": "MINIO_SECRET_KEY"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument("function", type=function_folder, help="the function's folder, or its name under ./functions")
    parser.add_argument("-f", "--from", dest="source", metavar="BUCKET", required=True, help="bucket of the object")
    parser.add_argument("-k", "--key", required=True, help="key of the object")
    parser.add_argument("-t", "--to", dest="target", metavar="BUCKET", help="bucket of the result, instead of SINK's")
    parser.add_argument("--missing-ok", action="store_true", help="an object that is gone meanwhile is no error")
    parser.add_argument("--stack", type=Path, help="take the function's settings from this stack.yml")
    parser.add_argument("--answer-to", metavar="URL", help="send the outcome there as a CloudEvent (default: K_SINK)")


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Bring one object's target into agreement and print the outcome as JSON.

    Returns 0 when it is processed, unchanged or needs nothing, and with `--missing-ok` when it is gone; 65 for a
    refusal. Raises `TemporaryError` (exit code 75) for what may work later.
    """
    runtime = _runtime(args, env)
    ref = ObjectRef(args.source, args.key)
    with _progress(runtime, ref) as watched:
        outcome = watched.agree(ref)
    function = runtime.function.name
    document = outcome_document(outcome, function)
    print(json.dumps(document, ensure_ascii=False))
    gone_is_fine = args.missing_ok and outcome.source is None
    if outcome.status >= HTTPStatus.BAD_REQUEST or not (gone_is_fine or outcome.kind in ("processed", "refused")):
        print(f"penstock run: {ref}: {outcome.reason}", file=sys.stderr)
        return PermanentError.exit_code
    answer_to = args.answer_to or env.get("K_SINK", "")
    if answer_to and outcome.status == HTTPStatus.OK:
        _send(answer_to, outcome, function, document)
    return 0


def _runtime(args: argparse.Namespace, env: Mapping[str, str]) -> Runtime:
    settings = {**{_ALIASES[name]: value for name, value in env.items() if name in _ALIASES}, **env}
    if endpoint := env.get("ENDPOINT", ""):
        settings.setdefault("MINIO_ENDPOINT", endpoint if "://" in endpoint else f"{_scheme(env)}://{endpoint}")
    # A Job that hands its object to a Job would never end.
    settings |= {"OFFLOAD_ABOVE_BYTES": "", "OFFLOAD_ABOVE_SECONDS": ""}
    config = function_config(args.function, settings, args.stack)
    # The pattern of SOURCE stays where it takes the object: SINK may name the same bucket with another suffix.
    given = {"--from": args.source, "--to": args.target}
    problems = [f"{flag}: {problem}" for flag, name in given.items() if name and (problem := bucket_problem(name))]
    if problems:
        raise ConfigError(*problems)
    if not config.takes(ObjectRef(args.source, args.key)):
        config = replace(config, sources=(SourceRule(args.source),))
    if args.target is not None:
        config = replace(config, sink=f"s3://{args.target}/{_template(args.function, config)}")
    if not config.sink:
        raise ConfigError("say where the result goes: -t BUCKET, SINK, or --stack stack.yml")
    if config.store is None:
        raise ConfigError(
            "MINIO_ENDPOINT: not set; say where the object store is: ENDPOINT=HOST:PORT, or its URL",
            *contradictions(config, has_store=True),
            *problems_of_handler(args.function, config),
        )
    return make_runtime(args.function, config)


def _scheme(env: Mapping[str, str]) -> str:
    """What ENDPOINT_SSL says; a word that it does not know must not end in an unencrypted connection."""
    text = env.get("ENDPOINT_SSL", "")
    if text.lower() in ("1", "true", "yes"):
        return "https"
    if text.lower() not in ("", "0", "false", "no"):
        raise ConfigError(f"ENDPOINT_SSL={text!r}: expected true or false")
    return "http"


def _template(folder: Path, config: Config) -> str:
    """The key of the result: as SINK has it, else the source's with what the function appends."""
    if config.sink.startswith("s3://"):
        return config.sink.removeprefix("s3://").partition("/")[2]
    module = load_module(folder)
    suffix = getattr(module, "target_suffix", None)
    return "{key}" + (suffix(make_function(module, config).renditions[None]) if suffix else "")


@contextmanager
def _progress(runtime: Runtime, ref: ObjectRef) -> Iterator[Runtime]:
    """The same runtime; on a terminal, with a bar that follows the bytes as they are read; tqdm is optional."""
    store = runtime.store
    if not sys.stderr.isatty() or store is None:
        yield runtime
        return
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:  # a function's image has none
        yield runtime
        return
    with tqdm(desc=ref.key, unit="B", unit_scale=True, unit_divisor=1024) as bar:

        def opened(state: ObjectState) -> None:
            bar.reset(total=state.size)

        watched = _WatchedStore(store, opened, bar.update)
        yield replace(runtime, store=watched)


class _WatchedStore:
    """A store whose reads are counted; everything else is the store's own."""

    def __init__(self, store: Store, opened: Callable[[ObjectState], None], read: Callable[[int], object]) -> None:
        self._store = store
        self._opened = opened
        self._read = read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> tuple[ObjectState, Iterable[bytes]] | None:
        found = self._store.open(ref, if_etag=if_etag)
        if found is None:
            return None
        self._opened(found[0])
        return found[0], self._counted(found[1])

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._read(len(chunk))
            yield chunk


def _send(url: str, outcome: Outcome, function: str, document: Mapping[str, Any]) -> None:
    """POST the outcome as a CloudEvent, as the function would have answered; raises `TemporaryError`."""
    event = outcome_event(outcome, function, json.dumps(document, ensure_ascii=False).encode())
    request = urllib.request.Request(url, event.data, event.http_headers(), method="POST")  # noqa: S310 - the operator's URL
    try:
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310
            return
    except OSError as exc:
        raise TemporaryError(f"{url}: the outcome could not be sent: {exc}") from exc
