"""What a lake is declared to be: buckets, notification targets and rules, as frozen values without I/O."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from penstock.errors import ConfigError
from penstock.events import names
from penstock.lake import keys
from penstock.settings.config import SourceRule, bucket_problem

SAFE_EVENTS: Final = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
ACCESSED: Final = f"s3:{names.ACCESSED}:"
OWNER: Final = "penstock"

_LAKE_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")
_ARN: Final = re.compile(r"arn:[a-z0-9-]+:(sqs|sns|lambda):[^:\s]*:[^:\s]*:[^\s]+")
_TARGET_ID: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]{0,62}")
# Families that a rule may name and that functions ignore.
_IGNORED: Final = {
    names.ACCESSED: "* Get Head GetRetention GetLegalHold Attributes",
    "Replication": "* OperationFailedReplication OperationCompletedReplication OperationNotTracked "
    "OperationMissedThreshold OperationReplicatedAfterThreshold",
    "ObjectRestore": "* Post Completed",
    "ObjectTransition": "* Failed Complete",
    "Scanner": "ManyVersions LargeVersions BigPrefix",
}
# Of those that functions act on, the ones that MinIO knows, and whether a rule may name all of the family at once.
_ACTED_ON: Final = {"ObjectCreated": "* ", "ObjectRemoved": "* ", "LifecycleDelMarkerExpiration": ""}
# The names that a bucket's rules may hold: `ParseName` in MinIO's internal/event/name.go. Bucket events exist for
# its listen API only.
EVENTS: Final = frozenset(
    f"s3:{family}:{action}"
    for family, actions in {
        **{family: all_of + names.ACTED_ON[family][1] for family, all_of in _ACTED_ON.items()},
        **_IGNORED,
    }.items()
    for action in actions.split()
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket; `versioning` None leaves it as it is."""

    name: str
    versioning: bool | None = None


