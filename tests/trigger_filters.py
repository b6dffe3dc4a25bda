"""A Trigger's filters, read as the CloudEvents Subscriptions API defines their dialects.

https://github.com/cloudevents/spec/blob/main/subscriptions/spec.md. The integration tests ask Knative's own code
the same questions (tests/components/go/trigger-filter), so that this reading cannot drift from it.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def all_match(filters: Sequence[Mapping[str, Any]], attributes: Mapping[str, str]) -> bool:
    """Whether an event with these attributes passes a Trigger: each of its filters must match."""
    return all(matches(each, attributes) for each in filters)


def matches(one: Mapping[str, Any], attributes: Mapping[str, str]) -> bool:
    """Whether one filter matches; a filter has exactly one dialect, and a missing attribute matches nothing."""
    [(dialect, value)] = one.items()
    if dialect == "all":
        return all_match(value, attributes)
    if dialect == "any":
        return any(matches(each, attributes) for each in value)
    if dialect == "not":
        return not matches(value, attributes)
    return all(name in attributes and _compare(dialect, attributes[name], text) for name, text in value.items())


def _compare(dialect: str, found: str, text: str) -> bool:
    if dialect == "prefix":
        return found.startswith(text)
    return found.endswith(text) if dialect == "suffix" else found == text
