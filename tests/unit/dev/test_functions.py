"""Functions start on the first request, share one start, and stop when nothing is asked of them."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from penstock.dev.functions import Functions, NoSuchFunction, Settings, StartFailed, serve_command
from penstock.stackfile import FunctionSpec

# A real small server with the workload contract; what it does besides answering comes from its environment.
SERVER = """
import http.server, os, signal, sys, threading, time
print("hello from", os.environ["FUNCTION_NAME"], flush=True)
if code := os.environ.get("EXIT"):
    sys.exit(int(code))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            os._exit(3)
        if self.path == "/slow":
            open(os.environ["MARK"], "w").close()
            while os.path.exists(os.environ["MARK"]):
                time.sleep(0.01)
        body = f"{os.getpid()} {os.environ.get('GREETING', '')} {os.environ.get('STRAY', '')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
print("goodbye", flush=True)
"""


class Bench:
    """Functions over the small server, and what a test asks of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "server.py"
        self.program.write_text(SERVER)
        self.mark = folder / "mark"
        self._open: list[Functions] = []

    def functions(self, *, zero: str | None = None, zero_after: float | None = None, **environment: str) -> Functions:
        labels = {"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": zero} if zero else {}
        spec = FunctionSpec("echo", self.folder, environment={"MARK": str(self.mark), **environment}, labels=labels)
        made = Functions(
            {"echo": spec},
            Settings(self.folder / "data", {}, lambda _: [sys.executable, str(self.program)], zero_after),
        )
        self._open.append(made)
        return made

    def close(self) -> None:
        self.mark.unlink(missing_ok=True)
        for functions in self._open:
            functions.stop()


@pytest.fixture(name="bench")
def bench_fixture(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def ask(functions: Functions, path: str = "/") -> tuple[str, bool]:
    with (
        functions.get("echo").lease() as lease,
        urllib.request.urlopen(f"http://127.0.0.1:{lease.port}{path}", timeout=10) as response,
    ):
        return response.read().decode(), lease.cold


def until(condition: Callable[[], object]) -> None:
    """Wait for something that certainly comes; a hang is the failure."""
    while not condition():
        time.sleep(0.01)


def test_first_request_starts_it_and_the_second_finds_it_running(bench: Bench) -> None:
    functions = bench.functions(GREETING="hi")
    assert functions.get("echo").replicas == 0

    first, second = ask(functions), ask(functions)

    assert (first[1], second[1]) == (True, False)
    assert first[0] == second[0]
    assert " hi " in first[0]
    assert functions.get("echo").replicas == 1
    assert functions.get("echo").invocations == 2


def test_concurrent_first_requests_share_one_start(bench: Bench) -> None:
    functions = bench.functions()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask(functions), range(16)))
    assert len({body for body, _ in answers}) == 1


def test_idle_function_stops_and_starts_again(bench: Bench) -> None:
    functions = bench.functions(zero="200ms")
    first, _ = ask(functions)

    assert functions.wait_until_zero(10)
    second, cold = ask(functions)

    assert cold
    assert first != second


def test_shorter_override_wins_over_the_label(bench: Bench) -> None:
    functions = bench.functions(zero="15m", zero_after=0.2)
    ask(functions)
    assert functions.wait_until_zero(10)


def test_function_without_the_label_is_not_stopped(bench: Bench) -> None:
    functions = bench.functions(zero_after=0.01)
    ask(functions)
    assert not functions.get("echo").stop_if_idle()
    assert functions.get("echo").replicas == 1


def test_function_is_never_stopped_while_a_request_is_in_flight(bench: Bench) -> None:
    functions = bench.functions(zero="1ms")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, functions, "/slow")
        until(bench.mark.exists)
        assert not functions.get("echo").stop_if_idle()
        assert functions.get("echo").in_flight == 1
        bench.mark.unlink()
        assert slow.result()[0]
    assert functions.wait_until_zero(10)


def test_crashed_function_is_started_again_by_the_next_request(bench: Bench) -> None:
    functions = bench.functions()
    first, _ = ask(functions)
    with pytest.raises(OSError, match=r"."):
        ask(functions, "/crash")
    until(lambda: functions.get("echo").replicas == 0)

    second, cold = ask(functions)

    assert cold
    assert first != second


def test_failed_start_says_why_with_the_end_of_the_log(bench: Bench) -> None:
    functions = bench.functions(EXIT="78")
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
    assert "from the shell" not in ask(bench.functions())[0]


def test_unknown_function_names_those_that_there_are(bench: Bench) -> None:
    with pytest.raises(NoSuchFunction, match="'nope' is not deployed; deployed: echo"):
        bench.functions().get("nope")


def test_replaced_function_runs_with_its_new_settings(bench: Bench) -> None:
    functions = bench.functions(GREETING="old")
    ask(functions)
    spec = functions.get("echo").spec
    assert not functions.deploy(FunctionSpec("echo", spec.handler, environment={**spec.environment, "GREETING": "new"}))
    assert " new " in ask(functions)[0]


def test_removed_function_is_stopped_and_gone(bench: Bench) -> None:
    functions = bench.functions()
    pid = int(ask(functions)[0].split()[0])
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
        from penstock.dev.functions import Functions, Settings
        from penstock.stackfile import FunctionSpec
        spec = FunctionSpec("echo", Path({str(bench.folder)!r}), environment={{"MARK": "x"}})
        command = [{sys.executable!r}, {str(bench.program)!r}]
        settings = Settings(Path({str(bench.folder / "other")!r}), {{}}, lambda _: command)
        functions = Functions({{"echo": spec}}, settings)
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
