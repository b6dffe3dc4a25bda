"""`penstock test`: a function on samples, files and objects, and the test that is written from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

HANDLER = """from dataclasses import dataclass

from penstock import Result, UnsupportedInput, option


@dataclass(frozen=True)
class Options:
    mark: str = option("!", "goes to the end")


def handle(event, context):
    data = event.body.read()
    if data == b"bad":
        raise UnsupportedInput(f"{event.name}: bad")
    return Result(data.upper() + event.options.mark.encode(), content_type=event.content_type, notes=["loud"])
"""
STACK = "functions:\n  shout: {handler: ./functions/shout, environment: {OPTION_MARK: '?', SOURCE: 's3://upload/*'}}\n"

# The files are in a pod.
ACCESS = "MINIO_ENDPOINT: 'https://minio', MINIO_CA_FILE: /none/ca, SINK_CA_FILE: /none/search-ca"


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The function's folder, in a project that is the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "functions" / "shout"
    (folder / "samples").mkdir(parents=True)
    (folder / "handler.py").write_text(HANDLER)
    (folder / "samples" / "a b.txt").write_text("hello")
    (tmp_path / "stack.yml").write_text(STACK)
    return folder


def pytest_of(path: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        "--rootdir",
        ".",
    ]
    return subprocess.run([*command, str(path)], cwd=path.parents[2], capture_output=True, text=True)


def test_samples_are_shown_before_and_after(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "shout"]) == 0
    printed = capsys.readouterr()
    head, line = printed.out.splitlines()
    assert head.split()[:3] == ["input", "size", "type"]
    assert line.split() == ["a", "b.txt", "5", "B", "text/plain", "made", "6", "B", "text/plain", "HELLO!"]
    assert printed.err == "penstock test: a b.txt: note: loud\n"


def test_refusal_is_a_line_and_exit_code_65(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.txt").write_text("bad")
    assert main(["test", "shout", "bad.txt", "--json"]) == 65
    assert json.loads(capsys.readouterr().out) == {"input": "bad.txt", "size": 3, "refused": "bad.txt: bad"}


def test_object_and_the_options_of_the_stack_file_count(
    folder: Path, store: S3ObjectStore, capsys: pytest.CaptureFixture[str]
) -> None:
    store.put(ObjectRef("upload", "x/日本.csv"), [b"a"], content_type="text/csv", metadata={})
    assert main(["test", "shout", "s3://upload/x/日本.csv", "--stack", "stack.yml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["input"], told["content_type"], told["made"]["size"]) == ("日本.csv", "text/csv", 2)
    assert told["made"]["notes"] == ["loud"]
    assert main(["test", "shout", "s3://upload/none"]) == 65


def test_file_needs_no_access_to_the_store_that_the_stack_file_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    Path("stack.yml").write_text(STACK.replace("OPTION_MARK", f"{ACCESS}, OPTION_MARK"))
    assert main(["test", "shout", "--stack", "stack.yml"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("HELLO?")


@pytest.mark.long
@pytest.mark.parametrize("text", ["a b", "x" * 5000])
def test_written_test_passes_until_the_function_changes(folder: Path, text: str) -> None:
    Path("new.txt").write_text(text)
    assert main(["test", "shout", "new.txt", "--write"]) == 0
    written = folder / "new_txt_test.py"
    assert (folder / "samples" / "new.txt").read_text() == text
    assert pytest_of(written).returncode == 0
    # Another size: Python takes compiled code for current when second and size of its source are equal.
    (folder / "handler.py").write_text(HANDLER.replace("upper", "lower") + "# changed\n")
    assert pytest_of(written).returncode == 1
    assert main(["test", "shout", "new.txt", "--write"]) == 78


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("def handle(", "def handler(", "has no function handle(event, context)"),
        ('mark: str = option("!", "goes to the end")', "mark: str", "Options.mark: has no default"),
        ("return Result(", "yield Result(", "handle has a `yield` in it"),
    ],
)
def test_mistake_in_the_handler_is_told_with_its_file(
    folder: Path, old: str, new: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "handler.py").write_text(HANDLER.replace(old, new))
    assert main(["test", "shout"]) == 78
    assert capsys.readouterr().err.startswith(f"penstock test: {folder}/handler.py: {says}")


@pytest.mark.parametrize(
    ("result", "says", "code"),
    [
        ("data", "penstock test: b.txt: handle returned bytes; return penstock.Result(...)", 78),
        ("Result([data.decode()])", "penstock test: b.txt: the body of a Result gave a chunk of type str", 78),
        ("Result(data[9])", "IndexError: index out of range\nthe input was b.txt\npenstock test: the function's", 1),
    ],
)
def test_mistake_that_only_one_input_shows_is_told_with_that_input(
    folder: Path, result: str, says: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = "    if data == b'two':\n        return " + result + "\n    return"
    (folder / "handler.py").write_text(HANDLER.replace("    return", found))
    Path("a.txt").write_text("one")
    Path("b.txt").write_text("two")
    assert main(["test", "shout", "a.txt", "b.txt"]) == code
    assert says in capsys.readouterr().err


def test_option_that_the_function_does_not_have_ends_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPTION_MARC", "?")
    assert main(["test", "shout"]) == 78
    assert "option 'marc' is unknown; this function has: mark; did you mean: mark" in capsys.readouterr().err


def test_beginning_of_a_result_keeps_its_lines_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("two.txt").write_text("\x1fred\nblue\t\x1b[2J" + "猫" * 60)
    assert main(["test", "shout", "two.txt"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    begins = r"\x1fRED BLUE \x1b[2J"
    assert line.endswith("  " + begins + "猫" * (60 - len(begins)))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["none.txt"], "none.txt: no such file\n"),
        (["mark=?"], "mark=?: no such file; for an option: OPTION_MARK=... penstock test shout\n"),
        (["s3://A/b"], "bucket 'A'"),
    ],
)
def test_input_that_is_not_there_is_named(
    folder: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", "shout", *words]) == 78
    assert says in capsys.readouterr().err


def test_without_samples_the_remedy_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "samples" / "a b.txt").unlink()
    assert main(["test", "shout"]) == 78
    assert "no samples there; name a file or s3://BUCKET/KEY" in capsys.readouterr().err


def test_no_test_is_written_of_an_input_that_is_refused_and_that_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.txt").write_text("bad")
    assert main(["test", "shout", "bad.txt", "--write"]) == 65
    assert capsys.readouterr().err.startswith("penstock test: bad.txt: refused, so no test is written; write one with")
    assert not list(folder.glob("*_test.py"))
