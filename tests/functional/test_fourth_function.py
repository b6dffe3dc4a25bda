"""Adding a function touches its own folder and stack.yml, nothing else; and it works."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.local.stack import Stack, StackOptions
from penstock.settings.stackfile import load_stack
from penstock.types import ObjectRef

from tests.paths import ROOT
from tests.shell_blocks import run_block
from tests.waiting import wait_until

HANDLER = """
from penstock import Context, Event, Result


def handle(event: Event, context: Context) -> Result:
    return Result(event.body.read().upper(), content_type=event.content_type)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what a user's checkout has, as the working directory."""
    copy = tmp_path / "project"
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("functions", "templates"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    (copy / "template").symlink_to("templates")
    shutil.copy(ROOT / "stack.yml", copy)
    monkeypatch.chdir(copy)
    return copy


def files(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_function_touches_its_folder_and_the_stack_file_only(project: Path) -> None:
    before = files(project)
    assert main(["new", "shout"]) == 0
    after = files(project)
    changed = {path for path in after if after[path] != before.get(path)}
    assert Path("stack.yml") in changed
    assert {path.parts[:2] for path in changed - {Path("stack.yml")}} == {("functions", "shout")}
    assert set(before) <= set(after)


def test_the_starter_passes_its_own_test(project: Path) -> None:
    assert main(["new", "shout"]) == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    done = subprocess.run([*command, "functions/shout"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.long
def test_a_new_function_processes_objects_in_the_embedded_stack(project: Path, tmp_path: Path) -> None:
    assert main(["new", "shout"]) == 0
    (project / "functions" / "shout" / "handler.py").write_text(HANDLER)
    stack = Stack(StackOptions(project / "stack.yml", tmp_path / "data", {}, port=0, store_port=0))
    try:
        stack.start()
        stack.store.put(ObjectRef("shout", "greeting.txt"), [b"hello"], content_type="text/plain", metadata={})
        target = ObjectRef("processed", "shout/greeting.txt")
        wait_until(lambda: stack.store.stat(target) is not None, "the target")
        found = stack.store.open(target)
        assert found is not None, stack.inbox.counts()
        assert b"".join(found[1]) == b"HELLO"
    finally:
        stack.stop()


@pytest.mark.parametrize(
    "name",
    [
        *("Shout", "a_b", "-a", "a-", "", "compress"),
        "1a",  # Knative: a label of RFC 1035 begins with a letter
        "ab",  # its bucket would have two characters
        "a" * 43,  # a CronJob's name has at most 52
        *("penstock-bridge", "events", "async-function"),  # taken on a cluster, and by the local gateway
        "class",  # no package of Python can be called so
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(project)
    assert main(["new", "--", name]) == 78
    assert repr(name) in capsys.readouterr().err or name == "compress"
    assert files(project) == before


def test_a_stack_file_that_cannot_work_stays_as_it_is(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack = project / "stack.yml"
    stack.write_text(stack.read_text().replace("penstock.dev/reconcile", "penstock.dev/reconsile"))
    before = files(project)
    assert main(["new", "shout"]) == 78
    assert "'shout' cannot be added to stack.yml" in capsys.readouterr().err
    assert files(project) == before


def test_a_name_with_a_hyphen_has_a_folder_that_python_can_import(project: Path) -> None:
    assert main(["new", "shout-loud"]) == 0
    assert (project / "functions" / "shout_loud" / "handler.py").is_file()
    spec = load_stack(project / "stack.yml", {}).functions["shout-loud"]
    assert (spec.handler, spec.environment["FUNCTION_NAME"]) == (project / "functions" / "shout_loud", "shout-loud")


def test_the_new_entry_has_all_that_its_sisters_have(project: Path) -> None:
    assert main(["new", "shout"]) == 0
    functions = load_stack(project / "stack.yml", {}).functions
    new, sister = functions["shout"], functions["compress"]
    assert (set(new.labels), set(new.annotations)) == (set(sister.labels), set(sister.annotations))
    assert (new.limits, new.requests, new.secrets) == (sister.limits, sister.requests, sister.secrets)
    assert set(new.environment) == set(sister.environment)


def test_the_first_commands_of_its_readme_run(project: Path) -> None:
    assert main(["new", "shout"]) == 0
    readme = (project / "functions" / "shout" / "README.md").read_text()
    [block] = re.findall(r"^```sh\n(.*?)^```", readme, re.S | re.M)
    assert run_block(block, project) == "hello\nworld"
