"""The delivery core, with a clock moved by hand and answers given by the test."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from penstock.delivery.deliverer import Deliverer, DeliveryOutcome, Message, Policy, TargetAnswer, Verdict
from penstock.delivery.verdict import judge, retry_after_seconds
from penstock.errors import ConfigError, EventError


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(bench: Any, status: int) -> None:
    bench.submit(("a", b"1"))
    bench.transport.answer(status)
    assert bench.outcomes == [(b"1", "delivered")]
    assert bench.deliverer.held == 0


@pytest.mark.parametrize("status", [400, 401, 403, 405, 410, 413, 415, 422])
def test_other_4xx_is_a_dead_letter_at_once(bench: Any, status: int) -> None:
    bench.submit(("a", b"1"))
    bench.transport.answer(status, body=b"why")
    [(_, verdict)] = bench.finished
    assert (verdict.outcome, verdict.code, verdict.data) == (DeliveryOutcome.DEAD, status, b"why")


@pytest.mark.parametrize("status", [404, 408, 409, 429, 500, 502, 503, 504, 599])
def test_retryable_status_is_sent_again(bench: Any, status: int) -> None:
    bench.submit(("a", b"1"))
    bench.transport.answer(status)
    assert bench.finished == []
    bench.timer.advance(60)
    bench.transport.answer(200)
    assert bench.transport.values == [b"1", b"1"]
    assert bench.outcomes == [(b"1", "delivered")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_a_dead_letter_that_names_the_location(bench: Any, status: int) -> None:
    bench.submit(("a", b"1"))
    bench.transport.answer(status, headers={"location": "http://elsewhere/"})
    [(_, verdict)] = bench.finished
    assert verdict.outcome is DeliveryOutcome.DEAD
    assert "http://elsewhere/" in verdict.reason


def test_attempts_used_up_is_a_dead_letter_with_the_last_answer(make_bench: Any) -> None:
    bench = make_bench(Policy(attempts=3))
    bench.submit(("a", b"1"))
    for body in (b"first", b"second", b"third"):
        bench.transport.answer(503, body=body)
        bench.timer.advance(60)
    [(_, verdict)] = bench.finished
    assert (verdict.outcome, verdict.code, verdict.data) == (DeliveryOutcome.DEAD, 503, b"third")
    assert "given up after 3 attempts" in verdict.reason
    assert len(bench.transport.sent) == 3


def test_no_limit_of_attempts_never_gives_up(make_bench: Any) -> None:
    bench = make_bench(Policy(attempts=0, max_wait_seconds=1))
    bench.submit(("a", b"1"))
    for _ in range(2000):
        bench.transport.answer(503)
        bench.timer.advance(1)
    assert bench.finished == []
    assert len(bench.transport.open) == 1


def test_waits_grow_exponentially_from_zero_to_a_limit(make_bench: Any) -> None:
    bench = make_bench(Policy(attempts=0, min_wait_seconds=1, max_wait_seconds=5))
    bench.submit(("a", b"1"))
    for _ in range(5):
        bench.transport.answer(500)
        bench.timer.advance(5)
    assert bench.waits == [(0, 1), (0, 2), (0, 4), (0, 5), (0, 5)]


def test_retry_after_in_seconds_is_waited_for_in_full(make_bench: Any) -> None:
    bench = make_bench(Policy(min_wait_seconds=0))
    bench.submit(("a", b"1"))
    bench.transport.answer(503, headers={"retry-after": "7"})
    bench.timer.advance(6.9)
    assert len(bench.transport.sent) == 1
    bench.timer.advance(0.2)
    assert len(bench.transport.sent) == 2


def test_retry_after_never_waits_longer_than_the_longest_wait(make_bench: Any) -> None:
    bench = make_bench(Policy(min_wait_seconds=0, max_wait_seconds=10))
    bench.submit(("a", b"1"))
    bench.transport.answer(503, headers={"retry-after": "86400"})
    bench.timer.advance(10)
    assert len(bench.transport.sent) == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        ("soon", None),
        ("-3", None),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(text, now=1000.0) == seconds


def test_unknown_status_keeps_its_number() -> None:
    assert judge(TargetAnswer(499), 0.0) == Verdict(DeliveryOutcome.DEAD, 499, "answered 499")


def test_one_key_is_delivered_in_order_retries_included(bench: Any) -> None:
    bench.submit(("a", b"1"), ("a", b"2"), ("a", b"3"))
    assert bench.transport.values == [b"1"]
    bench.transport.answer(503)
    bench.timer.advance(0.1)
    assert bench.transport.values == [b"1"]
    bench.timer.advance(60)
    bench.transport.answer(200)
    bench.transport.answer(422)
    bench.transport.answer(200)
    assert bench.transport.values == [b"1", b"1", b"2", b"3"]
    assert bench.outcomes == [(b"1", "delivered"), (b"2", "dead"), (b"3", "delivered")]


def test_another_key_overtakes_one_that_waits_for_its_retry(make_bench: Any) -> None:
    bench = make_bench(Policy(concurrency=1))
    bench.submit(("a", b"1"), ("b", b"2"))
    bench.transport.answer(503)
    assert bench.transport.values == [b"1", b"2"]
    bench.transport.answer(200)
    assert bench.outcomes == [(b"2", "delivered")]


def test_concurrency_bounds_requests_under_way(make_bench: Any) -> None:
    bench = make_bench(Policy(concurrency=2))
    bench.submit(*((str(number), b"%d" % number) for number in range(5)))
    assert len(bench.transport.open) == 2
    bench.transport.answer(200)
    assert len(bench.transport.open) == 2
    assert bench.transport.values == [b"0", b"1", b"2"]


def test_room_counts_what_is_not_finished(make_bench: Any) -> None:
    bench = make_bench(Policy(max_in_flight=3, concurrency=1))
    bench.submit(("a", b"1"), ("a", b"2"))
    assert bench.deliverer.room == 1
    bench.transport.answer(503)
    assert bench.deliverer.room == 1
    bench.timer.advance(60)
    bench.transport.answer(200)
    assert bench.deliverer.room == 2


def test_closing_finishes_what_is_under_way_and_forgets_the_rest(make_bench: Any) -> None:
    bench = make_bench(Policy(concurrency=2))
    idle: list[bool] = []
    bench.submit(("a", b"1"), ("a", b"2"), ("b", b"3"), ("c", b"4"))
    bench.deliverer.close(lambda: idle.append(True))
    bench.submit(("d", b"5"))
    bench.transport.answer(200)
    assert idle == []
    bench.transport.answer(503)
    assert idle == [True]
    bench.timer.advance(600)
    assert bench.outcomes == [(b"1", "delivered")]
    assert bench.transport.values == [b"1", b"3"]
    assert (bench.deliverer.held, bench.deliverer.room) == (0, 0)


def test_closing_when_nothing_is_under_way_is_idle_at_once(bench: Any) -> None:
    idle: list[bool] = []
    bench.submit(("a", b"1"))
    bench.transport.answer(503)
    bench.deliverer.close(lambda: idle.append(True))
    bench.timer.advance(600)
    assert idle == [True]
    assert len(bench.transport.sent) == 1


def test_withdrawn_messages_free_their_key_for_the_others(make_bench: Any) -> None:
    bench = make_bench(Policy(concurrency=1))
    bench.submit(("a", b"old1"), ("a", b"new1"), ("b", b"old2"), ("b", b"old3"), ("b", b"new2"))
    bench.transport.answer(503)
    bench.transport.answer(503)
    assert bench.transport.values == [b"old1", b"old2"]
    assert bench.deliverer.withdraw(lambda message: message.value.startswith(b"old")) == 3
    bench.transport.answer(200)
    bench.transport.answer(200)
    bench.timer.advance(600)
    assert bench.transport.values == [b"old1", b"old2", b"new1", b"new2"]
    assert bench.outcomes == [(b"new1", "delivered"), (b"new2", "delivered")]
    assert bench.deliverer.held == 0


def test_message_that_cannot_be_sent_is_a_dead_letter_and_the_next_goes_on(bench: Any) -> None:
    class Refusing:
        def send(self, message: Message[object], done: Callable[[TargetAnswer], None]) -> None:
            raise EventError("a header holds a line break")

    finished: list[tuple[bytes, Verdict]] = []
    deliverer = Deliverer(
        Refusing(), Policy(), lambda message, verdict: finished.append((message.value, verdict)), timer=bench.timer
    )
    for number in range(5000):  # deep enough to overflow the stack, were it recursion
        deliverer.submit(Message("a", b"%d" % number, {}, "test"))
    bench.timer.advance(0)
    assert len(finished) == 5000
    assert {(verdict.outcome, verdict.code) for _, verdict in finished} == {(DeliveryOutcome.DEAD, 400)}


def test_policy_names_every_value_out_of_range() -> None:
    with pytest.raises(ConfigError) as caught:
        Policy(attempts=-1, concurrency=0)
    assert [problem.split("=")[0] for problem in caught.value.problems] == ["attempts", "concurrency"]


# The fixture is the class itself, so sharing it between examples shares nothing.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(st.sampled_from("abc"), max_size=25),
    moves=st.lists(st.tuples(st.sampled_from([200, 503, 422, 0]), st.integers(0, 9)), max_size=120),
    concurrency=st.integers(1, 4),
)
def test_every_message_finishes_once_and_in_order_within_its_key(
    make_bench: Any, keys: list[str], moves: list[tuple[int, int]], concurrency: int
) -> None:
    bench = make_bench(Policy(attempts=4, concurrency=concurrency, max_wait_seconds=8))
    bench.submit(*((key, f"{key}{number}".encode()) for number, key in enumerate(keys)))
    for status, position in [*moves, *([(200, 0), (0, 0)] * (2 * len(keys)))]:
        if status == 0:
            bench.timer.advance(8)
        elif bench.transport.open:
            bench.transport.answer(status, position % len(bench.transport.open))
        assert len(bench.transport.open) <= concurrency
        sending = [message.key for message, _ in bench.transport.open]
        assert len(set(sending)) == len(sending)
    for key in "abc":
        expected = [f"{key}{number}".encode() for number, other in enumerate(keys) if other == key]
        assert [value for value, _ in bench.finished if value.decode().startswith(key)] == expected
    assert bench.deliverer.held == 0


ODD_ANSWERS: list[dict[str, Any]] = [
    {"headers": {"retry-after": "9" * 400}},
    {"headers": {"retry-after": "Mon, 99999999999999999999 Jan 2020 00:00:00 GMT"}},
    {"headers": {"retry-after": "Mon, 01 Jan 2020 00:00:00 +99999999999999"}},
    {"headers": {"retry-after": "Mon, 01 Jan 0001 00:00:00 -0000"}},
    {"body": b"[" * 65536},
    {"body": b'{"reason": ' * 10000},
    {"body": b'{"status": ' + b"9" * 5000 + b"}"},
    {"body": b"\xff\xfe{"},
    {"body": b'{"results": [[], {"outcome": {}}, 7], "reason": {}}'},
]


@pytest.mark.parametrize("parts", ODD_ANSWERS, ids=lambda parts: str(parts)[:60])
@pytest.mark.parametrize("status", [422, 429, 503])
def test_an_odd_answer_holds_up_no_message(bench: Any, status: int, parts: dict[str, Any]) -> None:
    bench.submit(("a", b"1"), ("a", b"2"))
    bench.transport.answer(status, **parts)
    bench.timer.advance(3600)
    for _ in range(2 if status != 422 else 1):
        bench.transport.answer(200)
        bench.timer.advance(3600)
    assert [value for value, _ in bench.outcomes] == [b"1", b"2"]
    assert bench.deliverer.held == 0
