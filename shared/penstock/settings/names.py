"""What a name may look like, which one was meant, and which of two names a stack file has."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_DNS_LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


def is_dns_label(name: str) -> bool:
    """Whether it is 1 to 63 lower-case letters, digits and -, and begins and ends with a letter or a digit (RFC 1123).

    >>> is_dns_label("resize-2"), is_dns_label("Resize")
    (True, False)
    """
    return re.fullmatch(_DNS_LABEL, name) is not None


def nearest(typed: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The known name that was meant, as near as that can be told; "" where none is near.

    >>> nearest("qualty", ["format", "quality"]), nearest("x", ["format"])
    ('quality', '')
    """
    import difflib  # for errors only: a start must not wait for it

    return next(iter(difflib.get_close_matches(typed, list(known), n=1, cutoff=cutoff)), "")


def stack_path(path: Path = Path("stack.yml")) -> Path:
    """`path`, or the file beside it that is there instead: faas-cli takes and writes stack.yml and stack.yaml."""
    if not path.name:  # a folder such as `.`: reading it says so
        return path
    other = path.with_suffix(".yaml" if path.suffix == ".yml" else ".yml")
    return other if not path.exists() and other.is_file() else path
