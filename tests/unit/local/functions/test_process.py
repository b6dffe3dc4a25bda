"""The process of a function: what it is told, how a start fails, and that it ends with the stack."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from penstock.local.functions.process import StartFailed

from tests.unit.local.conftest import PROGRAM, Bench, ask, until


def test_failed_start_says_why_with_the_end_of_the_log(bench: Bench) -> None:
    functions = bench.functions(bench.spec(EXIT="78"))
    with pytest.raises(StartFailed, match=r"(?s)echo: .*exited with code 78.*echo\.log.*hello from echo"):
        ask(functions)
    assert functions.get("echo").in_flight == 0


def test_readiness_that_never_answers_is_told_from_a_port_where_nothing_listens(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.local.functions.function.START_SECONDS", 1.0)
    functions = bench.functions(bench.spec(READY_WAITS="1"))
    with pytest.raises(StartFailed) as caught:
        ask(functions)
    first, *log = str(caught.value).splitlines()
    assert "was not ready after 1 s: GET /_/ready has no answer; look at ready() of its handler" in first
    assert log == ["hello from echo"]


def test_only_the_declared_environment_reaches_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRAY", "from the shell")
    assert "STRAY" not in ask(bench.functions())[0]["environment"]


def test_functions_end_with_a_killed_stack(bench: Bench) -> None:
    program = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from penstock.local.functions.function import Settings
        from penstock.local.functions.functions import LocalFunctions
        from penstock.settings.stackfile import FunctionSpec
        spec = FunctionSpec("echo", Path({str(bench.folder)!r}), environment={{"MARK": "x"}})
        command = [{sys.executable!r}, {str(PROGRAM)!r}]
        settings = Settings(Path({str(bench.folder / "other")!r}), {{}}, lambda _: command)
        functions = LocalFunctions({{"echo": spec}}, settings)
        functions.get("echo").start()
        print(functions.get("echo")._process.instance, flush=True)
        time.sleep(600)
        """
    )
    stack = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert stack.stdout is not None
    with stack.stdout:
        pid = int(stack.stdout.readline().rpartition("-")[2])
        os.kill(pid, 0)
        stack.send_signal(signal.SIGKILL)
        stack.wait()

    def ended() -> bool:
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"

    until(ended)
