"""docs/functions.md: every block runs, and its tables name what the code has."""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import fields
from pathlib import Path

import penstock
import pytest
from penstock.errors import PenstockError
from penstock.handler.hooks import HANDLE, HOOKS
from penstock.handler.loading import load_module, make_function
from penstock.settings.config import Config
from penstock.settings.stackfile import load_stack
from penstock.types import Context, Event, Result

from tests.paths import DOCS, ROOT
from tests.served import free_port
from tests.shell_blocks import run_block

PAGE = (DOCS / "functions.md").read_text(encoding="utf-8")
SECTIONS = {section.partition("\n")[0]: section for section in re.split(r"^##+ ", PAGE, flags=re.M)[1:]}
BLOCKS = {title: re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M) for title, text in SECTIONS.items()}
PROGRAMS = [title for title, blocks in BLOCKS.items() if any(kind == "python" for kind, _ in blocks)]


def write(title: str, folder: Path) -> Path:
    """The Python blocks of a section as the files that their first lines name."""
    made = folder / re.sub(r"\W+", "-", title.lower())
    made.mkdir(parents=True)
    for kind, block in BLOCKS[title]:
        if kind == "python":
            found = re.match(r"# (\w+\.py)\n", block)
            assert found is not None, f"{title}: a block names its file in its first line"
            (made / found[1]).write_text(block, encoding="utf-8")
    return made


def test_page_has_a_program_for_each_concept() -> None:
    assert len(PROGRAMS) >= 10
    kinds = {kind for blocks in BLOCKS.values() for kind, _ in blocks}
    assert kinds == {"python", "sh", "yaml", "text", ""}, "a block of another kind needs a test"


@pytest.mark.parametrize("title", PROGRAMS)
def test_program_of_the_page_is_a_function_with_a_test(title: str, tmp_path: Path) -> None:
    made = write(title, tmp_path)
    assert make_function(load_module(made), Config("f")).name == "f"
    assert re.search(r"^def test_", (made / "handler_test.py").read_text(), re.M)


@pytest.mark.long
def test_tests_of_the_page_pass(tmp_path: Path) -> None:
    for title in PROGRAMS:
        write(title, tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-W", "error"]
    done = subprocess.run([*command, tmp_path], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= len(PROGRAMS)


@pytest.mark.long
@pytest.mark.parametrize("title", PROGRAMS)
def test_program_of_the_page_is_in_the_project_s_style(title: str, tmp_path: Path) -> None:
    made = write(title, tmp_path)
    for check in (["check", "--ignore", "ARG001,PLW0603"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *check, "--no-cache", "--config", str(ROOT / "pyproject.toml")]
        done = subprocess.run([*command, made], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def rows(title: str) -> list[list[str]]:
    """The cells of a section's tables, without their heads."""
    lines = re.findall(r"^\| (.*) \|$", SECTIONS[title], re.M)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


def test_hooks_of_the_page_are_those_of_the_code() -> None:
    told = [row for row in rows("Hooks") if row[0] != "hook"]
    assert told == [[f"`{hook.signature}`", hook.called, hook.returns] for hook in (HANDLE, *HOOKS)]


@pytest.mark.parametrize(
    ("title", "before", "kind"),
    [("The event", "event.", Event), ("The context", "context.", Context), ("The result", "", Result)],
)
def test_fields_of_the_page_are_those_of_the_code(title: str, before: str, kind: type) -> None:
    told = {name for row in rows(title) for name in re.findall(rf"^`{before}(\w+)", row[0])}
    declared = {field.name for field in fields(kind)} | ({"shared"} if kind is Context else set())
    assert told == declared


def test_errors_of_the_page_have_the_statuses_of_the_code() -> None:
    told = {row[0].strip("`"): int(row[1]) for row in rows("Errors") if row[0].startswith("`")}
    for name, status in told.items():
        assert getattr(penstock, name).status == status
    exported = {
        name
        for name in penstock.__all__
        if isinstance(found := getattr(penstock, name), type) and issubclass(found, PenstockError)
    }
    # The first is the base of all, the second is raised by the runtime alone.
    assert exported - set(told) == {"PenstockError", "Forbidden"}


def test_what_a_function_imports_is_in_the_page() -> None:
    unnamed = [name for name in penstock.__all__ if name not in PAGE and name not in ("PenstockError", "Forbidden")]
    assert unnamed == []


@pytest.mark.long
def test_shell_block_of_the_page_runs(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("functions", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    (tmp_path / "template").symlink_to("templates")
    shutil.copy(ROOT / "stack.yml", tmp_path)
    ((_, block),) = [block for blocks in BLOCKS.values() for block in blocks if block[0] == "sh"]
    printed = run_block(block, tmp_path)
    assert "1 passed" in printed
    assert printed.endswith("hello\nworld")


def test_settings_of_the_page_are_read(tmp_path: Path) -> None:
    ((_, block),) = [block for blocks in BLOCKS.values() for block in blocks if block[0] == "yaml"]
    (tmp_path / "functions" / "shout").mkdir(parents=True)
    (tmp_path / "stack.yml").write_text("version: 1.0\nprovider:\n  name: openfaas\n" + block)
    spec = load_stack(tmp_path / "stack.yml", {}).functions["shout"]
    assert (spec.environment["SOURCE"], spec.environment["OPTION_GREETING"]) == ("s3://upload/*.txt", "hello")


def test_breakpoint_opens_the_debugger_under_serve(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(
        "from penstock import Result\n\ndef handle(event, context):\n    data = event.body.read()\n    breakpoint()\n"
        "    return Result(data.upper())\n"
    )
    port = free_port()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock.serve", tmp_path, "--host", "127.0.0.1", "--port", str(port)],
        env={"PATH": os.environ["PATH"], "TERM": "dumb", "FUNCTION_NAME": "shout"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    answers: list[bytes] = []

    def ask() -> None:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", b"hello", timeout=60) as answer:
                    answers.append(answer.read())
                return
            except OSError:
                time.sleep(0.1)

    decoder = codecs.getincrementaldecoder("utf-8")()

    def read_until(text: str) -> str:
        shown = ""
        while text not in shown and select.select([ours], [], [], 60)[0]:
            shown += decoder.decode(os.read(ours, 4096))  # a read may end within a character
        return shown

    caller = threading.Thread(target=ask)
    try:
        caller.start()
        shown = read_until("(Pdb) ")
        # Python 3.13 stops at the line of the call, those before it at the next one.
        assert f"{tmp_path}/handler.py({5 if sys.version_info >= (3, 13) else 6})handle()" in shown
        os.write(ours, b"p data\n")
        assert "b'hello'" in read_until("(Pdb) ")
        os.write(ours, b"c\n")
        caller.join(60)
        assert answers == [b"HELLO"]
    finally:
        process.terminate()
        assert process.wait(60) == 0
        os.close(ours)
