"""What is saved counts for the next event, and what cannot start leaves the old one running."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from penstock.local.gateway.deployments import Deployments
from penstock.local.reload import Reloaded, Reloader
from penstock.settings.stackfile import FunctionSpec, load_stack

from tests.unit.local.conftest import Bench, ask, until

STACK = "functions:\n  echo: {{handler: ./echo, environment: {{MARK: '{mark}'}}}}\n"
WORKS = "from penstock import Result\n\n\ndef handle(event, context):\n    return Result(event.body)\n"


class Project:
    """A stack file with one function, deployed on a small real server, and a reloader that is stepped by hand."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.stack, self.handler = folder / "stack.yml", folder / "echo" / "handler.py"
        self.handler.parent.mkdir()
        self.handler.write_text(WORKS)
        self.write("one")
        self.functions = bench.functions(*load_stack(self.stack, {}).functions.values())
        self.routed: list[list[str]] = []
        self.deployments = Deployments(self.stack, self.functions, {}, self._changed)
        self.said: list[Reloaded] = []
        self.reloader = Reloader(self.deployments, self.said.append)

    def _changed(self, specs: list[FunctionSpec]) -> None:
        self.routed.append(sorted(spec.name for spec in specs))

    def write(self, mark: str, more: str = "") -> None:
        self.stack.write_text(STACK.format(mark=mark) + more)

    def save(self, text: str) -> None:
        """Save the handler, at a time of its own: two writes may come within one tick of the file system's clock."""
        before = self.handler.stat().st_mtime_ns
        self.handler.write_text(text)
        os.utime(self.handler, ns=(before + 10**9, before + 10**9))

    def step(self) -> list[Reloaded]:
        self.said.clear()
        self.reloader.step()
        return list(self.said)

    def pid(self) -> int | None:
        ask(self.functions)
        return self.functions.get("echo").pid


@pytest.fixture(name="project")
def project_fixture(bench: Bench, tmp_path: Path) -> Project:
    return Project(bench, tmp_path)


def test_saved_handler_counts_for_the_next_event(project: Project) -> None:
    first = project.pid()
    assert project.step() == []
    project.save(WORKS + "# saved\n")
    assert project.step() == [Reloaded("echo")]
    assert project.pid() != first
    assert project.step() == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def handle(event, context:\n", "handler.py, line 1: SyntaxError"),
        ("import not_there_at_all\n" + WORKS, "not_there_at_all"),
        ("x = 1\n", "handle"),
        ("import os\nos._exit(3)\n", "its imports end Python"),
    ],
)
def test_code_that_cannot_start_is_said_and_the_old_one_goes_on(project: Project, text: str, says: str) -> None:
    first = project.pid()
    project.save(text)
    [change] = project.step()
    assert change.name == "echo"
    assert says in change.problem
    assert project.pid() == first
    project.save(WORKS)
    assert project.step() == [Reloaded("echo")]
    assert project.pid() != first


def test_entry_that_is_saved_counts(project: Project, bench: Bench) -> None:
    project.write("two")
    assert project.step() == [Reloaded("echo")]
    assert project.functions.get("echo").spec.environment["MARK"] == "two"


def test_function_may_come_and_go(project: Project) -> None:
    project.write("one", "  other: {handler: ./echo}\n")
    assert project.step() == [Reloaded("other")]
    assert project.routed[-1] == ["echo", "other"]
    project.write("one")
    assert project.step() == [Reloaded("other", gone=True)]
    assert project.routed[-1] == ["echo"]
    assert [function.spec.name for function in project.functions] == ["echo"]


def test_stack_file_that_cannot_be_read_changes_nothing(project: Project) -> None:
    first = project.pid()
    project.stack.write_text("functions: [")
    [change] = project.step()
    assert change.name == "stack.yml"
    assert change.problem
    assert project.pid() == first
    project.write("three")
    assert project.step() == [Reloaded("echo")]


@pytest.mark.parametrize("name", ["handler_test.py", ".handler.py.swp", "handler.py~", "__pycache__/handler.pyc"])
def test_what_does_not_run_is_not_looked_at(project: Project, name: str) -> None:
    path = project.handler.parent / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    assert project.step() == []


def test_thread_looks_by_itself_and_ends(project: Project) -> None:
    project.reloader.start()
    try:
        project.save(WORKS + "# saved\n")
        until(lambda: project.said)
    finally:
        project.reloader.stop()
    assert project.said == [Reloaded("echo")]


def test_reloader_goes_on_after_a_failure(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real: Callable[[frozenset[str]], list[Reloaded]] = project.deployments.reload

    def fails_once(touched: frozenset[str]) -> list[Reloaded]:
        calls.append(touched)
        if len(calls) == 1:
            raise OSError("the disk is away")
        return real(touched)

    monkeypatch.setattr(project.deployments, "reload", fails_once)
    project.reloader.start()
    try:
        project.save(WORKS + "# one\n")
        until(lambda: calls)
        project.save(WORKS + "# two\n")
        until(lambda: project.said)
    finally:
        project.reloader.stop()
    assert project.said == [Reloaded("echo")]
