"""A flow as a drawing: SVG 1.1, read from left to right, for light and dark pages.

Places stand in columns: each is one column behind the last of those that lead to it. Within a column they are ordered
by the places that lead to them, so that few lines cross.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from penstock.render.flow import Flow, FlowNode, NodeKind, Step

_WIDTH: Final = 152
_HEIGHT: Final = 48
_GAP_X: Final = 118
_GAP_Y: Final = 34
_MARGIN: Final = 16
_CHARS: Final = 20  # of a name that fit into a place
_LABEL_CHARS: Final = 18
# From the middle of a place to the base line of its name: there is a second line below, a cylinder has a lid above.
_DOWN: Final[Mapping[NodeKind, int]] = {"function": 5, "queue": -2, "bucket": 2, "index": 2}
_STYLE: Final = """
  text { font: 13px system-ui, sans-serif; fill: #1d2733; }
  .detail, .label { font-size: 10.5px; fill: #566373; }
  .label { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
  .step { fill: none; stroke: #8895a5; stroke-width: 1.4; }
  .head { fill: #8895a5; }
  .bucket { fill: #e8f1fb; stroke: #3b78b8; }
  .queue { fill: #f3eefb; stroke: #7d5fb2; stroke-dasharray: 4 3; }
  .function { fill: #e6f6ec; stroke: #2f8f57; stroke-width: 2; }
  .index { fill: #fdf3e1; stroke: #b67a1c; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e8edf3; }
    .detail, .label { fill: #a9b5c3; }
    .label { stroke: #14191f; }
    .bucket { fill: #1b2c40; }
    .queue { fill: #2a2338; }
    .function { fill: #17301f; }
    .index { fill: #38290f; }
  }
"""


@dataclass(frozen=True, slots=True)
class _Spot:
    """The top left corner of a place, in pixels."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class _Pass:
    """Where a step passes a column without a stop there. It takes a row, so that no place lies on the line."""

    step: Step
    column: int


_Item = FlowNode | _Pass


@dataclass(frozen=True, slots=True)
class Drawing:
    """Where a flow's places and steps are drawn, in pixels, for a page that draws them itself.

    `places` has the top left corner of each place, `paths` each step's line as SVG has it in `d`, and `labels` the
    middle of each label's base line.
    """

    width: int
    height: int
    places: Mapping[FlowNode, tuple[float, float]]
    paths: Mapping[Step, str]
    labels: Mapping[Step, tuple[float, float]]


PLACE_WIDTH: Final = _WIDTH
PLACE_HEIGHT: Final = _HEIGHT


def draw(flow: Flow) -> Drawing:
    """The drawing that `svg` makes, as numbers."""
    columns = _columns(flow)
    spots = _spots(columns)
    width, height = _size(columns)
    return Drawing(
        width,
        height,
        {item: (spot.x, spot.y) for item, spot in spots.items() if isinstance(item, FlowNode)},
        {step: _path(step, spots) for step in flow.steps},
        {step: _middle(step, spots) for step in flow.steps},
    )


def svg(flow: Flow) -> str:
    """The flow as a standalone SVG document."""
    columns = _columns(flow)
    spots = _spots(columns)
    width, height = _size(columns)
    title = "What flows where: " + ", ".join(place.name for place in flow.places if place.kind == "function")
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="head" d="M0 0L8 4L0 8z"/></marker></defs>',
        *(_step(step, spots) for step in flow.steps),
        *(_label(step, spots) for step in flow.steps if step.label),
        *(_place(item, spot) for item, spot in spots.items() if isinstance(item, FlowNode)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _size(columns: Sequence[Sequence[_Item]]) -> tuple[int, int]:
    width = _MARGIN * 2 + len(columns) * _WIDTH + max(0, len(columns) - 1) * _GAP_X
    height = _MARGIN * 2 + max((len(column) for column in columns), default=0) * (_HEIGHT + _GAP_Y) - _GAP_Y
    return width, max(height, 2 * _MARGIN)


def _columns(flow: Flow) -> list[list[_Item]]:
    """Places by column, and where a step passes a column. A step that would close a circle does not count."""
    before: dict[FlowNode, list[FlowNode]] = {place: [] for place in flow.places}
    for step in flow.steps:
        if not _leads(step.end, step.start, before):
            before[step.end].append(step.start)
    depth: dict[FlowNode, int] = {}

    def depth_of(place: FlowNode) -> int:
        if place not in depth:
            depth[place] = 1 + max((depth_of(one) for one in before[place]), default=-1)
        return depth[place]

    columns: list[list[_Item]] = [[] for _ in range(max((depth_of(place) + 1 for place in flow.places), default=0))]
    for place in flow.places:
        columns[depth[place]].append(place)
    for step in flow.steps:
        for number in range(depth[step.start] + 1, depth[step.end]):
            columns[number].append(_Pass(step, number))
    for number in range(1, len(columns)):
        rows = {item: row for row, item in enumerate(columns[number - 1])}
        heights = {item: _height(item, rows, before) for item in columns[number]}
        columns[number].sort(key=heights.__getitem__)
    return columns


def _height(item: _Item, rows: Mapping[_Item, int], before: Mapping[FlowNode, Sequence[FlowNode]]) -> float:
    """The middle of the rows, in the column on its left, that lead to an item."""
    if isinstance(item, FlowNode):
        leading: list[_Item] = [one for one in rows if isinstance(one, _Pass) and one.step.end == item]
        leading += before[item]
    else:
        leading = [_Pass(item.step, item.column - 1), item.step.start]
    found = [rows[one] for one in leading if one in rows]
    return sum(found) / len(found) if found else 0


def _leads(start: FlowNode, end: FlowNode, before: Mapping[FlowNode, Sequence[FlowNode]]) -> bool:
    """Whether steps that are known lead from one place to another."""
    return start == end or any(_leads(start, one, before) for one in before[end])


def _spots(columns: Sequence[Sequence[_Item]]) -> dict[_Item, _Spot]:
    tallest = max((len(column) for column in columns), default=0)
    found: dict[_Item, _Spot] = {}
    for number, column in enumerate(columns):
        top = _MARGIN + (tallest - len(column)) * (_HEIGHT + _GAP_Y) / 2
        for row, item in enumerate(column):
            found[item] = _Spot(_MARGIN + number * (_WIDTH + _GAP_X), top + row * (_HEIGHT + _GAP_Y))
    return found


def _place(place: FlowNode, spot: _Spot) -> str:
    middle = spot.x + _WIDTH / 2
    line = spot.y + _HEIGHT / 2 + _DOWN[place.kind]
    texts = [f'<text x="{middle:g}" y="{line:g}" text-anchor="middle">{_cut(place.name, _CHARS)}</text>']
    if place.kind != "function":
        detail = place.detail or place.kind
        texts.append(
            f'<text class="detail" x="{middle:g}" y="{line + 14:g}" text-anchor="middle">{_cut(detail, _CHARS)}</text>'
        )
    return f"<g><title>{escape(place.name)}</title>{_outline(place.kind, spot)}{''.join(texts)}</g>"


def _outline(kind: NodeKind, spot: _Spot) -> str:
    if kind in ("function", "queue"):
        radius = 10 if kind == "function" else 2
        return f'<rect class="{kind}" x="{spot.x:g}" y="{spot.y:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="{radius}"/>'
    # A cylinder, as databases and stores are drawn.
    x, y, right, low = spot.x, spot.y + 6, spot.x + _WIDTH, spot.y + _HEIGHT - 6
    half = _WIDTH / 2
    return (
        f'<path class="{kind}" d="M{x:g} {y:g}a{half:g} 6 0 0 1 {_WIDTH} 0V{low:g}a{half:g} 6 0 0 1 -{_WIDTH} 0z'
        f'M{right:g} {y:g}a{half:g} 6 0 0 1 -{_WIDTH} 0"/>'
    )


def _step(step: Step, spots: Mapping[_Item, _Spot]) -> str:
    return f'<path class="step" marker-end="url(#head)" d="{_path(step, spots)}"/>'


def _path(step: Step, spots: Mapping[_Item, _Spot]) -> str:
    path = ""
    for x, y, to_x, to_y in _pieces(step, spots):
        bend = max(40.0, (to_x - x) / 2)
        path += f"M{x:g} {y:g}" if not path else f"L{x:g} {y:g}"
        path += f"C{x + bend:g} {y:g} {to_x - bend:g} {to_y:g} {to_x:g} {to_y:g}"
    return path


def _middle(step: Step, spots: Mapping[_Item, _Spot]) -> tuple[float, float]:
    x, y, to_x, to_y = next(_pieces(step, spots))
    return (x + to_x) / 2, (y + to_y) / 2 - 5


def _label(step: Step, spots: Mapping[_Item, _Spot]) -> str:
    x, y = _middle(step, spots)
    place = f'x="{x:g}" y="{y:g}" text-anchor="middle"'
    return f'<text class="label" {place}><title>{escape(step.label)}</title>{_cut(step.label, _LABEL_CHARS)}</text>'


def _pieces(step: Step, spots: Mapping[_Item, _Spot]) -> Iterator[tuple[float, float, float, float]]:
    """The ends of each curve of a step: one for each gap between two columns."""
    passed = [item for item in spots if isinstance(item, _Pass) and item.step == step]
    stops: list[_Item] = [step.start, *sorted(passed, key=lambda item: item.column), step.end]
    for left, right in itertools.pairwise(stops):
        start, end = spots[left], spots[right]
        yield start.x + _WIDTH, start.y + _HEIGHT / 2, end.x, end.y + _HEIGHT / 2


def _cut(text: str, chars: int) -> str:
    """Text that fits, escaped; the whole of it is in a title beside it."""
    return escape(text if len(text) <= chars else text[: chars - 1] + "…")
