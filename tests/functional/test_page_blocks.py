"""Every block of shell or Python on a page runs in a test, or a comment before it says why it does not."""

from __future__ import annotations

import argparse
import ast
import fnmatch
import importlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.commands.flags import new_parser
from penstock.commands.words import COMMANDS
from penstock.handler.loading import load_module, make_function
from penstock.settings.config import Config

from tests.page_blocks import Block, blocks, kind_of, pages
from tests.paths import ROOT
from tests.shell_blocks import run_block

BLOCKS = [block for page in pages() for block in blocks(page)]
CODE = [block for block in BLOCKS if block.kind in ("sh", "python")]
# Page and section, and the file that runs the blocks there. The file names the page.
RUN_ELSEWHERE = {
    ("README.md", "See it run"): ".ci/run",
    ("README.md", "Call a function directly"): "tests/functional/test_readme.py",
    ("docs/commands.md", "*"): "tests/unit/commands/test_examples.py",
    ("docs/functions.md", "*"): "tests/functional/test_examples_in_functions_page.py",
    ("docs/tutorials/*.md", "*"): "tests/integration/test_tutorials.py",
    ("functions/*/README.md", "*"): "tests/functional/test_readme.py",
}
WORDS = {"": "text", "json": "json", "sql": "sql", "text": "text", "yaml": "yaml", "sh": "sh", "python": "python"}


def runner_of(block: Block) -> str:
    """The file that runs a block, or ""."""
    for (page, section), runner in RUN_ELSEWHERE.items():
        if fnmatch.fnmatchcase(block.page, page) and fnmatch.fnmatchcase(block.section, section):
            return runner
    return ""


HERE = [block for block in CODE if not block.reason and not runner_of(block)]


