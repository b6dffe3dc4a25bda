"""The `penstock` command itself: which sub-command, which exit code."""

import errno
import functools
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from penstock.cli import is_of_a_function, main
from penstock.commands.exit_codes import READER_GONE
from penstock.commands.words import COMMANDS, GROUPS
from penstock.handler.loading import load_module

from tests.lake import Lake
from tests.paths import ROOT


def test_alone_it_lists_every_command_in_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    for title, commands in GROUPS.items():
        lines = shown.partition(f"{title}:\n")[2].partition("\n\n")[0].splitlines()
        assert [line.split("  ")[1] for line in lines] == [command.words for command in commands]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["donnors"], "penstock donors"),
        (["recncile", "compress"], "penstock reconcile"),
        (["kafka"], "penstock connect kafka"),
        (["fax"], "penstock --help lists all"),
    ],
)
def test_unknown_command_is_wrong_usage_and_the_nearest_is_named(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"penstock: unknown command {words[0]!r}; ")
    assert meant in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["connect"], "penstock connect: say which: amqp, kafka, mqtt, nats, redis, sqs"),
        (["connect", "fax"], "penstock connect: unknown: 'fax'; say which: amqp, kafka, mqtt, nats, redis, sqs"),
        (["connect", "kafak"], "penstock connect: unknown: 'kafak'; did you mean: penstock connect kafka"),
        (["connect", "--to", "a=b"], "penstock connect: say which: amqp, kafka, mqtt, nats, redis, sqs"),
    ],
)
def test_command_of_two_words_names_the_second_ones(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    usage = "usage: penstock connect {amqp,kafka,mqtt,nats,redis,sqs} [options]"
    assert capsys.readouterr().err == f"{usage}\n{said}\n"


CONNECTORS = ("amqp", "kafka", "mqtt", "nats", "redis", "sqs")


def test_help_for_a_command_of_two_words_is_no_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["connect", "--help"]) == 0
    usage, _, *lines, _, last = capsys.readouterr().out.splitlines()
    assert usage == "usage: penstock connect {amqp,kafka,mqtt,nats,redis,sqs} [options]"
    assert [line.split()[:2] for line in lines] == [["connect", name] for name in CONNECTORS]
    assert "  connect kafka  deliver Kafka records to functions, at least once" in lines
    assert last == "penstock connect amqp --help says more, with examples."


def test_control_c_during_the_imports_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupted)
    assert main(["donors"]) == 130
    assert capsys.readouterr().err == ""


# A reader that has gone


@pytest.mark.parametrize(
    "words", [["--help"], ["connect", "--help"], ["donors", "-o", "-", "--rows", "5"], ["completion", "bash"]]
)
def test_reader_that_has_gone_ends_a_command_without_a_trace(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "penstock.cli", *words]
        environment = {**os.environ, "MINIO_ENDPOINT": "http://127.0.0.1:9"}
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, env=environment)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (READER_GONE, "")


def test_another_pipe_that_broke_is_still_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_another(_args: object) -> int:
        raise BrokenPipeError("a socket")

    monkeypatch.setattr("penstock.commands.new.run", break_another)
    with pytest.raises(BrokenPipeError, match="a socket"):
        main(["new", "name"])


# What may not be written


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_file_that_may_not_be_written_is_no_defect(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_args: object) -> int:
        raise OSError(number, os.strerror(number), "data/inbox.lock")

    monkeypatch.setattr("penstock.commands.new.run", refused)
    assert main(["new", "name"]) == 78
    assert capsys.readouterr().err == (
        f"penstock new: data/inbox.lock: {os.strerror(number)}; take another place, or ask for the right to this one\n"
    )


# Standard streams that are closed or full


def _shell(words: str, redirections: str) -> "subprocess.CompletedProcess[str]":
    line = f'exec "$0" -m penstock.cli {words} {redirections}'
    # Unbuffered, argparse ignores what its own output cannot be written to.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(
    ("words", "redirections", "code"),
    [
        ("help exit-codes", ">&-", 0),
        ("ls --help", ">&-", 0),
        ("help exit-codes", ">&- 2>&- <&-", 0),
        ("ls --nonsense", ">&-", 2),
        ("lake plan --file nowhere.yml", ">&-", 78),
    ],
)
def test_closed_standard_output_changes_nothing_else(words: str, redirections: str, code: int) -> None:
    done = _shell(words, redirections)
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr
    assert "a defect" not in done.stderr


