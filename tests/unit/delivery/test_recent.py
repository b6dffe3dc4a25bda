"""The last attempts, under rising numbers."""

from penstock.delivery.deliverer import Message
from penstock.delivery.recent import ANSWER_BYTES, RecentAttempts
from penstock.delivery.verdict import DeliveryOutcome, Verdict


def tried(recent: RecentAttempts, name: str, data: bytes = b"") -> None:
    verdict = Verdict(DeliveryOutcome.RETRY, 503, "no room", data)
    recent.observe(Message(name, b"body", {}, "webhook", "compress"), verdict, 0.5)


def test_only_the_last_ones_are_kept_and_numbers_go_on() -> None:
    recent = RecentAttempts(kept=2, clock=lambda: 7.0)
    for name in "abc":
        tried(recent, name)
    assert [(each.number, each.message.key) for each in recent.after(0, 10)] == [(2, "b"), (3, "c")]
    assert [each.number for each in recent.after(2, 10)] == [3]
    assert [each.number for each in recent.after(0, 1)] == [3]
    [last] = recent.after(2, 1)
    assert (last.code, last.outcome, last.reason, last.seconds, last.at) == (503, "retry", "no room", 0.5, 7.0)


def test_a_long_answer_is_kept_without_its_end() -> None:
    recent = RecentAttempts()
    tried(recent, "a", "é".encode() * ANSWER_BYTES)
    assert len(recent.after(0, 1)[0].answer) <= ANSWER_BYTES
    assert recent.run != RecentAttempts().run
