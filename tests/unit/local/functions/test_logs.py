"""What a function prints: its last lines, a file, and lines that come while one follows."""

import threading

from tests.unit.local.conftest import Bench, ask


def test_stopped_function_says_goodbye(bench: Bench) -> None:
    functions = bench.functions()
    ask(functions)
    functions.get("echo").stop()

    assert [line.text for line in functions.get("echo").logs.tail()] == ["hello from echo", "goodbye"]
    assert (bench.folder / "data/logs/echo.log").read_text() == "hello from echo\ngoodbye\n"


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
