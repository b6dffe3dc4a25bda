"""Text of tests that are written: Python whatever the names and reasons hold."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from penstock.commands.written import Made, Sample, call_text, failing_test, identifier, keep, sample_test
from penstock.errors import ConfigError

HOSTILE = 'a\'"\\\n"""\x00日.txt'
SAMPLE = Sample("file.txt", HOSTILE, HOSTILE, {HOSTILE: HOSTILE}, HOSTILE)


@pytest.mark.parametrize("renditions", [{}, {"card": {"width": HOSTILE}}])
def test_hostile_names_stay_text(renditions: dict[str, dict[str, str]]) -> None:
    call = call_text(SAMPLE, renditions, {"mark": HOSTILE})
    for text in (
        failing_test("7/../x", HOSTILE, call, renditions),
        sample_test(SAMPLE, Made(HOSTILE.encode(), HOSTILE), call),
        sample_test(SAMPLE, Made(b"{}", "application/json", {HOSTILE: [1, HOSTILE]}), call),
    ):
        strings = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
        assert HOSTILE in strings


def test_name_of_a_test_is_a_name() -> None:
    assert identifier("") == "object"
    assert f"test_{identifier('日本 1+.CSV')}".isidentifier()


def test_a_place_that_cannot_be_written_is_no_file_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "samples").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match=r"samples.*: cannot be written: "):
        keep(tmp_path / "samples" / "a.txt", b"a")
    keep(tmp_path / "a.txt", b"a")
    with pytest.raises(FileExistsError):
        keep(tmp_path / "a.txt", b"b")
