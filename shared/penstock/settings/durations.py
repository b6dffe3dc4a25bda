"""Lengths of time as people write them: `15m`, `1h30m`, `7d`; and moments that lie so long before now.

They are Go's durations, which OpenFaaS and Kubernetes take, and days besides.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

# After how long OpenFaaS stops an idle function whose labels say no time.
DEFAULT_IDLE: Final = "15m"

_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = r"(?a)(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)"


def parse_duration(text: str) -> float:
    """Seconds of a duration such as `15m`, `1h30m`, `500ms` or `7d`; raises `ValueError`.

    >>> parse_duration("1m30s"), parse_duration("7d")
    (90.0, 604800.0)
    """
    parts = re.findall(_PART, text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r}: expected a duration such as 30s, 15m, 1h30m or 7d")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def parse_go_duration(text: str) -> float:
    """As `parse_duration`, for a text that a Go program reads too: Go knows no days. Raises `ValueError`."""
    seconds = parse_duration(text)
    if "d" in text:
        raise ValueError(f"{text!r}: expected a duration such as 30s, 15m or 1h30m; write days as hours, 168h for 7d")
    return seconds


def parse_moment(text: str, now: datetime | None = None) -> datetime:
    """The moment a duration ago, or one in ISO 8601, which is UTC unless it says otherwise; raises `ValueError`.

    >>> parse_moment("36h", datetime(2026, 1, 31, tzinfo=UTC)).isoformat()
    '2026-01-29T12:00:00+00:00'
    """
    try:
        return (now or datetime.now(UTC)) - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r}: expected a duration such as 24h or 7d, or a time as 2026-01-31T12:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