def test_errors_do_not_go_to_standard_output_when_standard_error_is_closed() -> None:
    done = _shell("lake plan --file nowhere.yml", "2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (78, "", "")


@pytest.mark.parametrize("words", ["help exit-codes", "ls --help", "completion bash"])
def test_full_disk_behind_standard_output_is_said_in_words(words: str) -> None:
    done = _shell(words, ">/dev/full")
    assert done.returncode == 75
    assert done.stderr == (
        "penstock: standard output or a temporary file: No space left on device; free some space, and run it again\n"
    )


def test_full_disk_behind_standard_error_changes_no_exit_code() -> None:
    assert _shell("lake plan --file nowhere.yml", "2>/dev/full").returncode == 78


def test_closed_streams_are_open_for_what_a_command_starts() -> None:
    """Else a file that the child opens becomes its standard output, and is written into."""
    code = (
        "import subprocess, sys; from penstock.cli import main; main(['--version']);"
        "sys.exit(subprocess.run(['sh', '-c', 'true >&1']).returncode)"
    )
    done = subprocess.run(["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# Extras

PROJECT = tomllib.loads((ROOT / "shared" / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
RUN_WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

BLOCKED = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Missing())
from penstock.cli import main
sys.exit(main(sys.argv[2:]))
"""
# The help of several commands that name the same extras, one after the other: a Python that starts costs more.
HELP_WITHOUT = RUN_WITHOUT.replace(
    "sys.exit(main(sys.argv[2:]))",
    """
for words in sys.argv[2:]:
    try:
        code = main([*words.split(), "--help"])
    except SystemExit as end:
        code = end.code
    if code:
        sys.exit(f"{words}: {code}")
""",
)


def distributions_of(extras: set[str]) -> set[str]:
    """What an installation with these extras brings, base and extras of extras included."""
    found = set(PROJECT["dependencies"])
    for extra in extras:
        for requirement in EXTRAS[extra]:
            inner = re.fullmatch(r"penstock\[([\w,]+)\]", requirement)
            found |= distributions_of(set(inner[1].split(","))) if inner else {requirement}
    return {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=]", text)[0]).lower() for text in found}


@functools.cache
def installed_packages() -> Mapping[str, list[str]]:
    """The distributions that bring each importable name; to look at all that is installed takes a tenth of a second."""
    return packages_distributions()


def run_with(extras: set[str], *words: str, program: str = RUN_WITHOUT) -> subprocess.CompletedProcess[str]:
    optional = distributions_of(set(EXTRAS)) - distributions_of(extras)
    blocked = {top for top, found in installed_packages().items() if set(map(str.lower, found)) <= optional}
    command = [sys.executable, "-c", program, ",".join(blocked), *words]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.long
@pytest.mark.parametrize("named", sorted({command.extras for command in COMMANDS}))
def test_a_command_starts_with_the_extras_that_it_names(named: str) -> None:
    extras = {extra for extra in named.split(",") if extra}
    assert extras <= set(EXTRAS)
    words = [command.words for command in COMMANDS if command.extras == named]
    done = run_with(extras, *words, program=HELP_WITHOUT)
    assert done.returncode == 0, done.stderr
    assert all(f"usage: penstock {each}" in done.stdout for each in words)


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("up",), "; install it with: pip install 'penstock[demo]'"),
        (("connect", "kafka", "--to", "a=http://h/"), "pip install 'penstock[kafka,stack]'"),
        (("lake", "plan"), "penstock lake: needs yaml; install it with: pip install 'penstock[stack]'"),
        (("render", "knative"), "penstock render: needs yaml; install it with: pip install 'penstock[stack]'"),
        (("dlq", "list", "--set", "bootstrap.servers=h:1"), "install it with: pip install 'penstock[kafka]'"),
        (("listen", "mqtt", "a", "--url", "mqtt://h"), "install it with: pip install 'penstock[kafka,mqtt]'"),
        (("serve", "compress", "--stack", "stack.yml"), "penstock serve: needs yaml; install it with"),
    ],
)
def test_what_is_missing_is_named_with_the_extras_that_bring_it(words: tuple[str, ...], says: str) -> None:
    done = run_with(set(), *words)
    assert done.returncode == 78
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_package_that_a_function_lacks_is_not_taken_for_one_of_ours(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("def handle(event, context):\n    import only_of_the_function\n")
    lake = Lake(load_module(tmp_path).handle)
    lake.put(b"x")
    with pytest.raises(ModuleNotFoundError) as caught:
        lake.agree()
    assert is_of_a_function(caught.value)
