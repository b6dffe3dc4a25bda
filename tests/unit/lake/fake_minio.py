"""A MinIO server in memory, as far as a lake needs one: it runs what it read when it started."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from penstock.errors import ConfigError, TemporaryError
from penstock.lake import keys
from penstock.lake.minio_admin import Info
from penstock.lake.model import DeclaredLake, TargetRef
from penstock.lake.plan import LakeState, PresentRule, PresentTarget


class FakeMinio:
    """Keeps buckets, rules and two configurations: the one it runs, and the one the next start reads.

    `calls` lists what was asked of it. `unreachable` holds targets that do not answer, `refused_after_restart` how many
    requests after a restart it refuses. Its clock moves only in `sleep`.
    """

    endpoint = "http://minio.example:9000"

    def __init__(self) -> None:
        self.buckets: dict[str, bool] = {}
        self.kept_rules: list[PresentRule] = []
        self.running: dict[TargetRef, dict[str, str]] = {}
        self.stored: dict[TargetRef, dict[str, str]] = {}
        self.overrides: dict[TargetRef, tuple[str, ...]] = {}
        self.sync_events = False
        self.sync_events_from = ""
        self.calls: list[str] = []
        self.unreachable: set[TargetRef] = set()
        self.refused_after_restart = 2
        self.ignores_restart = False
        self.lost_at_start: set[TargetRef] = set()
        self.other_uptimes: tuple[int | None, ...] = ()
        self.now = 1000.0
        self._started_at = 0.0
        self._refuse = 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> float:
        return self.now

    def arn(self, ref: TargetRef) -> str:
        return f"arn:minio:sqs:here:{ref.id}:{ref.kind}" if ref.takes_events else ref.lambda_arn

    def state(self, lake: DeclaredLake) -> LakeState:
        self._answer()
        targets = {}
        for ref in {*self.running, *self.overrides}:
            values = {name: value for name, value in self.running.get(ref, {}).items() if name not in _secrets(ref)}
            on = values.get("enable") == "on"
            targets[ref] = PresentTarget(ref, values, self.overrides.get(ref, ()), self.arn(ref) if on else "")
        return LakeState(
            buckets=frozenset(self.buckets),
            versioning=dict(self.buckets),
            targets=targets,
            rules=self._visible(),
            sync_events=self.sync_events,
            sync_events_from=self.sync_events_from,
            known_keys={kind: frozenset(key.name for key in keys.KEYS[kind]) for kind in keys.KINDS},
        )

    def rules(self, lake: DeclaredLake) -> tuple[PresentRule, ...]:
        self._answer()
        return self._visible()

    def _visible(self) -> tuple[PresentRule, ...]:
        """MinIO hides a rule whose target is not there."""
        arns = {self.arn(ref) for ref, values in self.running.items() if values.get("enable") == "on"}
        return tuple(rule for rule in self.kept_rules if rule.arn in arns)

    def info(self) -> Info:
        self._answer()
        uptime = int(self.now - self._started_at)
        return Info(
            frozenset(self.arn(ref) for ref in self.running if ref.takes_events), {}, (uptime, *self.other_uptimes)
        )

    def create_bucket(self, name: str) -> None:
        self.calls.append(f"create {name}")
        self.buckets[name] = False

    def set_versioning(self, name: str, on: bool) -> None:
        self.calls.append(f"versioning {name} {'on' if on else 'off'}")
        self.buckets[name] = on

    def set_target(self, ref: TargetRef, values: dict[str, str]) -> None:
        self.calls.append(f"set {ref}")
        if ref in self.unreachable:
            raise ConfigError(f"target {ref}: refused: connection refused")
        self.stored[ref] = {**self.stored.get(ref, {}), **values}

    def remove_target(self, ref: TargetRef) -> None:
        self.calls.append(f"remove {ref}")
        del self.stored[ref]

    def set_sync_events(self) -> None:
        self.calls.append("sync_events")
        self.sync_events = True

    def restart(self) -> None:
        self.calls.append("restart")
        if self.ignores_restart:
            return
        self.running = {ref: dict(each) for ref, each in self.stored.items() if ref not in self.lost_at_start}
        self._started_at = self.now
        self._refuse = self.refused_after_restart

    def change_rules(self, bucket: str, drop: Callable[[str], bool], add: list[PresentRule]) -> None:
        self.calls.append(f"rules {bucket}")
        kept = [rule for rule in self.kept_rules if rule.bucket != bucket or not drop(rule.id)]
        for rule in add:
            if not any(rule.arn == self.arn(ref) for ref in self.running):
                raise ConfigError(f"{rule.arn}: no such target")
        self.kept_rules = [*kept, *(dataclasses.replace(rule, bucket=bucket) for rule in add)]

    def _answer(self) -> None:
        if self._refuse:
            self._refuse -= 1
            raise TemporaryError("connection refused")


def _secrets(ref: TargetRef) -> tuple[str, ...]:
    return keys.secret_names(ref.kind)
