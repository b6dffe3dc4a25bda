"""What the gateway records of each call."""

from penstock.local.gateway.access import Access

from tests.unit.local.conftest import Bench, until
from tests.unit.local.gateway.conftest import Running


def test_invocations_are_recorded_with_the_functions_own_answer(gateway: Running) -> None:
    gateway.request("POST", "/function/echo/event", b"{}")
    gateway.request("POST", "/function/echo/other", b"abc")

    until(lambda: len(gateway.invocations.recent()) == 2)  # recorded when the answer is through
    other, event = gateway.invocations.recent()
    assert (event.function, event.status, event.cold, event.bytes_in) == ("echo", 200, True, 2)
    assert event.answer is not None
    assert event.answer["outcome"] == "processed"
    assert (other.path, other.bytes_in, other.cold, other.answer) == ("/other", 3, False, None)


def test_a_function_that_does_not_start_says_why_in_the_record(bench: Bench) -> None:
    gateway = Running(bench, bench.functions(bench.spec(EXIT="3")), Access())
    try:
        assert gateway.request("POST", "/function/echo/event", b"{}").status == 503
        until(gateway.invocations.recent)
        [entry] = gateway.invocations.recent()
        assert "exited with code 3 instead of starting" in entry.why
        assert str(gateway.functions.get("echo").logs.path) in entry.why
    finally:
        gateway.close()
