"""What an answer means for its message: Knative's classes."""

import pytest
from penstock.delivery.verdict import DeliveryOutcome, TargetAnswer, judge, retry_after_seconds

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, DeliveryOutcome.DELIVERED),
        (202, DeliveryOutcome.DELIVERED),
        (204, DeliveryOutcome.DELIVERED),
        (301, DeliveryOutcome.DEAD),
        (400, DeliveryOutcome.DEAD),
        (401, DeliveryOutcome.DEAD),
        (404, DeliveryOutcome.RETRY),
        (408, DeliveryOutcome.RETRY),
        (409, DeliveryOutcome.RETRY),
        (422, DeliveryOutcome.DEAD),
        (429, DeliveryOutcome.RETRY),
        (500, DeliveryOutcome.RETRY),
        (504, DeliveryOutcome.RETRY),
        (599, DeliveryOutcome.RETRY),
    ],
)
def test_a_status_decides(status: int, outcome: DeliveryOutcome) -> None:
    verdict = judge(TargetAnswer(status, body=b"why"), NOW)
    assert (verdict.outcome, verdict.code, verdict.data) == (outcome, status, b"why")


def test_a_redirect_names_the_address_to_use() -> None:
    assert "redirected to http://new/;" in judge(TargetAnswer(308, {"location": "http://new/"}), NOW).reason


def test_no_answer_is_retried_with_its_error() -> None:
    verdict = judge(TargetAnswer(502, error="connection refused"), NOW)
    assert (verdict.outcome, verdict.reason) == (DeliveryOutcome.RETRY, "connection refused")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(text, NOW) == seconds
    assert judge(TargetAnswer(503, {} if text is None else {"retry-after": text}), NOW).after == seconds


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            b'{"outcome": "failed", "status": 415, "reason": "x.jpg: no picture"}',
            "x.jpg: no picture (answered 415 Unsupported Media Type)",
        ),
        (
            b'{"results": [{"outcome": "processed"}, {"status": 415, "reason": "x.jpg: no picture"}]}',
            "x.jpg: no picture (answered 415 Unsupported Media Type)",
        ),
        (b"no JSON", "answered 415 Unsupported Media Type"),
        (b'{"reason": "only its beg', "answered 415 Unsupported Media Type"),
        (b'{"reason": 7}', "answered 415 Unsupported Media Type"),
        (b'{"results": 7}', "answered 415 Unsupported Media Type"),
        (b'["reason"]', "answered 415 Unsupported Media Type"),
    ],
)
def test_the_reason_that_the_answer_gives_is_the_verdicts_and_the_status_follows(body: bytes, reason: str) -> None:
    assert judge(TargetAnswer(415, body=body), NOW).reason == reason


def test_a_reason_without_end_is_cut() -> None:
    verdict = judge(TargetAnswer(422, body=b'{"reason": "%b"}' % (b"x" * 5000)), NOW)
    assert len(verdict.reason) < 600


def test_half_of_a_surrogate_pair_in_the_reason_of_an_answer_becomes_its_escape() -> None:
    answer = TargetAnswer(422, {"content-type": "application/json"}, b'{"reason": "no \\ud800 picture"}')
    assert judge(answer, 0).reason.startswith(r"no \ud800 picture (")
