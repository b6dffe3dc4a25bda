"""What an answer means for the message it answers.

    2xx                                 delivered
    5xx, 404, 408, 409, 429, no answer  retry
    3xx, any other 4xx                  dead letter

These are the classes of Knative's delivery specification. A redirect is never followed: clients turn a
redirected POST into a GET without a body, whose 200 would count as a delivery that never happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from penstock.json_text import encodable, read_json

_MAX_REASON = 500
_RETRIED_4XX = frozenset({404, 408, 409, 429})


class DeliveryOutcome(StrEnum):
    """What to do with a message after an answer."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class TargetAnswer:
    """What came back: a status and the start of a body, or `status` 502 or 504 and an `error` when nothing did.

    Header names are in lower case.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means for its message. `after` is the wait the receiver asked for, in seconds."""

    outcome: DeliveryOutcome
    code: int
    reason: str = ""
    data: bytes = b""
    after: float | None = None


def judge(answer: TargetAnswer, now: float) -> Verdict:
    """Say what one answer means; `now` is in seconds since the epoch, for a Retry-After that is a date."""
    status = answer.status
    if 200 <= status < 300:
        return Verdict(DeliveryOutcome.DELIVERED, status, data=answer.body)
    if 300 <= status < 400:
        where = answer.headers.get("location", "nowhere")
        reason = f"redirected to {where}; name that address as the target, a redirect is not followed"
        return Verdict(DeliveryOutcome.DEAD, status, reason, answer.body)
    reason = answer.error or _reason(answer)
    if status >= 500 or status in _RETRIED_4XX:
        after = retry_after_seconds(answer.headers.get("retry-after"), now)
        return Verdict(DeliveryOutcome.RETRY, status, reason, answer.body, after)
    return Verdict(DeliveryOutcome.DEAD, status, reason, answer.body)


def retry_after_seconds(text: str | None, now: float) -> float | None:
    """Read a Retry-After header, seconds or an HTTP date (RFC 9110 10.2.3); None when absent or unreadable."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _reason(answer: TargetAnswer) -> str:
    """What went wrong in the words of the answer, and then its status; the status alone where it has no words."""
    said = _said(answer)
    return f"{said} ({_phrase(answer.status)})" if said else _phrase(answer.status)


def _said(answer: TargetAnswer) -> str:
    """The reason that an answer gives: its text, or of JSON the first reason of several objects; "" for none."""
    if answer.headers.get("content-type", "").startswith("text/plain"):
        return " ".join(answer.body.decode(errors="replace").split())[:_MAX_REASON]
    try:
        document: Any = read_json(answer.body)
    except ValueError:  # no JSON, or only its start was kept
        return ""
    found = document.get("results", [document]) if isinstance(document, dict) else []
    objects = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    for each in sorted(objects, key=lambda one: one.get("outcome") != "failed"):
        if isinstance(reason := each.get("reason"), str) and reason:
            return encodable(reason[:_MAX_REASON])
    return ""


def _phrase(status: int) -> str:
    try:
        return f"answered {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"answered {status}"
