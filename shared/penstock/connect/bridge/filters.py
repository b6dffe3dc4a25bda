"""Which targets of the bridge get an event: `--only` names, by target, the objects whose events it gets."""

from collections.abc import Iterable, Mapping, Sequence

from penstock import events
from penstock.delivery.http import HttpTarget
from penstock.errors import ConfigError
from penstock.settings.config import RESERVED_PREFIX, SourceRule

Filters = Mapping[str, tuple[SourceRule, ...]]
"""Source rules by the name of the target."""


def targets_of(notification: bytes, targets: Iterable[HttpTarget], filters: Filters) -> list[HttpTarget]:
    """The targets that get one notification: an event that a function does not act on must not wake it from zero.

    A target without a filter gets everything. Raises `EventError` when the notification is malformed.
    """
    [found] = events.parse(notification, {})
    acted_on = found.kind in (events.Kind.CREATED, events.Kind.REMOVED)
    refs = [ref for ref in found.refs if not ref.key.startswith(RESERVED_PREFIX)]
    return [
        target
        for target in targets
        if target.name not in filters
        or (acted_on and any(rule.matches(ref) for ref in refs for rule in filters[target.name]))
    ]


def read_filters(texts: Iterable[str], names: Sequence[str]) -> Filters:
    """Read each `NAME=SOURCE` of `--only`; raises `ConfigError` with every problem found.

    >>> read_filters(["compress=s3://upload/*.csv"], ["compress"])["compress"][0].suffix
    '.csv'
    """
    found: dict[str, tuple[SourceRule, ...]] = {}
    problems = []
    for text in texts:
        name, _, source = text.partition("=")
        if name not in names:
            problems.append(f"--only {text}: no --to is named {name!r}; there are {', '.join(names)}")
        try:
            found[name] = (*found.get(name, ()), *SourceRule.parse_all(source))
        except ValueError as exc:
            problems.append(f"--only {text}: {exc}")
    if problems:
        raise ConfigError(*problems)
    return found
