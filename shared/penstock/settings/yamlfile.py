"""YAML files that people write: values with their lines, and every problem at once instead of the first.

Before a file is read, `${NAME}` and `${NAME:-default}` are replaced from the environment, as faas-cli does it, and
`$$` is a `$`. Scalars stay the text that was written: the reader of a key decides what `on`, `3` and `1.0` mean.
"""

import re
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Final

import yaml

from penstock.errors import ConfigError
from penstock.settings.names import nearest

_VARIABLE: Final = re.compile(r"\$\$|\$\{([^}]*)\}")
_SHOWN: Final = 80  # characters of a wrong path
_REFERENCE: Final = re.compile(r"([A-Za-z_]\w*)(?:(:?[-=])(.*))?", re.DOTALL)


def compose(path: Path, env: Mapping[str, str], remedy: str) -> yaml.Node | None:
    """The root node of a file; `env` supplies `${NAME}`, `remedy` says how to name another file.

    Raises `ConfigError` when it cannot be read or is not YAML.
    """
    try:
        text = substitute(path.read_text(encoding="utf-8"), env)
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}; {remedy}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: not UTF-8 at byte {exc.start}; save it as UTF-8") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: {exc}") from exc
    try:
        return yaml.compose(text, yaml.SafeLoader)
    except RecursionError:
        raise ConfigError(f"{path}: lists and mappings stand within each other too deep to be read") from None
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{path}{line}: not YAML: {getattr(exc, 'problem', None) or exc}") from exc


def substitute(text: str, env: Mapping[str, str]) -> str:
    """Replace `${NAME}`, `${NAME:-default}` (unset or empty) and `${NAME-default}` (unset); raises `ValueError`.

    >>> substitute("${A} ${B:-two} $$x", {"A": "one"})
    'one two $x'
    """

    def value(found: re.Match[str]) -> str:
        if found.group() == "$$":
            return "$"
        parts = _REFERENCE.fullmatch(found.group(1))
        if parts is None:
            line = text.count("\n", 0, found.start()) + 1
            raise ValueError(
                f"line {line}: {found.group()}: expected ${{NAME}} or ${{NAME:-default}}; write $$ for a $"
            )
        name, operator, default = parts.groups()
        given = env.get(name)
        if operator is None:
            return given or ""
        # The colon makes an empty value count as unset, as in every shell.
        return default if given is None or (not given and operator.startswith(":")) else given

    return _VARIABLE.sub(value, text)


class _Merger(yaml.SafeLoader):
    """Follows `<<`, and keeps one value for each key: mappings that merge each other twice would double each time."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        # As YAML says, the last value of a key counts: PyYAML puts what is merged first.
        last = {(key.value if isinstance(key, yaml.ScalarNode) else id(key)): (key, value) for key, value in node.value}
        node.value = list(last.values())


class YamlReader:
    """Walks the YAML nodes, because only they know their lines, and collects problems in `problems`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self._merger = _Merger("")
        self._merged: set[int] = set()

    def mapping(self, node: yaml.Node | None, where: str) -> dict[str, yaml.Node]:
        if node is None or is_null(node):
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, f"{where}: expected keys and values")
            return {}
        if id(node) not in self._merged:  # an alias is the same node again
            self._merged.add(id(node))
            odd = [key for key, _ in node.value if not isinstance(key, yaml.ScalarNode)]
            for key in odd:
                self.problem(key, f"{where}: a key must be text, not a list or a mapping")
            node.value = [(key, value) for key, value in node.value if key not in odd]
            names = [key.value for key, _ in node.value]
            for index, (key, _) in enumerate(node.value):
                if key.value in names[:index]:
                    self.problem(key, f"{where}: {key.value!r} is given twice")
            try:
                self._merger.flatten_mapping(node)  # `<<: *anchor`
            except (yaml.YAMLError, RecursionError):
                self.problem(node, f"{where}: <<: expected *NAME, where &NAME stands before a mapping in this file")
                return {}
        return {key.value: value for key, value in node.value}

    def strings(self, node: yaml.Node | None, where: str) -> dict[str, str]:
        return {name: self.text(value, f"{where}.{name}") for name, value in self.mapping(node, where).items()}

    def text(self, node: yaml.Node | None, where: str) -> str:
        if node is None or is_null(node):
            return ""
        if not isinstance(node, yaml.ScalarNode):
            self.problem(node, f"{where}: expected text, not a list or a mapping; quote it if it is meant to be JSON")
            return ""
        return str(node.value)

    def texts(self, node: yaml.Node | None, where: str) -> tuple[str, ...]:
        if node is None or is_null(node):
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.problem(node, f"{where}: expected a list")
            return ()
        return tuple(self.text(item, where) for item in node.value)

    def place(self, node: yaml.Node | None, where: str, text: str) -> Path | None:
        """The file or folder that a text names, relative to this file; None for what cannot be one."""
        try:
            found = (self.path.parent / text).resolve()
            found.exists()  # raises for a name that is too long
        except (OSError, ValueError) as exc:
            why = "a NUL character" if "\0" in text else getattr(exc, "strerror", None) or exc
            self.problem(node, f"{where}: {text[:_SHOWN]!r}: not a path: {why}")
            return None
        return found

    def flag(self, node: yaml.Node | None, where: str) -> bool:
        text = self.text(node, where).lower()
        if text not in ("", "true", "false"):
            self.problem(node, f"{where}: expected true or false, got {text!r}")
        return text == "true"

    def known(self, given: Mapping[str, yaml.Node], keys: Set[str], prefix: str) -> None:
        for name, node in given.items():
            if name not in keys:
                near = nearest(name, keys)
                hint = f"did you mean {near}?" if near else f"known: {', '.join(sorted(keys))}"
                self.problem(node, f"{prefix}{name}: unknown key; {hint}")

    def problem(self, node: yaml.Node | None, text: str) -> None:
        line = f":{node.start_mark.line + 1}" if node is not None else ""
        self.problems.append(f"{self.path}{line}: {text}")


def is_null(node: yaml.Node) -> bool:
    """Whether a key was given without a value."""
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"
