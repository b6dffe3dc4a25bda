"""What differs between a declared lake and a server, as a list of changes; this module does not call the server."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from penstock.errors import ConfigError
from penstock.lake import keys
from penstock.lake.model import Bucket, DeclaredLake, NotificationTarget, Rule, TargetRef, rule_owner
from penstock.lake.ownership import Comment


@dataclass(frozen=True, slots=True)
class PresentTarget:
    """A target as the server runs it.

    `values` holds every key but the secrets. `overrides` names the environment variables of the server that win over
    them. `arn` is empty while the server has none for it; `status` is the server's word: online, offline or empty.
    """

    ref: TargetRef
    values: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    arn: str = ""
    status: str = ""

    @property
    def comment(self) -> Comment:
        return Comment.parse(self.values.get("comment", ""))


@dataclass(frozen=True, slots=True)
class PresentRule:
    """A rule as the server has it; `id` is empty for one that `mc` made."""

    id: str
    arn: str
    bucket: str
    prefix: str
    suffix: str
    events: tuple[str, ...]

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}*{self.suffix} -> {':'.join(self.arn.split(':')[:3:-1])}"


@dataclass(frozen=True, slots=True)
class LakeState:
    """What a server has.

    `versioning` holds the buckets that were asked about, `known_keys` the keys of each subsystem; `sync_events_from`
    names the variable of the server's environment that decides about it, if one does.
    """

    buckets: frozenset[str] = frozenset()
    versioning: Mapping[str, bool] = field(default_factory=dict)
    targets: Mapping[TargetRef, PresentTarget] = field(default_factory=dict)
    rules: tuple[PresentRule, ...] = ()
    sync_events: bool = False
    sync_events_from: str = ""
    known_keys: Mapping[keys.TargetKind, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServerSetting:
    """A setting of the whole server."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class LakeChange:
    """One step from the present state to the declared one. `details` are lines for people, without secrets."""

    action: Literal["add", "change", "remove"]
    what: Bucket | NotificationTarget | TargetRef | Rule | PresentRule | ServerSetting
    details: tuple[str, ...] = ()

    @property
    def needs_restart(self) -> bool:
        """Whether the server applies it only when it starts."""
        return isinstance(self.what, NotificationTarget | TargetRef)

    @property
    def lines(self) -> tuple[str, ...]:
        """The change for people: what it is about, then the details."""
        match self.what:
            case Bucket(name=name):
                subject = f"bucket {name}"
            case NotificationTarget(ref=ref):
                subject = f"target {ref}"
            case TargetRef() as ref:
                subject = f"target {ref}"
            case ServerSetting(name=name):
                subject = f"setting {name}"
            case rule:
                subject = f"rule {rule}"
        sign = {"add": "+", "change": "~", "remove": "-"}[self.action]
        return (f"{sign} {subject}", *(f"    {line}" for line in self.details))

    def __str__(self) -> str:
        return "\n".join(self.lines)

    @property
    def summary(self) -> str:
        """The change on one line."""
        return "; ".join(line.strip() for line in self.lines)


def compare(lake: DeclaredLake, state: LakeState, *, adopt: bool = False) -> list[LakeChange]:
    """The changes that make the server agree with the lake, in the order in which they are shown.

    Raises `ConfigError` for what it cannot resolve: a target whose id belongs to another owner (unless `adopt`), a
    target that the server's own environment sets, a rule on a bucket that does not exist.
    """
    problems = list(_conflicts(lake, state, adopt=adopt))
    if problems:
        raise ConfigError(*problems)
    return [*_settings(lake, state), *_buckets(lake, state), *_targets(lake, state), *_rules(lake, state)]


def own_targets(lake_name: str, state: LakeState) -> list[PresentTarget]:
    return [target for _, target in sorted(state.targets.items()) if target.comment.lake == lake_name]


def own_rules(lake_name: str, state: LakeState) -> list[PresentRule]:
    return [rule for rule in state.rules if rule.id.startswith(rule_owner(lake_name))]


