"""Functions start on the first request, share one start, and stop when nothing is asked of them."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from penstock.local.functions.functions import NoSuchFunction, StartFailed, serve_command
from penstock.settings.stackfile import FunctionSpec

from tests.unit.local.conftest import PROGRAM, Bench, ask, until


def test_first_request_starts_it_and_the_second_finds_it_running(bench: Bench) -> None:
    functions = bench.functions(bench.spec(GREETING="hi"))
    assert functions.get("echo").replicas == 0

    first, second = ask(functions), ask(functions)

    assert (first[1], second[1]) == (True, False)
    assert first[0]["pid"] == second[0]["pid"]
    assert first[0]["environment"]["GREETING"] == "hi"
    assert functions.get("echo").replicas == 1
    assert functions.get("echo").invocations == 2


def test_concurrent_first_requests_share_one_start(bench: Bench) -> None:
    functions = bench.functions()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask(functions), range(16)))
    assert len({seen["pid"] for seen, _ in answers}) == 1


def test_idle_function_stops_and_starts_again(bench: Bench) -> None:
    functions = bench.functions(bench.spec(zero="200ms"))
    first, _ = ask(functions)

    assert functions.wait_until_zero(10)
    second, cold = ask(functions)

    assert cold
    assert first["pid"] != second["pid"]


def test_shorter_override_wins_over_the_label(bench: Bench) -> None:
    functions = bench.functions(bench.spec(zero="15m"), zero_after=0.2)
    ask(functions)
    assert functions.wait_until_zero(10)


def test_function_without_the_label_is_not_stopped(bench: Bench) -> None:
    functions = bench.functions(zero_after=0.01)
    ask(functions)
    assert not functions.get("echo").stop_if_idle()
    assert functions.get("echo").replicas == 1


def test_function_is_never_stopped_while_a_request_is_in_flight(bench: Bench) -> None:
    functions = bench.functions(bench.spec(zero="1ms"))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, functions, "/slow")
        until(bench.mark.exists)
        assert not functions.get("echo").stop_if_idle()
        assert functions.get("echo").in_flight == 1
        bench.mark.unlink()
        assert slow.result()[1]
    assert functions.wait_until_zero(10)


def test_crashed_function_is_started_again_by_the_next_request(bench: Bench) -> None:
    functions = bench.functions()
    first, _ = ask(functions)
    with pytest.raises(OSError, match=r"."):
        ask(functions, "/crash")
    until(lambda: functions.get("echo").replicas == 0)

    second, cold = ask(functions)

    assert cold
    assert first["pid"] != second["pid"]


def test_failed_start_says_why_with_the_end_of_the_log(bench: Bench) -> None:
    functions = bench.functions(bench.spec(EXIT="78"))
    with pytest.raises(StartFailed, match=r"(?s)echo: .*exited with code 78.*echo\.log.*hello from echo"):
        ask(functions)
    assert functions.get("echo").in_flight == 0


def test_stopped_function_says_goodbye(bench: Bench) -> None:
    functions = bench.functions()
    ask(functions)
    functions.get("echo").stop()

    assert [line.text for line in functions.get("echo").logs.tail()] == ["hello from echo", "goodbye"]
    assert (bench.folder / "data/logs/echo.log").read_text() == "hello from echo\ngoodbye\n"


def test_only_the_declared_environment_reaches_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRAY", "from the shell")
    assert "STRAY" not in ask(bench.functions())[0]["environment"]


def test_unknown_function_names_those_that_there_are(bench: Bench) -> None:
    with pytest.raises(NoSuchFunction, match="'nope' is not deployed; deployed: echo"):
        bench.functions().get("nope")


def test_replaced_function_runs_with_its_new_settings(bench: Bench) -> None:
    functions = bench.functions(bench.spec(GREETING="old"))
    ask(functions)
    assert not functions.deploy(bench.spec(GREETING="new"))
    assert ask(functions)[0]["environment"]["GREETING"] == "new"


def test_removed_function_is_stopped_and_gone(bench: Bench) -> None:
    functions = bench.functions()
    pid = ask(functions)[0]["pid"]
    functions.remove("echo")
    with pytest.raises(NoSuchFunction):
        functions.get("echo")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_log_can_be_followed(bench: Bench) -> None:
    functions = bench.functions()
    seen: list[str] = []

    def follow() -> None:
        seen.extend(line.text for line in functions.get("echo").logs.follow(0) if line is not None)

    reader = threading.Thread(target=follow)
    reader.start()
    ask(functions)
    functions.stop()
    reader.join()
    assert seen == ["hello from echo", "goodbye"]


def test_functions_end_with_a_killed_stack(bench: Bench) -> None:
    program = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from penstock.local.functions.functions import LocalFunctions, Settings
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


def test_functions_are_served_as_the_image_does(tmp_path: Path) -> None:
    command = serve_command(FunctionSpec("a", tmp_path))
    assert command[:4] == (sys.executable, "-P", "-m", "penstock.serve")
    assert str(tmp_path) in command
