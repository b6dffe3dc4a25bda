"""Compare listings of sources and targets, and name what differs.

What the listings show is a hint, like an event: each difference is handed to the runtime, which looks at the object
itself before it writes or removes anything.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from penstock.errors import ConfigError
from penstock.reconcile.held import Held, HeldTarget, is_same
from penstock.runtime.assets import look_at
from penstock.runtime.basis import holds
from penstock.runtime.filters import objection
from penstock.runtime.runtime import Runtime
from penstock.settings.config import Config, SourceRule
from penstock.sinks import Sink
from penstock.store import Store
from penstock.types import Mark, ObjectRef, ObjectState

# More than this share of all targets is not removed without --yes: a wrong SOURCE looks like a million deletions.
MAX_REMOVED_SHARE = 0.01
EXAMPLES = 20


@dataclass
class Report:
    """What was found and done: counts by finding (`agreeing`, `missing`, `stale`, `orphaned`, ...) and by outcome.

    `compared_before` counts sources that the run before compared, `extra_requests` the HEADs for what listings did not
    tell.
    """

    found: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    uploads: tuple[str, ...] = ()
    compared_before: int = 0
    extra_requests: int = 0

    @property
    def differences(self) -> int:
        return sum(count for name, count in self.found.items() if name != "agreeing")

    def note(self, finding: str, subject: str) -> None:
        self.found[finding] += 1
        if finding != "agreeing" and len(self.examples) < EXAMPLES:
            self.examples.append(f"{finding:<9} {subject}")


@dataclass(frozen=True, slots=True)
class Difference:
    """One object whose target does not agree: missing, stale, foreign, orphaned or excluded.

    An orphan has no source. One that is excluded has a source that does not pass the filters of SOURCE any more.

    A recorded refusal is stale too when what it rests on has changed. "forgotten" is about the record of a refusal
    beside a target: its source is gone, or has a target by now. It names that record and no object.
    """

    finding: str
    ref: ObjectRef | None = None
    record: str = ""


class TooManyRemovals(ConfigError):
    """Reconcile would remove more than 1 % of the targets; nothing was removed.

    To do: look at SOURCE; `--yes` if it is right.
    """


class Reconciler:
    """Compares one function's sources with its sink. `since` leaves out sources that are older."""

    def __init__(
        self,
        runtime: Runtime,
        store: Store,
        sink: Sink,
        *,
        prefix: str = "",
        since: datetime | None = None,
        may_remove_many: bool = False,
        adopt: bool = False,
        retry_refused: bool = False,
    ) -> None:
        self._runtime = runtime
        self._retry_refused = retry_refused
        self._max_input_bytes = runtime.config.max_input_bytes
        self._may_remove_many = may_remove_many
        self._adopt = adopt
        self._is_whole = not prefix and since is None
        self._store = store
        self._sink = sink
        self._since = since
        self._function, self._store_name = runtime.function.name, runtime.config.store_name
        self._prints = look_at(runtime.function, store).fingerprints
        self._rules = narrowed(runtime.config, prefix)
        self.report = Report()
        self._targets = 0

    def differences(
        self,
        held: Held,
        *,
        compared_before: Mapping[str, str] | None = None,
        on_compared: Callable[[SourceRule, str], None] = lambda _rule, _key: None,
    ) -> Iterator[Difference]:
        """Yield every object that is missing, stale or orphaned; orphans last, after both listings came to their end.

        A listing that fails raises before the first orphan is named, so it can never remove anything.
        `compared_before` maps rules to the last key that an earlier run compared; sources up to that key are not
        compared again, they only show what is not an orphan. `on_compared` is called with each rule and key that was
        compared.
        """
        self._read_sink(held)
        for rule in self._rules:
            last = (compared_before or {}).get(str(rule), "")
            previous = ""
            for state in listed(self._runtime.config, self._store, rule):
                if self._runtime.config.has_filters and objection(self._runtime.config, self._store, state):
                    self._exclude(held, state.ref)
                elif previous <= state.ref.key <= last:
                    self._skim(held, state.ref)
                    self.report.compared_before += 1
                    previous = state.ref.key
                    if state.ref.key == last:
                        last = ""
                else:
                    # Some stores list folder by folder, so a key that comes later may be a smaller one.
                    last = ""
                    yield from self._compare(held, state)
                    on_compared(rule, state.ref.key)
        yield from self._orphans(held)

    def _read_sink(self, held: Held) -> None:
        entries = (
            (source, entry, self._is_ours(source, entry.mark))
            for rule in self._rules
            for source, entry in self._sink.entries(rule.bucket, rule.prefix)
        )
        held.add(entries)
        self._targets = held.count_targets()

    def _is_ours(self, source: ObjectRef | None, mark: Mark | None) -> bool:
        """Whether this function made it; where the address tells the object store, it must be this one."""
        if mark is None or mark.function != self._function:
            return False
        return source is None or mark.source == source.digest_in(self._store_name)

    def _compare(self, held: Held, state: ObjectState) -> Iterator[Difference]:
        finding = "agreeing"
        for rendition, options in self._prints.items():
            found = self._compare_one(held, state, rendition, options)
            finding = found if finding == "agreeing" else finding
        if finding != "agreeing" and self._since and state.last_modified and state.last_modified < self._since:
            finding = "agreeing"
        self.report.note(finding, str(state.ref))
        if finding != "agreeing":
            yield Difference(finding, state.ref)

    def _compare_one(self, held: Held, state: ObjectState, rendition: str | None, options: str) -> str:
        mark = Mark(state.content, self._function, options, state.ref.digest_in(self._store_name))
        address = self._sink.address(state.ref, rendition)
        target = held.take(address)
        if target is not None and (target.function, target.source) != (self._function, mark.source):
            refusal = held.take(self._sink.refusal_address(address, mark))
            return "agreeing" if self._stands(refusal, mark, target.etag) and not self._adopt else "foreign"
        if target is not None:
            same = self._stands(target, mark, None) if target.refused else is_same(target, mark)
            return "agreeing" if same else "stale"
        # An index keeps a refusal beside a foreign document only. Without that document its reason is gone.
        refusal = held.take(self._sink.refusal_address(address, mark)) if self._sink.refuses_beside else None
        if refusal is None:
            return "missing"
        return "agreeing" if self._stands(refusal, mark, None) else "stale"

    def _stands(self, refusal: HeldTarget | None, mark: Mark, target_etag: str | None) -> bool:
        """Whether a refusal is about this state, and what it rests on has not changed."""
        return (
            refusal is not None
            and is_same(refusal, mark)
            and not self._retry_refused
            and holds(refusal.basis, max_input_bytes=self._max_input_bytes, target_etag=target_etag)
        )

    def _skim(self, held: Held, ref: ObjectRef) -> None:
        """Note that a source exists that an earlier run compared: what belongs to it is not an orphan."""
        for rendition, options in self._prints.items():
            mark = Mark("", self._function, options, ref.digest_in(self._store_name))
            address = self._sink.address(ref, rendition)
            target = held.take(address)
            if target is None or (target.function, target.source) != (self._function, mark.source):
                held.take(self._sink.refusal_address(address, mark))

    def _exclude(self, held: Held, ref: ObjectRef) -> None:
        """Note what the sink holds of a source that the filters leave out: it goes with the orphans."""
        for rendition, options in self._prints.items():
            mark = Mark("", self._function, options, ref.digest_in(self._store_name))
            address = self._sink.address(ref, rendition)
            for place in (address, self._sink.refusal_address(address, mark)):
                held.exclude(place, ref, mark)

    def _orphans(self, held: Held) -> Iterator[Difference]:
        removals = held.count_removals(with_unseen=self._sink.removes_with_source)
        if removals > self._targets * MAX_REMOVED_SHARE and not self._may_remove_many:
            raise TooManyRemovals(
                f"{removals} of {self._targets} targets of {self._function} have no source in the listing, or none "
                f"that SOURCE takes; if that is right, run it again with --yes, else look at SOURCE"
            )
        for ref in held.excluded():
            self.report.note("excluded", str(ref))
            yield Difference("excluded", ref)
        for address, source, refused, beside in held.unseen():
            if source is not None and not any(_covers(rule, source) for rule in self._rules):
                continue  # of another prefix: not asked for
            if beside:
                if self._is_whole:
                    self.report.note("forgotten", address)
                    yield Difference("forgotten", record=address)
            elif self._sink.removes_with_source or refused:
                self.report.note("orphaned", address)
                if source is not None:
                    yield Difference("orphaned", source)


def narrowed(config: Config, prefix: str) -> list[SourceRule]:
    """The rules of SOURCE, each once and without its filters, as far as they lie under `prefix`."""
    rules = dict.fromkeys(rule.keys for rule in config.sources)
    return [found for rule in rules if (found := _narrow(rule, prefix))]


def listed(config: Config, store: Store, rule: SourceRule) -> Iterator[ObjectState]:
    """The objects of a narrowed rule that the function takes by their names; filters are not asked."""
    for state in store.list(rule.bucket, rule.prefix):
        if _covers(rule, state.ref) and config.takes(state.ref):
            yield state


def _narrow(rule: SourceRule, prefix: str) -> SourceRule | None:
    """The part of a rule that lies under `prefix`, or None."""
    if prefix.startswith(rule.prefix):
        return SourceRule(rule.bucket, prefix, rule.suffix)
    return rule if rule.prefix.startswith(prefix) else None


def _covers(rule: SourceRule, ref: ObjectRef) -> bool:
    """Whether a narrowed rule names this object; `--prefix rose.jpg` and a suffix `.jpg` may overlap."""
    return ref.bucket == rule.bucket and ref.key.startswith(rule.prefix) and ref.key.endswith(rule.suffix)
