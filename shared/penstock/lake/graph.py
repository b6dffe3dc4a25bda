"""The functions of a stack as a graph: what each reads and writes, and the set-ups that would loop for ever."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from penstock.errors import ConfigError
from penstock.lake.model import ACCESSED, NotificationTarget, Rule
from penstock.settings.config import SourceRule
from penstock.settings.stackfile import FunctionSpec
from penstock.sinks.address import overlap
from penstock.sinks.wiring import outputs

_FUNCTION_PATH = re.compile(r"/(?:async-)?function/([^/]+)")


@dataclass(frozen=True, slots=True)
class Node:
    """A function: what it reads, what it may write into buckets, the topics that lead to it."""

    name: str
    sources: tuple[SourceRule, ...] = ()
    outputs: tuple[SourceRule, ...] = ()
    topics: frozenset[str] = frozenset()

    def feeds(self, other: "Node") -> str:
        """How this one's output becomes the other's input, or "" if it does not.

        >>> rule = SourceRule("b", "", ".gz")
        >>> Node("a", outputs=(rule,)).feeds(Node("b", sources=(rule,)))
        'a writes s3://b/*.gz and b reads s3://b/*.gz'
        """
        for output in self.outputs:
            for source in other.sources:
                if overlap(output, source):
                    return f"{self.name} writes {output} and {other.name} reads {source}"
        return ""


@dataclass(frozen=True, slots=True)
class Graph:
    """All functions by name."""

    functions: Mapping[str, Node] = field(default_factory=dict)

    def loops(self) -> Iterator[str]:
        """Each circle of functions that feed each other, once."""
        names = list(self.functions)
        for index, start in enumerate(names):
            # Only through later functions, so that a circle is found from its first function alone.
            yield from self._circles(start, [start], names[index:])

    def _circles(self, start: str, path: list[str], allowed: list[str]) -> Iterator[str]:
        node = self.functions[path[-1]]
        for name in allowed:
            if name in path and name != start:
                continue
            if not node.feeds(self.functions[name]):
                continue
            if name == start:
                steps = [*path, start]
                how = "; ".join(
                    self.functions[one].feeds(self.functions[other]) for one, other in itertools.pairwise(steps)
                )
                yield f"{' -> '.join(steps)}: an endless loop: {how}; give one of them another bucket, prefix or suffix"
            else:
                yield from self._circles(start, [*path, name], allowed)

    def target_problems(self, target: NotificationTarget) -> Iterator[tuple[str, str]]:
        """The problem of a webhook that points at a function itself, with its key."""
        url = target.values.get("endpoint", "") if target.ref.kind == "webhook" else ""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:  # the check of the key reports it
            return
        found = _FUNCTION_PATH.match(parts.path)
        name = found[1] if found else next((name for name in self.functions if host.split(".")[0] == name), "")
        if name:
            yield (
                "endpoint",
                f"leads to the function {name} itself: its first 4xx would stand at the head of MinIO's queue for "
                "ever, with every later event behind it; send to `penstock bridge`, which stores each event and "
                "delivers it with retries and dead letters",
            )

    def rule_problems(self, rule: Rule, target: NotificationTarget, function: str) -> Iterator[tuple[str, str]]:
        """The problems of a rule that would call a function for its own reading, or that does not reach it.

        `function` names the function that the rule was declared for, or is empty.
        """
        accessed = [event for event in rule.events if event.startswith(ACCESSED)]
        readers = [function] if function else sorted(self._readers(rule, target))
        if accessed and readers:
            yield (
                "events",
                f"{', '.join(accessed)} would reach {', '.join(readers)}, whose own reading makes such events: each "
                "call would make the next one; leave them out",
            )
        topic = target.values.get("topic", "")
        topics = self.functions[function].topics if function in self.functions else frozenset()
        if topic and topics and topic not in topics:
            yield (
                "target",
                f"sends to the topic {topic}, but {function} is annotated with topic: {', '.join(sorted(topics))}, so "
                "the connector would not call it",
            )

    def _readers(self, rule: Rule, target: NotificationTarget) -> Iterable[str]:
        """Functions that may get this rule's events: by the topic, or by what they read."""
        if target.ref.kind == "elasticsearch":
            return
        topic = target.values.get("topic", "")
        for name, node in self.functions.items():
            if topic in node.topics or any(overlap(rule.objects, source) for source in node.sources):
                yield name


def make_graph(specs: Iterable[FunctionSpec]) -> Graph:
    """Read the functions' SOURCE and SINK; raises `ConfigError` with every problem found."""
    nodes: dict[str, Node] = {}
    problems: list[str] = []
    for spec in specs:
        try:
            with spec.named_in_problems():
                nodes[spec.name] = _node(spec)
        except ConfigError as exc:
            problems += exc.problems
    if problems:
        raise ConfigError(*problems)
    return Graph(nodes)


def refuse_loops(graph: Graph) -> None:
    """Raise `ConfigError` when functions feed each other, or one itself, in a circle."""
    problems = list(graph.loops())
    if problems:
        raise ConfigError(*problems)


def _node(spec: FunctionSpec) -> Node:
    config = spec.config()
    return Node(spec.name, config.sources, outputs(config), frozenset(spec.topics))
