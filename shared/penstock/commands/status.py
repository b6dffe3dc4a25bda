"""`penstock status BUCKET/KEY`: is it ready? What each function of the stack knows about one object."""

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from penstock.commands.flags import add_ca_file_flag, add_store_flags
from penstock.commands.local_stack import beside_local_stack
from penstock.commands.objects import NO_STORE, place_argument
from penstock.connect.settings import ca_file_from
from penstock.errors import ConfigError, PenstockError, TemporaryError
from penstock.local.console.remote.bridge import BridgeInbox
from penstock.local.last_reason import BridgeReasons, last_reason
from penstock.runtime.status import Status, status_document, status_of
from penstock.serving.wiring import function_config, make_quiet_runtime
from penstock.settings.connector_table import CONSOLE_TOKEN
from penstock.settings.secrets import read_secret
from penstock.settings.stackfile import load_stack
from penstock.terminal import json_text, one_line, printable
from penstock.types import ObjectRef


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    place_argument(parser, "object", metavar="BUCKET/KEY", help="the source object")
    parser.add_argument(
        "--stack", type=Path, metavar="FILE", help="the stack file (default: that of the local stack, else stack.yml)"
    )
    parser.add_argument("--function", metavar="NAME", help="only this function (default: all whose SOURCE has the key)")
    parser.add_argument("--json", action="store_true", help="one JSON document for each function")
    parser.add_argument(
        "--bridge", metavar="URL", help="ask this bridge why an object is pending; needs the bridge's CONSOLE_TOKEN"
    )
    add_ca_file_flag(parser, "for the bridge")
    add_store_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Print what each function knows about the object; nothing is written.

    Returns 0 when all that take it are ready, 1 when one is not, 75 when one, or the bridge, could not be asked, 78
    when its settings do not allow it. Raises `ConfigError` when no function takes the object.
    """
    ref = args.object.ref()
    given = env
    bridge = _bridge(args, env)
    env, stack = beside_local_stack(args, given)
    stack = stack or Path("stack.yml")
    is_local = env is not given
    worst = asked = 0
    unset = False
    for spec in load_stack(stack, env).functions.values():
        if args.function not in (None, spec.name):
            continue
        with spec.named_in_problems():
            if not spec.config().takes(ref):
                continue
        asked += 1
        try:
            config = function_config(spec.handler, env, stack)
            status = status_of(make_quiet_runtime(spec.handler, config), ref)
        except PenstockError as exc:
            for problem in exc.problems if isinstance(exc, ConfigError) else [str(exc)]:
                print(printable(f"{spec.name}: {problem}"), file=sys.stderr)
            worst = max(worst, exc.exit_code if isinstance(exc, ConfigError) else TemporaryError.exit_code)
            unset = unset or (isinstance(exc, ConfigError) and not env.get("MINIO_ENDPOINT"))
            continue
        if status.state == "pending":
            try:
                status = replace(status, reason=_why(args.data if is_local else None, bridge, spec.name, ref))
            except TemporaryError as exc:
                print(printable(f"{spec.name}: why it is pending: {exc}"), file=sys.stderr)
                worst = max(worst, TemporaryError.exit_code)
        _print(status, spec.name, as_json=args.json)
        worst = max(worst, 0 if status.state in ("ready", "excluded") else 1)
    if not asked:
        raise ConfigError(f"{ref}: no function of {stack} takes it; see SOURCE, and --function")
    if unset:  # the stack file names the store of a cluster, and the person looks for the one that is not running here
        print(printable(f"penstock status: {NO_STORE.format(data=args.data)}"), file=sys.stderr)
    return worst


def _bridge(args: argparse.Namespace, env: Mapping[str, str]) -> BridgeReasons | None:
    if not args.bridge:
        return None
    token = read_secret(env, CONSOLE_TOKEN.name)
    if not token:
        raise ConfigError("--bridge: needs CONSOLE_TOKEN, the same that the bridge has")
    return BridgeReasons(BridgeInbox(args.bridge, token, ca_file=ca_file_from(args, env)))


def _why(data: Path | None, bridge: BridgeReasons | None, function: str, ref: ObjectRef) -> str:
    """Why it is pending, as far as the bridge or the local stack on `data` knows."""
    if bridge is not None:
        return bridge.last_reason(function, ref)
    return last_reason(data, function, ref) if data is not None else ""


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
