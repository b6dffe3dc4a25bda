"""One thing that an examination found."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """`GOOD` works, `NOTE` works otherwise than may be expected, `PROBLEM` does not work."""

    GOOD = "good"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is what it is about, `text` what holds there and why, `remedy` what to do, "" for nothing."""

    grade: Grade
    subject: str
    text: str
    remedy: str = ""
