"""The options that a function's handler declares, read from its source text: nothing of a function runs for a page."""

import ast
import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

_HANDLER: Final = "handler.py"
Constants = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeclaredOption:
    """One call of `option` in a handler. `accepts` says the range or the choices in words, "" for any value."""

    name: str
    kind: str
    default: str
    meaning: str
    accepts: str


def declared_options(folder: Path) -> list[DeclaredOption]:
    """The options of a function's folder in order; none for a handler that cannot be read or parsed."""
    try:
        tree = _tree(folder / _HANDLER)
    except (OSError, SyntaxError, ValueError):
        return []
    constants = _constants(folder, tree)
    return [
        _declared(statement.target.id, ast.unparse(statement.annotation), statement.value, constants)
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and isinstance(statement.value, ast.Call)
        and ast.unparse(statement.value.func).rpartition(".")[2] == "option"
    ]


def options_of(folder: Path, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The options of a function with the values that its environment gives, ready for JSON."""
    return [
        asdict(each) | {"value": environment.get(f"OPTION_{each.name.upper()}", "")}
        for each in declared_options(folder)
    ]


def given_options(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The options that are set, like `options_of`, of a function whose code is not here: without their meaning."""
    return [
        asdict(DeclaredOption(key.removeprefix("OPTION_").lower(), "", "", "", "")) | {"value": value}
        for key, value in environment.items()
        if key.startswith("OPTION_")
    ]


def _declared(name: str, kind: str, call: ast.Call, constants: Constants) -> DeclaredOption:
    default = ast.unparse(call.args[0]) if call.args else ""
    rules = {each.arg: _value(each.value, constants) for each in call.keywords if each.arg}
    meaning = _value(call.args[1], constants) if len(call.args) > 1 else rules.get("help")
    return DeclaredOption(name, kind, default.strip("'\""), str(meaning or ""), _accepts(rules))


def _accepts(rules: Mapping[str, Any]) -> str:
    if choices := rules.get("choices"):
        return ", ".join(map(str, choices)) if isinstance(choices, list | tuple) else str(choices)
    least, most = rules.get("ge"), rules.get("le")
    if least is not None and most is not None:
        return f"{least} to {most}"
    return f"{least} or more" if least is not None else f"at most {most}" if most is not None else ""


def _constants(folder: Path, tree: ast.Module) -> Constants:
    """The constants of the handler, and those of its neighbours under the names by which it knows them."""
    found = _assigned(tree)
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom) or node.level != 1:
            continue
        if node.module:
            theirs = _of_module(folder, node.module)
            found |= {each.asname or each.name: theirs[each.name] for each in node.names if each.name in theirs}
        else:
            for each in node.names:
                theirs = _of_module(folder, each.name)
                found |= {f"{each.asname or each.name}.{name}": value for name, value in theirs.items()}
    return found


def _of_module(folder: Path, name: str) -> dict[str, Any]:
    try:
        return _assigned(_tree(folder / f"{name}.py"))
    except (OSError, SyntaxError, ValueError):
        return {}


def _assigned(tree: ast.Module) -> dict[str, Any]:
    """Names that a module gives a plain value; of a dictionary the keys, which are what an option chooses from."""
    found: dict[str, Any] = {}
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        for target in targets:
            if isinstance(target, ast.Name) and value is not None:
                keys = value.keys if isinstance(value, ast.Dict) else None
                made = value if keys is None else ast.Tuple([key for key in keys if key is not None], ast.Load())
                with contextlib.suppress(ValueError):
                    found[target.id] = _plain(made, found)
    return found


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _value(expression: ast.expr, constants: Constants) -> Any:
    """What an expression is, as far as the source text tells; "see handler.py" where it does not."""
    try:
        return _plain(expression, constants)
    except ValueError:
        return f"see {_HANDLER}"


def _plain(expression: ast.expr, constants: Constants) -> Any:
    """The value of a literal, of a constant's name, or of a tuple of both; raises `ValueError`."""
    if isinstance(expression, ast.Name | ast.Attribute) and ast.unparse(expression) in constants:
        return constants[ast.unparse(expression)]
    if isinstance(expression, ast.Call) and ast.unparse(expression.func) == "tuple" and expression.args:
        return _plain(expression.args[0], constants)
    if isinstance(expression, ast.Tuple):
        values: list[Any] = []
        for each in expression.elts:
            if isinstance(each, ast.Starred):
                several = _plain(each.value, constants)
                values += several if isinstance(several, tuple) else ast.literal_eval(each)
            else:
                values.append(_plain(each, constants))
        return tuple(values)
    return ast.literal_eval(expression)
