"""Functions start on the first request, share one start, and stop when nothing is asked of them."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from penstock.local.functions.function import serve_command
from penstock.settings.stackfile import FunctionSpec

from tests.unit.local.conftest import Bench, ask, until


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


def test_functions_are_served_as_the_image_does(tmp_path: Path) -> None:
    command = serve_command(FunctionSpec("a", tmp_path))
    assert command[:4] == (sys.executable, "-P", "-m", "penstock.serve")
    assert str(tmp_path) in command