@dataclass(frozen=True, slots=True, order=True)
class TargetRef:
    """Names a target: the two last parts of its ARN; of kind `arn`, `id` is the whole ARN."""

    kind: keys.TargetKind
    id: str

    @property
    def subsystem(self) -> str:
        """How MinIO's configuration names it."""
        return f"{keys.subsystem(self.kind)}:{self.id}"

    @property
    def takes_events(self) -> bool:
        """Whether a rule may name it: Object Lambda answers reads."""
        return self.kind != "lambda"

    @property
    def is_by_arn(self) -> bool:
        """Whether it is named by its whole ARN, and a rule to it needs S3 alone."""
        return self.kind == "arn"

    @property
    def lambda_arn(self) -> str:
        """What a reader names as `lambdaArn`: MinIO lists it nowhere."""
        return f"arn:minio:s3-object-lambda::{self.id}:webhook"

    def is_arn(self, arn: str) -> bool:
        """Whether `arn:minio:sqs:REGION:ID:KIND` names this target, in any region; RustFS has `rustfs` in it."""
        if self.is_by_arn:
            return arn == self.id
        return arn.startswith(("arn:minio:sqs:", "arn:rustfs:sqs:")) and arn.split(":")[4:] == [self.id, self.kind]

    def __str__(self) -> str:
        return self.id if self.is_by_arn else f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class NotificationTarget:
    """A notification target: declared keys and secrets. An `external` one is set up outside this file."""

    ref: TargetRef
    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    external: bool = False

    @property
    def enabled(self) -> bool:
        return self.external or self.values.get("enable", "on").lower() in ("", "on", "true", "yes")

    def problems(self) -> Iterator[tuple[str, str]]:
        """What is wrong with it, each problem with its key, "" for the target itself."""
        if self.ref.is_by_arn:
            if not _ARN.fullmatch(self.ref.id):
                yield "arn", f"expected arn:PARTITION:sqs, sns or lambda:REGION:ACCOUNT:NAME, got {self.ref.id!r}"
            if not self.external:
                yield "arn", "names a target that exists already, so the target is external"
        elif not _TARGET_ID.fullmatch(self.ref.id):
            yield "id", f"expected letters, digits and - only, got {self.ref.id!r}"
        if self.external:
            for name in (*self.values, *self.secrets):
                yield name, "not set by this file, since the target is external"
        elif not self.ref.is_by_arn:
            yield from keys.check(self.ref.kind, self.values, self.secrets)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which events about which keys of a bucket go to which target."""

    bucket: str
    target: TargetRef
    prefix: str = ""
    suffix: str = ""
    events: tuple[str, ...] = SAFE_EVENTS

    @property
    def objects(self) -> SourceRule:
        return SourceRule(self.bucket, self.prefix, self.suffix)

    def id_in(self, lake: str) -> str:
        """The id that the server keeps with the rule: whose it is, and a hash of what it says."""
        parts = [self.bucket, str(self.target), self.prefix, self.suffix, sorted(self.events)]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
        return f"{rule_owner(lake)}{digest}"

    def problems(self) -> Iterator[tuple[str, str]]:
        """What is wrong with it, each problem with its field."""
        for name, value in (("prefix", self.prefix), ("suffix", self.suffix)):
            if set(value) & set("*?"):
                yield (
                    name,
                    f"{value!r} holds * or ?, which MinIO takes for wildcards and Penstock's SOURCE for plain text "
                    f"(* alone separates its prefix from its suffix); give the plain beginning or end of the keys",
                )
            if "\\" in value or len(value) > 1024 or {".", ".."} & set(value.split("/")):
                yield name, f"{value!r} is refused by MinIO: no \\, no . or .. between slashes, at most 1024 characters"
        if not self.events:
            yield "events", "empty; leave it out for created and removed objects"
        if not self.target.takes_events:
            yield "target", f"{self.target} gets no events: it answers reads that name it as {self.target.lambda_arn}"
        for event in self.events:
            if event not in EVENTS:
                yield "events", f"{event!r} is not an event that a rule may name; known: {', '.join(sorted(EVENTS))}"

    def __str__(self) -> str:
        return f"{self.objects} -> {self.target}"


@dataclass(frozen=True, slots=True)
class DeclaredLake:
    """Everything that one lake.yml declares. `name` marks its rules and targets on the server."""

    name: str = "default"
    buckets: tuple[Bucket, ...] = ()
    targets: tuple[NotificationTarget, ...] = ()
    rules: tuple[Rule, ...] = ()
    sync_events: bool = True

    @property
    def bucket_names(self) -> frozenset[str]:
        """The buckets that it declares, and those of its rules."""
        return frozenset([bucket.name for bucket in self.buckets] + [rule.bucket for rule in self.rules])

    @property
    def by_s3_alone(self) -> bool:
        """Whether its targets are all named by ARN, so that no admin API is needed."""
        return bool(self.targets) and all(target.ref.is_by_arn for target in self.targets)

    def check(self) -> None:
        """Raise `ConfigError` with every problem that shows without a server."""
        problems = [f"name: {text}" for text in name_problems(self.name)]
        for bucket in self.buckets:
            if problem := bucket_problem(bucket.name):
                problems.append(problem)
        for target in self.targets:
            problems += [f"target {target.ref}: {key}: {text}" for key, text in target.problems()]
        if len({target.ref.is_by_arn for target in self.targets}) > 1:
            problems.append(
                "targets: those with an arn are set up by S3 alone, the others by MinIO's admin API; declare them in"
                " two files, each with its own name"
            )
        declared = {target.ref: target for target in self.targets}
        if len(declared) < len(self.targets):
            problems.append("targets: two of them have the same type and id")
        if len(set(self.rules)) < len(self.rules):
            problems.append("rules: two of them are the same")
        for rule in self.rules:
            problems += [f"rule {rule}: {key}: {text}" for key, text in rule.problems()]
            found = declared.get(rule.target)
            if found is None or not found.enabled:
                state = "is not declared" if found is None else "is declared with enable: off"
                problems.append(f"rule {rule}: target {rule.target} {state}, so MinIO has no ARN for it")
        if problems:
            raise ConfigError(*problems)


def rule_owner(lake: str) -> str:
    """What the ids of a lake's rules begin with; a name holds no dot, so it never begins another lake's ids."""
    return f"{OWNER}.{lake}."


def name_problems(name: str) -> Iterator[str]:
    if not _LAKE_NAME.fullmatch(name):
        yield f"expected lower-case letters, digits and -, at most 32 of them, got {name!r}"
