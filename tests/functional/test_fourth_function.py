"""Adding a function touches its own folder and stack.yml, nothing else; and it works."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.local.stack import Stack, StackOptions
from penstock.types import ObjectRef

from tests.paths import ROOT

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


def test_a_new_function_processes_objects_in_the_embedded_stack(project: Path, tmp_path: Path) -> None:
    assert main(["new", "shout"]) == 0
    (project / "functions" / "shout" / "handler.py").write_text(HANDLER)
    stack = Stack(StackOptions(project / "stack.yml", tmp_path / "data", {}, port=0, store_port=0))
    try:
        stack.start()
        stack.store.put(ObjectRef("upload", "greeting.txt"), [b"hello"], content_type="text/plain", metadata={})
        target = ObjectRef("processed", "shout/greeting.txt")
        for _ in range(300):
            if (found := stack.store.open(target)) is not None:
                break
            time.sleep(0.1)
        assert found is not None, stack.inbox.counts()
        assert b"".join(found[1]) == b"HELLO"
    finally:
        stack.stop()


@pytest.mark.parametrize("name", ["Shout", "a_b", "-a", "", "compress"])
def test_a_name_that_cannot_be_is_refused(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(project)
    assert main(["new", "--", name]) == 78
    assert repr(name) in capsys.readouterr().err or name == "compress"
    assert files(project) == before
