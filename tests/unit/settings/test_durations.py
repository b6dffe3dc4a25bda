"""One reader of durations, for flags, labels and times back from now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from penstock.settings.durations import parse_duration, parse_go_duration, parse_moment

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1h30m", 5400), ("500ms", 0.5), ("1.5m", 90), ("7d", 604800), ("1d12h", 129600)],
)
def test_durations_are_gos_and_days(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "15 m", "15w", "-1s"])
def test_other_durations_are_refused(text: str) -> None:
    for parse in (parse_duration, parse_go_duration):
        with pytest.raises(ValueError, match="expected a duration"):
            parse(text)


def test_what_a_go_program_reads_too_has_no_days() -> None:
    assert parse_go_duration("168h") == parse_duration("7d")
    with pytest.raises(ValueError, match=r"'15d': expected a duration such as .* write days as hours"):
        parse_go_duration("15d")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("24h", NOW - timedelta(days=1)),
        ("7d", NOW - timedelta(days=7)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("2026-01-30T08:00", datetime(2026, 1, 30, 8, tzinfo=UTC)),
        ("2026-01-30T08:00:00Z", datetime(2026, 1, 30, 8, tzinfo=UTC)),
        ("2026-01-30T08:00+02:00", datetime(2026, 1, 30, 8, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_a_moment_is_a_duration_ago_or_a_time(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["soon", "", "yesterday", "99999999999999d"])
def test_other_moments_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 24h or 7d, or a time as 2026-01-31T12:00"):
        parse_moment(text, NOW)