def _conflicts(lake: DeclaredLake, state: LakeState, *, adopt: bool) -> Iterator[str]:
    for target in lake.targets:
        present = state.targets.get(target.ref)
        if target.external:
            if present is None or not present.arn:
                yield f"target {target.ref}: is external, but the server has no such target; set it up first"
            continue
        known = state.known_keys.get(target.ref.kind)
        unknown = [name for name in target.values if known and name not in known and name != "comment"]
        if unknown:
            subsystem = keys.subsystem(target.ref.kind)
            yield f"target {target.ref}: this server's {subsystem} has no {', '.join(unknown)}; leave it out"
        if present is None:
            continue
        if present.overrides:
            yield (
                f"target {target.ref}: the server's environment sets {', '.join(present.overrides)}, which wins over "
                "what is set here; take it out of the server's environment, or declare the target external: true"
            )
        owner = present.comment.lake
        if owner != lake.name and not adopt:
            whose = f"to lake {owner}" if owner else "to another owner"
            yield f"target {target.ref}: exists and belongs {whose}; take another id, or take it over with --adopt"
    if lake.sync_events and not state.sync_events and state.sync_events_from:
        yield (
            f"sync_events: the server's environment turns it off with {state.sync_events_from}, which wins over "
            "what is set here; take it out there, or write sync_events: off"
        )
    there = state.buckets | {bucket.name for bucket in lake.buckets}
    for name in sorted({rule.bucket for rule in lake.rules} - there):
        yield f"bucket {name}: a rule needs it, but it does not exist; declare it under buckets"


def _settings(lake: DeclaredLake, state: LakeState) -> Iterator[LakeChange]:
    if lake.sync_events and not state.sync_events:
        yield LakeChange("change", ServerSetting("api sync_events"), ("off -> on",))


def _buckets(lake: DeclaredLake, state: LakeState) -> Iterator[LakeChange]:
    for bucket in lake.buckets:
        words = {True: "on", False: "off", None: "as it is"}
        wanted = words[bucket.versioning]
        if bucket.name not in state.buckets:
            yield LakeChange("add", bucket, (f"versioning: {wanted}",) if bucket.versioning else ())
        elif bucket.versioning is not None and state.versioning.get(bucket.name, False) != bucket.versioning:
            yield LakeChange("change", bucket, (f"versioning: {words[not bucket.versioning]} -> {wanted}",))


def _targets(lake: DeclaredLake, state: LakeState) -> Iterator[LakeChange]:
    declared = {target.ref for target in lake.targets if not target.external}
    for target in lake.targets:
        if target.external:
            continue
        present = state.targets.get(target.ref)
        wanted = wanted_values(target, state)
        if present is None:
            lines = [f"{name}: {value}" for name, value in wanted.items() if name in target.values]
            yield LakeChange("add", target, (*lines, *(f"{name}: (secret)" for name in target.secrets)))
            continue
        lines = [
            f"{name}: {present.values.get(name, '') or '(none)'} -> {value or '(none)'}"
            for name, value in wanted.items()
            if name != "comment" and present.values.get(name, "") != value
        ]
        comment = present.comment
        if comment.lake != lake.name:
            lines.append("taken over")
        if comment.text != target.values.get("comment", ""):
            lines.append(f"comment: {comment.text or '(none)'} -> {target.values.get('comment') or '(none)'}")
        if not comment.holds(target.secrets):
            lines.append("secrets: changed")
        if lines:
            yield LakeChange("change", target, tuple(lines))
        elif target.enabled and not present.arn:
            yield LakeChange("change", target, ("the server has not started it",))
    for present in own_targets(lake.name, state):
        if present.ref not in declared:
            yield LakeChange("remove", present.ref)


def wanted_values(target: NotificationTarget, state: LakeState) -> dict[str, str]:
    """What the server's configuration is to hold for a target, without the comment's mark and the secrets."""
    known = state.known_keys.get(target.ref.kind)
    complete = keys.complete(target.ref.kind, target.values)
    return {name: value for name, value in complete.items() if not known or name in known or name == "comment"}


def _rules(lake: DeclaredLake, state: LakeState) -> Iterator[LakeChange]:
    present = {rule.id: rule for rule in own_rules(lake.name, state)}
    wanted = {rule.id_in(lake.name): rule for rule in lake.rules}
    for rule_id, rule in wanted.items():
        there = present.get(rule_id)
        if there is None:
            yield LakeChange("add", rule, (f"events: {', '.join(rule.events)}",))
        # The id is made from what the rule says, so they differ only after a change by hand on the server.
        elif not agrees(there, rule):
            yield LakeChange("change", rule, (f"is {there}, {', '.join(there.events)}",))
    for rule_id, there in present.items():
        if rule_id not in wanted:
            yield LakeChange("remove", there)


def agrees(there: PresentRule, rule: Rule) -> bool:
    """Whether the server's rule says what the declared one says."""
    return (
        (there.bucket, there.prefix, there.suffix, frozenset(there.events))
        == (rule.bucket, rule.prefix, rule.suffix, frozenset(rule.events))
    ) and rule.target.is_arn(there.arn)
