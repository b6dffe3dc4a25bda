"""The stack file for paid editions of OpenFaaS: as stack.yml, with the labels that the free edition refuses.

A label `com.openfaas.scale.NAME` is made of each annotation `penstock.dev/scale.NAME`. `${NAME}` stays as it is, for
faas-cli to fill in. What was written as a number, a flag or text stays that.
"""

import copy
from pathlib import Path
from typing import Final

import yaml

from penstock.errors import ConfigError
from penstock.settings.stackfile import SCALE_ANNOTATION, SCALE_LABEL

HEADER: Final = "Made by `penstock render openfaas-pro`; change stack.yml and run it again."
_TEXT: Final = "tag:yaml.org,2002:str"
_MAPPING: Final = "tag:yaml.org,2002:map"


def name_beside(stack: Path) -> str:
    """What the file for a stack file is called.

    >>> name_beside(Path("stack.yml"))
    'stack.pro.yml'
    """
    return f"{stack.stem}.pro{stack.suffix}"


def render(stack: Path) -> str:
    """The text of that file; raises `ConfigError` for a stack file that cannot be rewritten."""
    loader = yaml.SafeLoader(stack.read_text(encoding="utf-8"))
    try:
        root = loader.get_single_node()
    except yaml.YAMLError as exc:
        # A text may become YAML only when ${NAME} is filled in.
        raise ConfigError(f"{stack}: not YAML before ${{NAME}} is filled in: {exc}; put such values in quotes") from exc
    if root is None:
        raise ConfigError(f"{stack}: is empty")
    root = _without_aliases(loader, root)
    for function in _get(root, "functions").values():
        _move_scaling(function)
    # `functions:` stays the last key, because this keeps the order.
    return f"# {HEADER}\n" + yaml.serialize(root, Dumper=yaml.SafeDumper, width=10_000, allow_unicode=True)


def _without_aliases(loader: yaml.SafeLoader, node: yaml.Node) -> yaml.Node:
    """The same tree with each `*alias` and `<<: *alias` written out."""
    made = copy.copy(node)
    if isinstance(made, yaml.MappingNode):
        loader.flatten_mapping(made)
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {key.value: (key, value) for key, value in made.value}
        made.value = [(key, _without_aliases(loader, value)) for key, value in found.values()]
        made.flow_style = False
    elif isinstance(made, yaml.SequenceNode):
        made.value = [_without_aliases(loader, item) for item in made.value]
        made.flow_style = False
    return made


def _move_scaling(function: yaml.Node) -> None:
    annotations = _get(function, "annotations")
    moved = {name: value for name, value in annotations.items() if name.startswith(SCALE_ANNOTATION)}
    if not moved:
        return
    kept = {name: value for name, value in annotations.items() if name not in moved}
    labels = {SCALE_LABEL + name.removeprefix(SCALE_ANNOTATION): value for name, value in moved.items()}
    _set(function, "labels", {**_get(function, "labels"), **labels})
    _set(function, "annotations", kept)


def _get(node: yaml.Node, name: str) -> dict[str, yaml.Node]:
    """The members of the mapping under this key; empty without one."""
    for key, value in node.value:
        if key.value == name and isinstance(value, yaml.MappingNode):
            return {inner.value: found for inner, found in value.value}
    return {}


def _set(node: yaml.Node, name: str, members: dict[str, yaml.Node]) -> None:
    pairs = [(yaml.ScalarNode(_TEXT, key), value) for key, value in members.items()]
    made = yaml.MappingNode(_MAPPING, pairs, flow_style=False)
    places = [place for place, (key, _) in enumerate(node.value) if key.value == name]
    entry = (yaml.ScalarNode(_TEXT, name), made)
    if places:
        node.value[places[0]] = entry
    else:
        node.value.append(entry)
