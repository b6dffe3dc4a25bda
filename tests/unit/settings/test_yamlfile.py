"""YAML that people write: variables, lines, and every problem at once."""

from pathlib import Path

import pytest
from penstock.errors import ConfigError
from penstock.settings.yamlfile import YamlReader, compose, substitute


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "one"),
        ("${NONE}", ""),
        ("${NONE:-two}", "two"),
        ("${NONE-two}", "two"),
        ("${EMPTY:-two}", "two"),
        ("${EMPTY-two}", ""),
        ("$${A} $A", "${A} $A"),
    ],
)
def test_variables_are_replaced_as_in_a_shell(text: str, expected: str) -> None:
    assert substitute(text, {"A": "one", "EMPTY": ""}) == expected


def test_a_malformed_variable_is_named_with_its_line() -> None:
    with pytest.raises(ValueError, match=r"line 2: \$\{a b\}: expected"):
        substitute("x\n${a b}", {})


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"\xff", "not UTF-8 at byte 0"), (b"a: [", ":1: not YAML"), (b"${a b}", "expected")],
)
def test_a_file_that_cannot_be_read_is_named(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "stack.yml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=problem):
        compose(path, {}, "name another with --stack")
    with pytest.raises(ConfigError, match="name another with --stack"):
        compose(tmp_path / "none.yml", {}, "name another with --stack")


def test_all_problems_are_found_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "stack.yml"
    path.write_text("a: 1\na: 2\nname: [1]\nlist: x\nflag: maybe\nnmae: x\n")
    reader = YamlReader(path)
    found = reader.mapping(compose(path, {}, ""), "top")
    reader.known(found, {"a", "name", "list", "flag"}, "")
    assert reader.text(found["name"], "name") == ""
    assert reader.texts(found["list"], "list") == ()
    assert reader.flag(found["flag"], "flag") is False
    assert [problem.removeprefix(str(path)).partition(" ")[0] for problem in reader.problems] == [
        ":2:",
        ":6:",
        ":3:",
        ":4:",
        ":5:",
    ]
    assert "did you mean name?" in reader.problems[1]
