"""What flows where: buckets, queues, functions and sinks of a stack, as a graph and as Mermaid's text for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from penstock.lake.model import DeclaredLake
from penstock.settings.config import SourceRule
from penstock.settings.stackfile import FunctionSpec
from penstock.sinks.address import overlap
from penstock.sinks.wiring import outputs

NodeKind = Literal["bucket", "queue", "function", "index"]
_SHAPES: Mapping[NodeKind, tuple[str, str]] = {
    "bucket": ("[(", ")]"),
    "queue": ("[/", "/]"),
    "function": ("(", ")"),
    "index": ("[(", ")]"),
}


@dataclass(frozen=True, slots=True)
class FlowNode:
    """Something that objects or events are in or pass. `detail` is a second, smaller line."""

    kind: NodeKind
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """From one place to the next. `label` says which objects take it, "" for all."""

    start: FlowNode
    end: FlowNode
    label: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """All places, in the order in which the files name them, and the steps between them."""

    places: tuple[FlowNode, ...]
    steps: tuple[Step, ...]


def flow_of(specs: Iterable[FunctionSpec], lake: DeclaredLake | None = None) -> Flow:
    """The flow that a stack file says, with the notification targets of a lake file between buckets and functions.

    Raises `ConfigError` for settings that a deployment would refuse.
    """
    heard = _heard(lake) if lake is not None else []
    steps = [Step(FlowNode("bucket", objects.bucket), queue, patterns([objects])) for objects, queue in heard]
    for spec in specs:
        with spec.named_in_problems():
            steps += _steps_of(spec, heard)
    unique = tuple(dict.fromkeys(steps))
    return Flow(tuple(dict.fromkeys(place for step in unique for place in (step.start, step.end))), unique)


def _steps_of(spec: FunctionSpec, heard: Sequence[tuple[SourceRule, FlowNode]]) -> list[Step]:
    """From what one function reads, by the queue where events come by one, to where it writes."""
    steps: list[Step] = []
    config = spec.config()
    function = FlowNode("function", spec.name)
    for bucket, rules in _by_bucket(config.sources).items():
        queues = [
            queue for objects, queue in heard if queue.kind == "queue" and any(overlap(objects, rule) for rule in rules)
        ]
        steps += [Step(queue, function) for queue in queues]
        if not queues:
            steps.append(Step(FlowNode("bucket", bucket), function, patterns(rules)))
    written = _by_bucket(outputs(config))
    for bucket in written:
        template = config.sink.removeprefix(f"s3://{bucket}/")
        steps.append(Step(function, FlowNode("bucket", bucket), template if template != "{key}" else ""))
    if config.sink and not written:
        scheme = config.sink.partition(":")[0].partition("+")[0]
        steps.append(Step(function, FlowNode("index", config.sink.partition("?")[0].rpartition("/")[2], scheme)))
    return steps


def patterns(rules: Iterable[SourceRule]) -> str:
    """The keys that rules of one bucket take, "" for all of them.

    >>> patterns(SourceRule.parse_all("s3://images/in/*.{jpg,png,gif,tif}"))
    'in/*.jpg and 3 more'
    """
    found = list(dict.fromkeys(f"{rule.prefix}*{rule.suffix}" for rule in rules))
    if "*" in found:
        return ""
    return ", ".join(found) if len(found) < 3 else f"{found[0]} and {len(found) - 1} more"


def mermaid(flow: Flow) -> str:
    """The flow as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html)."""
    ids = {place: f"n{number}" for number, place in enumerate(flow.places)}
    lines = ["flowchart LR"]
    for place, name in ids.items():
        opening, closing = _SHAPES[place.kind]
        text = "<br/>".join(_quoted(part) for part in (place.name, place.detail) if part)
        lines.append(f'    {name}{opening}"{text}"{closing}')
    for step in flow.steps:
        label = f'|"{_quoted(step.label)}"|' if step.label else ""
        lines.append(f"    {ids[step.start]} -->{label} {ids[step.end]}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Text between quotation marks, which Mermaid reads with HTML's names of characters."""
    return text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


def _by_bucket(rules: Iterable[SourceRule]) -> dict[str, list[SourceRule]]:
    found: dict[str, list[SourceRule]] = {}
    for rule in rules:
        found.setdefault(rule.bucket, []).append(rule)
    return found


def _heard(lake: DeclaredLake) -> list[tuple[SourceRule, FlowNode]]:
    """Which objects each notification target of a lake hears of. A search server keeps events and calls no function."""
    targets = {target.ref: target for target in lake.targets}
    found = []
    for rule in lake.rules:
        values = targets[rule.target].values
        name = values.get("topic") or values.get("index") or rule.target.id
        kind: NodeKind = "index" if "index" in values else "queue"
        found.append((rule.objects, FlowNode(kind, name, str(rule.target.kind))))
    return found
