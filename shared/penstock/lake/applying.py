"""Makes a server agree with a declared lake. What agrees already keeps working at every step.

A target exists only once the server has started with it, and a rule can only name a target that exists; so: buckets,
then targets, one restart if any target changed, then rules. Before all that, our rules are taken off a
target that will be removed: MinIO hides a rule whose target is missing, and then refuses every change to its bucket's
rules.
"""

import dataclasses
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final, Protocol

from penstock.errors import PenstockError, TemporaryError
from penstock.lake.minio_admin import Info
from penstock.lake.model import Bucket, DeclaredLake, NotificationTarget, Rule, TargetRef, rule_owner
from penstock.lake.ownership import mark
from penstock.lake.plan import LakeChange, LakeState, PresentRule, ServerSetting, compare, own_rules, wanted_values

RESTART_SECONDS: Final = 120.0
# An object that is written in the first quarter second after a start is stored without a notification.
SETTLE_SECONDS: Final = 1.0
POLL_SECONDS: Final = 0.25


class MinioServer(Protocol):
    """What applying needs of a MinIO server; `LakeServer` is one, and the tests have another."""

    @property
    def endpoint(self) -> str: ...
    def state(self, lake: DeclaredLake) -> LakeState: ...
    def rules(self, lake: DeclaredLake) -> tuple[PresentRule, ...]: ...
    def info(self) -> Info: ...
    def create_bucket(self, name: str) -> None: ...
    def set_versioning(self, name: str, on: bool) -> None: ...
    def set_target(self, ref: TargetRef, values: dict[str, str]) -> None: ...
    def remove_target(self, ref: TargetRef) -> None: ...
    def set_sync_events(self) -> None: ...
    def restart(self) -> None: ...
    def change_rules(self, bucket: str, drop: Callable[[str], bool], add: list[PresentRule]) -> None: ...


def carry_out(
    server: MinioServer,
    lake: DeclaredLake,
    *,
    adopt: bool = False,
    may_restart: bool = True,
    show: Callable[[list[LakeChange]], None] = lambda _changes: None,
    waits: Callable[[float], None] = lambda _seconds: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> list[LakeChange]:
    """Make `server` agree with `lake` and return what was changed; `show` is called before anything is,
    and `waits` with the longest time that a restart may take, before it.

    Raises `ConfigError` for differences that it cannot resolve. Raises `TemporaryError` when the server does not come
    back, when a new target needs a restart that is not allowed, or when another program changes the server meanwhile.
    """
    lake.check()
    state = server.state(lake)
    changes = compare(lake, state, adopt=adopt)
    show(changes)
    if not changes:
        return []
    going = {change.what for change in changes if change.action == "remove" and isinstance(change.what, TargetRef)}
    _release(server, lake, state, going)
    for change in changes:
        _step(server, lake, state, change)
    if may_restart and any(change.needs_restart for change in changes):
        waits(RESTART_SECONDS)
        state = _restart(server, lake, going, sleep=sleep, clock=clock)
    elif any(isinstance(change.what, NotificationTarget) for change in changes):
        raise TemporaryError(
            f"{server.endpoint}: needs a restart before it has the targets; restart it, then apply again: the "
            "rules follow then"
        )
    else:  # a target that only goes away, and has no rules any more, may run until the next start
        state = dataclasses.replace(state, rules=server.rules(lake) if going else state.rules)
    if _put_rules(server, lake, state):
        state = dataclasses.replace(state, rules=server.rules(lake))
    left = [change for change in compare(lake, state, adopt=True) if isinstance(change.what, Rule | PresentRule)]
    if left:
        what = ", ".join(change.summary for change in left)
        raise TemporaryError(f"{server.endpoint}: differs again, so another client changes it too; apply again: {what}")
    return changes


def _release(server: MinioServer, lake: DeclaredLake, state: LakeState, going: set[TargetRef]) -> None:
    """Take our rules off the targets that will be removed."""
    for rule in own_rules(lake.name, state):
        if any(ref.is_arn(rule.arn) for ref in going):
            server.change_rules(rule.bucket, {rule.id}.__contains__, [])


def _step(server: MinioServer, lake: DeclaredLake, state: LakeState, change: LakeChange) -> None:
    match change.what:
        case Bucket() as bucket:
            if change.action == "add":
                server.create_bucket(bucket.name)
            if bucket.versioning is not None and (bucket.versioning or change.action == "change"):
                server.set_versioning(bucket.name, bucket.versioning)
        case NotificationTarget() as target:
            values = wanted_values(target, state)
            values["comment"] = mark(target.values.get("comment", ""), lake.name, target.secrets)
            server.set_target(target.ref, {**values, **_all_secrets(target)})
        case TargetRef() as ref:
            server.remove_target(ref)
        case ServerSetting():
            server.set_sync_events()
        case _:  # rules come last, when their targets exist
            pass


def _all_secrets(target: NotificationTarget) -> dict[str, str]:
    """The declared secrets, and "" for the others, because MinIO keeps the old value of a key that is left out."""
    from penstock.lake.keys import secret_names

    return {name: target.secrets.get(name, "") for name in secret_names(target.ref.kind)}


def _restart(
    server: MinioServer,
    lake: DeclaredLake,
    going: set[TargetRef],
    *,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> LakeState:
    """Restart the server, wait until every node is back and runs the declared targets, and return what it has then."""
    # The server lists no ARN of a lambda target; its configuration, read below, tells that it runs.
    coming = {target.ref for target in lake.targets if target.enabled and target.ref.takes_events}
    server.restart()
    began = clock()
    reason = "it has not answered since"
    while clock() - began < RESTART_SECONDS:
        sleep(POLL_SECONDS)
        try:
            info = server.info()
            # One second more, because the nodes round.
            limit = clock() - began + 1
            late = sum(uptime is None or uptime > limit for uptime in info.uptimes)
            missing = {ref for ref in coming if not any(ref.is_arn(arn) for arn in info.arns)}
            kept = {ref for ref in going if any(ref.is_arn(arn) for arn in info.arns)}
            if late or missing or kept:
                refs = ", ".join(str(ref) for ref in sorted(missing | kept))
                reason = (
                    f"{late} of its nodes have not restarted" if late else f"its ARNs are not as declared for {refs}"
                )
                continue
            state = server.state(lake)
        except PenstockError as exc:  # it refuses, then answers 503, then is back
            reason = str(exc)
            continue
        left = [change.summary for change in compare(lake, state, adopt=True) if change.needs_restart]
        if not left:
            sleep(SETTLE_SECONDS)
            return state
        reason = ", ".join(left)
    raise TemporaryError(f"{server.endpoint}: not as declared {RESTART_SECONDS:g} s after its restart: {reason}")


def _put_rules(server: MinioServer, lake: DeclaredLake, state: LakeState) -> bool:
    """Make the rules of every bucket agree, with one write for each that differs; False when none differed."""
    owner = rule_owner(lake.name)
    wanted: dict[str, list[PresentRule]] = defaultdict(list)
    for rule in lake.rules:
        wanted[rule.bucket].append(_present(rule, lake.name, state))
    changes = (change.what for change in compare(lake, state, adopt=True))
    differing = {what.bucket for what in changes if isinstance(what, Rule | PresentRule)}
    for bucket in sorted(differing):
        server.change_rules(bucket, lambda rule_id: rule_id.startswith(owner), wanted[bucket])
    return bool(differing)


def _present(rule: Rule, lake: str, state: LakeState) -> PresentRule:
    arn = state.targets[rule.target].arn
    return PresentRule(rule.id_in(lake), arn, rule.bucket, rule.prefix, rule.suffix, rule.events)
