"""`penstock lake apply|plan|show|remove`: the declared lake and the MinIO server that MINIO_ENDPOINT names."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.lake.applying import carry_out
from penstock.lake.file import DEFAULT_FILE, load_lake, load_owner
from penstock.lake.model import OWNER, DeclaredLake
from penstock.lake.plan import LakeChange, PresentRule, PresentTarget, compare
from penstock.lake.s3_server import S3Server
from penstock.lake.server import LakeServer, server_for
from penstock.settings.environment import load_store_settings
from penstock.terminal import json_text, printable

DIFFERS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="apply|plan|show|remove")
    plan = commands.add_parser("plan", help="show what apply would change; exit code 1 when it would change something")
    apply = commands.add_parser("apply", help="show what differs, then make the server agree")
    show = commands.add_parser("show", help="list the server's targets and rules, and whose they are")
    remove = commands.add_parser("remove", help="take this lake's rules and targets off the server; buckets stay")
    for command in (plan, apply, show, remove):
        command.add_argument("--file", type=Path, default=DEFAULT_FILE, help="the lake file (default: %(default)s)")
    for command in (plan, apply):
        command.add_argument(
            "--adopt", action="store_true", help="take over targets with these ids that this lake file did not make"
        )
    for command in (apply, remove):
        command.add_argument(
            "--no-restart",
            action="store_true",
            help="do not restart the server; exit code 75 when rules wait for it",
        )
    for command in (plan, show):
        command.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Run one of the four; returns 1 when plan finds differences, else 0."""
    if args.what in ("show", "remove"):
        # Whose things these are is all they need: no secrets, and no stack that must be in order.
        lake, adopt = load_owner(args.file, env), False
    else:
        lake, adopt = load_lake(args.file, env), args.adopt
    server = server_for(load_store_settings(env), lake)
    if args.what == "show":
        _show(server, lake, as_json=args.json)
        return 0
    if args.what == "plan":
        changes = compare(lake, server.state(lake), adopt=adopt)
        print(_json(changes) if args.json else _text(changes, server.endpoint, may_restart=True))
        return DIFFERS if changes else 0
    done = carry_out(
        server,
        lake,
        adopt=adopt,
        may_restart=not args.no_restart,
        show=lambda changes: print(_text(changes, server.endpoint, may_restart=not args.no_restart), flush=True),
        waits=_say_wait,
    )
    if args.no_restart and any(change.needs_restart for change in done):
        print("done; the targets, which have no rules any more, go with the server's next start")
    elif any(change.needs_restart for change in done):
        print("done; the server was restarted, so run `penstock reconcile` for what was written meanwhile")
    elif done:
        print("done")
    if args.what == "remove" and server.state(lake).sync_events:
        print("sync_events stays on: it is the whole server's, and others may rely on it. To turn it off:")
        print("  mc admin config set ALIAS api sync_events=off")
    return 0


def _say_wait(seconds: float) -> None:
    words = f"restarts the server and waits until it is back as declared, for up to {seconds:g} s"
    print(f"penstock lake: {words}", file=sys.stderr, flush=True)


def _text(changes: list[LakeChange], endpoint: str, *, may_restart: bool) -> str:
    if not changes:
        return f"{endpoint}: agrees, nothing to change"
    lines = [printable(line) for change in changes for line in change.lines]
    if any(change.needs_restart for change in changes):
        why = "because it takes targets up only when it starts"
        lines.append(f"! the server restarts, {why}" if may_restart else f"! restart the server afterwards, {why}")
    return "\n".join(lines)


def _json(changes: list[LakeChange]) -> str:
    found = [{"action": change.action, "what": change.lines[0][2:], "details": change.details} for change in changes]
    restart = any(change.needs_restart for change in changes)
    return json_text({"changes": found, "restart": restart}, indent=2)


def _show(server: LakeServer | S3Server, lake: DeclaredLake, *, as_json: bool) -> None:
    state = server.state(lake)
    targets = [_target(target) for _, target in sorted(state.targets.items())]
    rules = [_rule(rule) for rule in state.rules]
    if as_json:
        told = {"buckets": sorted(state.buckets), "sync_events": state.sync_events, "targets": targets, "rules": rules}
        print(json_text(told, indent=2))
        return
    how = "by S3 alone" if lake.by_s3_alone else f"sync_events {'on' if state.sync_events else 'off'}"
    print(f"{server.endpoint}: {how}")
    print(f"buckets: {' '.join(sorted(state.buckets)) or 'none'}")
    for target in targets:
        print(printable(f"target {target['target']}  {target['status'] or 'not started'}  {_owner(target, lake.name)}"))
    for rule in rules:
        print(printable(f"rule {rule['rule']}  {', '.join(rule['events'])}  {_owner(rule, lake.name)}"))


def _owner(entry: Mapping[str, Any], name: str) -> str:
    if not entry["lake"]:
        return "(not ours)"
    return "(ours)" if entry["lake"] == name else f"(lake {entry['lake']})"


def _target(target: PresentTarget) -> dict[str, Any]:
    return {
        "target": str(target.ref),
        "lake": target.comment.lake,
        "arn": target.arn,
        "status": target.status,
        "environment": list(target.overrides),
        "values": {name: value for name, value in target.values.items() if value and name != "comment"},
    }


def _rule(rule: PresentRule) -> dict[str, Any]:
    owner, _, rest = rule.id.partition(".")
    lake = rest.partition(".")[0] if owner == OWNER else ""
    return {"rule": str(rule), "lake": lake, "id": rule.id, "events": list(rule.events)}
