"""Which targets of the bridge one event concerns, by the sources that `--only` gives them."""

from collections.abc import Iterable, Mapping, Sequence

from penstock import events
from penstock.delivery.http import HttpTarget
from penstock.errors import ConfigError
from penstock.settings.config import RESERVED_PREFIX, SourceRule

Only = Mapping[str, tuple[SourceRule, ...]]


def wanting_targets(record: bytes, targets: Iterable[HttpTarget], only: Only) -> list[HttpTarget]:
    """The targets that one notification concerns: what nobody acts on must not wake a function from zero.

    A target that `only` does not name wants everything. Raises `EventError` when the record is malformed.
    """
    [found] = events.parse(record, {})
    acted_on = found.kind in (events.Kind.CREATED, events.Kind.REMOVED)
    own = found.ref.key.startswith(RESERVED_PREFIX)
    return [
        target
        for target in targets
        if target.name not in only
        or (acted_on and not own and any(rule.matches(found.ref) for rule in only[target.name]))
    ]


def read_only(texts: Iterable[str], names: Sequence[str]) -> dict[str, tuple[SourceRule, ...]]:
    """Read `NAME=SOURCE`; raises `ConfigError` with every problem found.

    >>> read_only(["compress=s3://upload/*.csv"], ["compress"])["compress"][0].suffix
    '.csv'
    """
    found: dict[str, tuple[SourceRule, ...]] = {}
    problems = []
    for text in texts:
        name, _, source = text.partition("=")
        if name not in names:
            problems.append(f"--only {text}: no --to is named {name!r}; there are {', '.join(names)}")
        try:
            found[name] = (*found.get(name, ()), SourceRule.parse(source))
        except ValueError as exc:
            problems.append(f"--only {text}: {exc}")
    if problems:
        raise ConfigError(*problems)
    return found
