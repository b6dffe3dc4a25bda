"""The drawing: well-formed, complete, and no place on a line that passes it."""

import re
from xml.etree import ElementTree

import pytest
from penstock.render.drawing import svg
from penstock.render.flow import Flow, FlowNode, Step, flow_of
from penstock.settings.stackfile import load_stack

from tests.paths import ROOT

SVG = "{http://www.w3.org/2000/svg}"


def flow(*pairs: str) -> Flow:
    """A flow of steps that are written as `a>b`."""
    steps = tuple(
        Step(FlowNode("function", start), FlowNode("function", end))
        for start, end in (pair.split(">") for pair in pairs)
    )
    return Flow(tuple(dict.fromkeys(place for step in steps for place in (step.start, step.end))), steps)


def boxes(text: str) -> dict[str, tuple[float, float]]:
    """The corner of each function's box."""
    found = {}
    for group in ElementTree.fromstring(text).iter(f"{SVG}g"):
        title, box = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        assert title is not None
        assert title.text is not None
        assert box is not None
        found[title.text] = (float(box.attrib["x"]), float(box.attrib["y"]))
    return found


def test_each_place_is_right_of_what_leads_to_it() -> None:
    found = boxes(svg(flow("a>b", "b>c", "a>c")))
    assert found["a"][0] < found["b"][0] < found["c"][0]


def test_step_over_a_column_has_a_row_of_its_own() -> None:
    text = svg(flow("a>b", "b>c", "a>c"))
    paths = [
        path.attrib["d"] for path in ElementTree.fromstring(text).iter(f"{SVG}path") if path.get("class") == "step"
    ]
    [longest] = [path for path in paths if "L" in path]
    passes = float(re.split(r"[ C]", longest.partition("L")[2])[1])
    top = boxes(text)["b"][1]
    assert not top <= passes <= top + 48


def test_circle_ends() -> None:
    assert set(boxes(svg(flow("a>b", "b>a", "b>b")))) == {"a", "b"}


def test_empty_flow_is_a_drawing() -> None:
    assert ElementTree.fromstring(svg(Flow((), ()))).tag == f"{SVG}svg"


@pytest.mark.parametrize("name", ["a<b>&\"'", "x" * 80, "日本"])
def test_names_are_escaped_and_cut(name: str) -> None:
    text = svg(
        Flow(
            (FlowNode("function", name), FlowNode("bucket", "b")),
            (Step(FlowNode("function", name), FlowNode("bucket", "b"), name),),
        )
    )
    root = ElementTree.fromstring(text)
    assert name in {title.text for title in root.iter(f"{SVG}title")}
    assert max(len(element.text or "") for element in root.iter(f"{SVG}text")) <= 20


def test_committed_drawing_is_what_the_stack_file_says() -> None:
    stack = load_stack(ROOT / "stack.yml", {})
    assert (ROOT / "docs/flow.svg").read_text(encoding="utf-8") == svg(flow_of(stack.functions.values()))


def test_drawing_fetches_nothing() -> None:
    text = svg(flow("a>b")).replace("http://www.w3.org/2000/svg", "")
    assert "http" not in text