def name_of(block: Block) -> str:
    return f"{block.page}-{block.first_line[:30]}"


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each command of a shell block, without a prompt, comments and what a shell puts together."""
    for line in block.text.replace("\\\n", " ").splitlines():
        for part in re.split(r"\|\|?|&&|;|&$|2?>+", line.removeprefix("$ ")):
            try:
                words = shlex.split(part, comments=True)
            except ValueError:  # a quotation over several lines
                continue
            if words:
                yield words


def test_blocks_of_each_kind_are_found() -> None:
    assert {block.kind for block in BLOCKS} == set(WORDS.values()), "a block of another kind needs a test"
    assert len(CODE) > 100
    assert len(HERE) >= 2


def test_indented_block_is_found_and_told_apart() -> None:
    assert kind_of('RENDITIONS="small?width=200"') == "text"
    assert kind_of("MINIO_ENDPOINT=http://x penstock ls upload") == "sh"
    assert kind_of("from penstock import Event") == "python"
    assert kind_of("event ──► function") == "text"
    (block,) = [block for block in blocks(ROOT / "docs/architecture.md") if block.kind == "python"]
    assert block.text.startswith("from penstock import Context, Event, Result\n\ndef handle(")
    assert block.reason.startswith("a sketch")


@pytest.mark.parametrize("key", RUN_ELSEWHERE, ids="-".join)
def test_file_that_runs_blocks_of_a_page_is_there_and_has_some(key: tuple[str, str]) -> None:
    assert (ROOT / RUN_ELSEWHERE[key]).is_file()
    assert [block for block in CODE if runner_of(block) == RUN_ELSEWHERE[key]]


def test_ci_runs_what_the_page_says_first() -> None:
    ((command,),) = [list(commands(block)) for block in CODE if runner_of(block) == ".ci/run"]
    assert f" {' '.join(command)}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", [block for block in CODE if block.reason], ids=name_of)
def test_reason_names_a_file_that_does_the_same(block: Block) -> None:
    assert len(block.reason) > 20
    named = re.findall(r"(?:tests|docs)/[\w./-]*\w|\.ci/run", block.reason)
    assert named or "tests that the tables name" in block.reason
    assert [path for path in named if not (ROOT / path).exists()] == []


def named_text(reason: str) -> str:
    """The text of all files that a reason names, of all in a folder that it names."""
    named = [ROOT / path for path in re.findall(r"tests/[\w./-]*\w|\.ci/run", reason)]
    if "and its neighbours" in reason:
        named = [path.parent for path in named]
    files = [file for path in named for file in (path.rglob("*.py") if path.is_dir() else [path])]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


# What reasons say whose files read the pages or all of deploy/ by themselves, so that no command stands in them.
READ_BY_ITSELF = ("tests that the tables name", "test_deploying_docs.py", "every folder below deploy")
NAMED = [
    block
    for block in CODE
    if block.kind == "sh" and block.reason and not any(words in block.reason for words in READ_BY_ITSELF)
]


@pytest.mark.parametrize("block", NAMED, ids=name_of)
def test_the_file_that_a_reason_names_has_the_commands_of_the_block(block: Block) -> None:
    text = named_text(block.reason)
    assert text, block.reason
    for words in commands(block):
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        if words[:1] == ["make"] and "most of them" not in block.reason:
            assert f"make {words[1]}" in text, words
        if words[:1] == ["kubectl"] and "-k" in words:
            assert words[words.index("-k") + 1].rstrip("/") in text, words
        if words[:1] == ["penstock"]:
            calls = [each.words.split() for each in COMMANDS]
            call = next(each for each in calls if words[1 : 1 + len(each)] == each)
            rest = words[1 + len(call) : 2 + len(call)]
            inner = [word for word in rest if re.fullmatch("[a-z]+", word)]
            missing = [word for word in [*call, *inner] if not re.search(rf"\b{word}", text, re.I)]
            assert missing == [], words


@pytest.mark.parametrize("block", [block for block in HERE if block.kind == "python"], ids=name_of)
def test_python_block_is_a_function_that_runs(block: Block, tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(block.text, encoding="utf-8")
    assert make_function(load_module(tmp_path), Config("f")).name == "f"


@pytest.mark.long
@pytest.mark.parametrize("block", [block for block in HERE if block.kind == "sh"], ids=name_of)
def test_shell_block_runs(block: Block, tmp_path: Path) -> None:
    for name in ("examples", "functions", "shared", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    assert "hello".upper() in run_block(block.text, tmp_path) or "examples" not in block.page


@pytest.mark.parametrize("block", [block for block in CODE if block.kind == "python"], ids=name_of)
def test_python_block_is_python_and_what_it_imports_is_there(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("penstock") and not node.level:
            module = importlib.import_module(node.module or "")
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []


@pytest.mark.parametrize("block", [block for block in CODE if block.kind == "sh"], ids=name_of)
def test_shell_block_is_a_script(block: Block) -> None:
    script = re.sub(r"^\$ ", "", block.text, flags=re.M)
    if not block.text.startswith("$ "):
        assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""


@pytest.mark.parametrize("block", [block for block in CODE if block.kind == "sh"], ids=name_of)
def test_penstock_is_called_as_it_understands(block: Block) -> None:
    for words in commands(block):
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        if not words or words[0] not in ("penstock", ".venv/bin/penstock"):
            continue
        assert_understood(words)


def assert_understood(words: list[str]) -> None:
    """`penstock` has this command with these options."""
    call = [word for word in words[1:] if word not in ("NAME...", "...")]
    command = next((each for each in COMMANDS if call[: len(each.words.split())] == each.words.split()), None)
    assert command is not None, words
    parser = new_parser(command.words, command.text)
    importlib.import_module(command.module).add_arguments(parser)
    try:
        parser.parse_args(call[len(command.words.split()) :])
    except (argparse.ArgumentError, SystemExit) as exc:
        pytest.fail(f"{' '.join(words)}: {exc}")


def test_each_way_in_has_one_command_that_penstock_understands() -> None:
    page = (ROOT / "docs" / "ways-in.md").read_text(encoding="utf-8")
    rows = [line for line in page.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]
    calls = [re.findall(r"`(penstock [^`]+)`", row.split("|")[2]) for row in rows]
    assert [len(each) for each in calls] == [1] * len(rows)
    for [call] in calls:
        assert_understood(shlex.split(call))
    connectors = {each.words for each in COMMANDS if each.words.startswith("connect ")}
    ways = {*connectors, "bridge", "watch", "reconcile"}
    assert {way for way in ways if any(call.startswith(f"penstock {way} ") for [call] in calls)} == ways


def test_targets_of_make_are_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    called = {
        word
        for block in CODE
        for words in commands(block)
        if words[0] == "make"
        for word in words[1:]
        if "=" not in word
    }
    assert called - targets == set()
    assert len(called) > 10
