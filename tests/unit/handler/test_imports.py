"""What a function's folder cannot import is told with file, line and what to write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from penstock.errors import ConfigError, HandlerError
from penstock.handler.loading import load_module, make_function
from penstock.settings.config import Config

HANDLE = "\ndef handle(event, context): ...\n"

CASES: list[tuple[dict[str, str], str]] = [
    # What lies beside handler.py
    (
        {"handler": "import util", "util": ""},
        "handler.py, line 1: util.py is beside handler.py: write `from . import util`",
    ),
    (
        {"handler": "import util as u", "util": ""},
        "handler.py, line 1: util.py is beside handler.py: write `from . import util as u`",
    ),
    ({"handler": "from util import up, down", "util": ""}, "write `from .util import up, down`"),
    ({"handler": "import os, util", "util": ""}, "write `from . import util`"),
    (
        {"handler": "import util.more", "util/more": "", "util/__init__": ""},
        "util/ is beside handler.py: write `from . import util`",
    ),
    ({"handler": "from util.more import x", "util/more": ""}, "write `from .util.more import x`"),
    (
        {"handler": "\n\nfrom .one import x", "one": "\nimport two", "two": ""},
        "one.py, line 2: two.py is beside handler.py",
    ),
    # What does not
    (
        {"handler": "from .utli import x", "util": ""},
        "line 1: there is no utli.py beside handler.py; there is: util.py",
    ),
    ({"handler": "from . import utli", "util": ""}, "line 1: there is no utli.py beside handler.py; there is: util.py"),
    ({"handler": "from .deep.er import x"}, "there is no deep.py beside handler.py; there is: no other file"),
    ({"handler": "from .util import nope", "util": ""}, "handler.py, line 1: util.py has no 'nope'"),
    (
        {"handler": "from ..other import x"},
        "line 1: imports from outside the function's folder; a function is one folder",
    ),
    (
        {"handler": "import no_such_library"},
        "line 1: No module named 'no_such_library'; name what it needs in requirements.txt beside handler.py, with "
        "both bounds, and install it: pip install -r ",
    ),
    # A file beside handler.py that has the name of another module
    (
        {"handler": "from json import up", "json": "up = 1"},
        "'up' is not in Python's own module, which `from json` means; for json.py beside handler.py write "
        "`from .json import up`",
    ),
    (
        {"handler": "import json\njson.up", "json": "up = 1"},
        "line 2: json.up is not in Python's own module, which `import json` means; for json.py beside handler.py write",
    ),
    ({"handler": "import flask\nflask.up", "flask": "up = 1"}, "flask.up is not in the installed package"),
    # Cycles
    (
        {"handler": "from .a import x", "a": "from .b import y\nx = 1", "b": "from .a import x\ny = 1"},
        "b.py, line 1: cannot import",
    ),
    (
        {"handler": "from .a import x", "a": "from .b import y\nx = 1", "b": "from .a import x\ny = 1"},
        "each other; move what both need into a third file",
    ),
    (
        {"handler": "from . import a", "a": "from . import b\nx = 1", "b": "from . import a\na.x"},
        "each other; move what both need",
    ),
    # What cannot be read, or ends while it is imported
    ({"handler": "x = 1\ndef handle(:"}, "handler.py, line 2: SyntaxError: invalid syntax: def handle(:"),
    (
        {"handler": "from . import util", "util": "\n\nif True:\npass"},
        "util.py, line 4: IndentationError: expected an indented block",
    ),
    ({"handler": "x = 'open"}, "handler.py, line 1: SyntaxError: unterminated string literal"),
    (
        {"handler": "x = 1\n\nraise RuntimeError('no licence file')"},
        "handler.py, line 3: cannot be imported: RuntimeError: no licence file",
    ),
    ({"handler": "from . import util", "util": "\n1 / 0"}, "util.py, line 2: cannot be imported: ZeroDivisionError"),
    (
        {"handler": "import sys\nsys.exit(0)"},
        "handler.py, line 2: ends the process when it is imported; leave out the exit, or put it under "
        '`if __name__ == "__main__":`',
    ),
    ({"handler": "import os\nos.nothing"}, "handler.py, line 2: cannot be imported: AttributeError"),
]


def folder(path: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        file = path / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


@pytest.mark.parametrize(
    ("files", "says"), CASES, ids=lambda value: value.get("handler") if isinstance(value, dict) else ""
)
def test_failed_import_says_where_and_what_to_write(tmp_path: Path, files: dict[str, str], says: str) -> None:
    made = folder(tmp_path / "function", {**files, "handler": files["handler"] + HANDLE})
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        load_module(made)
    assert str(caught.value).startswith(str(made))
    assert "penstock_functions" not in str(caught.value), "the name that the folder has inside is not the user's"


def test_relative_folder_is_told_with_file_and_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "function", {"handler": "x = 1\n1 / 0" + HANDLE})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"handler\.py, line 2: cannot be imported"):
        load_module(Path("function"))


def test_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_bytes(b"x = '\xff'\n")
    with pytest.raises(ConfigError, match=r"handler\.py.*SyntaxError: \(unicode error\) 'utf-8' codec"):
        load_module(tmp_path)


def test_ctrl_c_during_an_import_is_no_mistake_of_the_handler(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_module(folder(tmp_path / "function", {"handler": "raise KeyboardInterrupt"}))


def call(made: Path) -> Any:
    return make_function(load_module(made), Config("f")).handle(None, None)  # type: ignore[arg-type]


def test_module_of_the_same_name_is_told_when_the_handler_uses_it(tmp_path: Path) -> None:
    text = "import json\ndef handle(event, context):\n    return json.up(b'a')"
    made = folder(tmp_path / "function", {"handler": text, "json": "def up(data): ..."})
    with pytest.raises(HandlerError, match=r"json\.up is not in Python's own module.* write `from \. import json`"):
        call(made)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("import util", r"handler\.py, line 2: util\.py is beside handler\.py: write `from \. import util`"),
        ("from .utli import x", r"handler\.py, line 2: there is no utli\.py beside handler\.py; there is: util\.py"),
        ("from .util import x", r"handler\.py, line 2: util\.py has no 'x'"),
    ],
)
def test_import_in_the_handler_is_told_as_one_at_start(tmp_path: Path, line: str, says: str) -> None:
    made = folder(tmp_path / "function", {"handler": f"def handle(event, context):\n    {line}", "util": ""})
    with pytest.raises(HandlerError, match=says):
        call(made)


@pytest.mark.parametrize(
    ("requirements", "says"),
    [
        ("# What this function needs, one requirement a line.\n\n", "name what it needs in requirements.txt"),
        ("# images\npillow>=11,<12\n", "install what requirements.txt beside handler.py names, and add what it lacks"),
    ],
)
def test_missing_library_is_told_with_what_requirements_name_already(
    tmp_path: Path, requirements: str, says: str
) -> None:
    made = folder(tmp_path / "function", {"handler": "import no_such_library"})
    (made / "requirements.txt").write_text(requirements)
    with pytest.raises(ConfigError) as caught:
        load_module(made)
    assert f"No module named 'no_such_library'; {says}" in str(caught.value)
    assert str(caught.value).endswith(f": pip install -r {made}/requirements.txt")


def test_library_that_is_missing_when_it_is_used_stays_an_unexpected_error(tmp_path: Path) -> None:
    made = folder(tmp_path / "function", {"handler": "def handle(event, context):\n    import no_such_library"})
    with pytest.raises(ModuleNotFoundError):
        call(made)


def test_attribute_that_no_file_beside_explains_stays_a_bug_of_the_handler(tmp_path: Path) -> None:
    text = "import json\ndef handle(event, context):\n    return json.up(b'a')"
    with pytest.raises(AttributeError, match="module 'json' has no attribute 'up'"):
        call(folder(tmp_path / "function", {"handler": text}))


def test_file_may_have_the_name_of_another_module(tmp_path: Path) -> None:
    text = (
        "import json\nfrom .json import up\nfrom penstock import Result\n"
        "def handle(event, context):\n    return Result(up(json.dumps('a')).encode())"
    )
    made = folder(tmp_path / "function", {"handler": text, "json": "def up(text): return text.upper()"})
    assert call(made).body == b'"A"'
