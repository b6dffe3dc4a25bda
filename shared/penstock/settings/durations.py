"""Lengths of time as Go writes them, and so OpenFaaS and Kubernetes: `15m`, `1h30m`."""

import argparse
import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as `15m`, `1h30m` or `500ms`; raises `ValueError`.

    >>> parse_duration("1m30s")
    90.0
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r}: expected a duration such as 30s, 15m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def duration_argument(text: str) -> float:
    """As `parse_duration`, for argparse, which shows the text of no other error."""
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
