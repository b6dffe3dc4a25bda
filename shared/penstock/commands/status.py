"""`penstock status BUCKET/KEY`: is it ready? What each function of the stack knows about one object."""

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from penstock.commands.flags import add_store_flags, beside_local_stack
from penstock.commands.objects import place_argument
from penstock.errors import ConfigError, PenstockError, TemporaryError
from penstock.local.last_reason import last_reason
from penstock.runtime.status import Status, status_document, status_of
from penstock.serving.wiring import function_config, make_quiet_runtime
from penstock.settings.stackfile import load_stack
from penstock.terminal import json_text, one_line, printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    place_argument(parser, "object", metavar="BUCKET/KEY", help="the source object")
    parser.add_argument(
        "--stack", type=Path, metavar="FILE", help="the stack file (default: that of the local stack, else stack.yml)"
    )
    parser.add_argument("--function", metavar="NAME", help="only this function (default: all whose SOURCE has the key)")
    parser.add_argument("--json", action="store_true", help="one JSON document for each function")
    add_store_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Print what each function knows about the object; nothing is written.

    Returns 0 when all that take it are ready, 1 when one is not, 75 when one could not be asked. Raises `ConfigError`
    when no function takes the object.
    """
    ref = args.object.ref()
    given = env
    env, stack = beside_local_stack(args, given)
    stack = stack or Path("stack.yml")
    is_local = env is not given
    worst = asked = 0
    for spec in load_stack(stack, env).functions.values():
        if args.function not in (None, spec.name) or not spec.config().takes(ref):
            continue
        asked += 1
        try:
            config = function_config(spec.handler, env, stack)
            status = status_of(make_quiet_runtime(spec.handler, config), ref)
        except PenstockError as exc:
            for problem in exc.problems if isinstance(exc, ConfigError) else [str(exc)]:
                print(printable(f"{spec.name}: {problem}"), file=sys.stderr)
            worst = max(worst, TemporaryError.exit_code)
            continue
        if is_local and status.state == "pending":
            status = replace(status, reason=last_reason(args.data, spec.name, ref))
        _print(status, spec.name, as_json=args.json)
        worst = max(worst, 0 if status.state in ("ready", "excluded") else 1)
    if not asked:
        raise ConfigError(f"{ref}: no function of {stack} takes it; see SOURCE, and --function")
    return worst


def _print(status: Status, function: str, *, as_json: bool) -> None:
    if as_json:
        print(json_text(status_document(status, function)))
        return
    more = [f"{len(status.targets)} targets"] if len(status.targets) > 1 else []
    more += [f"Job {status.job}"] if status.job else []
    more += [one_line(status.reason)] if status.reason else []
    print(printable(f"{function}: {status.state}" + (f" ({', '.join(more)})" if more else "")))
    for target in status.targets:
        refusal = target.entry.refusal if target.entry else None
        why = f": {refusal.error}: {one_line(refusal.reason)}" if refusal else ""
        name = f"{target.rendition} " if target.rendition else ""
        print(printable(f"  {target.state:<8} {name}{target.address}{why}"))
