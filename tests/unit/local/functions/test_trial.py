"""Code is tried in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from penstock.local.functions.trial import problems_of_code

WORKS = "from penstock import Result\n\n\ndef handle(event, context):\n    return Result(event.body)\n"


@pytest.mark.parametrize(
    ("text", "env", "says"),
    [
        (WORKS, {}, []),
        ("print('a line of its own')\n" + WORKS, {}, []),
        (WORKS, {"OPTION_WIDTH": "3"}, ["OPTION_ settings"]),
        ("raise ValueError('two\\nlines')\n" + WORKS, {}, ["two"]),
        ("raise SystemExit(0)\n", {}, ["handler.py"]),
    ],
)
def test_problems_are_one_line_each(text: str, env: dict[str, str], says: list[str], tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(text)
    problems = problems_of_code(tmp_path, {"PATH": os.environ["PATH"], "FUNCTION_NAME": "tried", **env})
    assert len(problems) == len(says)
    assert all(word in problem for word, problem in zip(says, problems, strict=True))
    assert all("\n" not in problem for problem in problems)
