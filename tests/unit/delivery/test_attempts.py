"""What waits for another attempt is known until it is done, given up, or its function is gone."""

from penstock.delivery.attempts import Attempts, NextAttempt
from penstock.delivery.deliverer import DeliveryOutcome, Message, Verdict

FAILED = Verdict(DeliveryOutcome.RETRY, 500, "answered 500")
MESSAGE = Message("upload/a.txt", b"{}", {}, "event", "shout", 7)


def test_an_event_that_waits_says_which_attempt_comes_next_and_when() -> None:
    attempts, heard = Attempts(10, wall=lambda: 100.0), list[NextAttempt]()
    attempts.listen(heard.append)

    attempts.observe(MESSAGE, FAILED, 0.1)
    attempts.waits(MESSAGE, FAILED, 2, 20.0)

    assert attempts.waiting() == heard == [NextAttempt("shout", "upload/a.txt", 3, 10, 120.0, "answered 500")]
    assert heard[0].text(110.0) == "retrying, attempt 3 of 10, next in 10 s"
    assert heard[0].text(130.0) == "retrying, attempt 3 of 10, next in 0 s"


def test_what_has_ended_waits_no_more() -> None:
    for outcome in (DeliveryOutcome.DELIVERED, DeliveryOutcome.DEAD):
        attempts = Attempts(10)
        attempts.waits(MESSAGE, FAILED, 1, 20.0)
        attempts.observe(MESSAGE, Verdict(outcome, 200), 0.1)
        assert attempts.waiting() == []


def test_the_next_attempt_is_first_and_functions_that_are_gone_are_forgotten() -> None:
    attempts = Attempts(0, wall=lambda: 0.0)
    attempts.waits(MESSAGE, FAILED, 1, 20.0)
    attempts.waits(Message(b"upload/b.txt", b"", {}, "event", "other", 8), FAILED, 1, 5.0)

    assert [each.object for each in attempts.waiting()] == ["upload/b.txt", "upload/a.txt"]
    assert attempts.waiting()[0].text(0.0) == "retrying, attempt 2, next in 5 s"
    attempts.keep({"shout"})
    assert [each.function for each in attempts.waiting()] == ["shout"]
