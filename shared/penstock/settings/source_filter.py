"""What a rule of SOURCE asks of an object beside its key: `?type=image/*&min=1KB&max=64MB&tag.kind=photo`.

All conditions must hold. `type` and the values of tags are patterns, in which `*` stands for any text. `type` has no
case, and the parameters of a content type, such as `charset`, do not count. Sizes are whole numbers of bytes, or of KB,
MB, GB and TB (1000), KiB, MiB, GiB and TiB (1024); both ends are included. `%20` and the like stand for what a rule
cannot hold, such as a space.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from penstock.types import ObjectState

_TAG: Final = "tag."
_SIZE: Final = r"([0-9]{1,18})([KMGT]i?B|B|)"
_UNITS: Final[dict[str, int]] = {"": 1, "B": 1} | {
    f"{letter}{i}B": (1024 if i else 1000) ** power for power, letter in enumerate("KMGT", start=1) for i in ("", "i")
}


class SourceFilter(NamedTuple):
    """Conditions on content type, size in bytes and tags. `content_type` is a pattern, "" for any."""

    content_type: str = ""
    min_bytes: int = 0
    max_bytes: int | None = None
    tags: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "SourceFilter":
        """Read what follows the `?` of a rule; raises `ValueError`.

        >>> str(SourceFilter.parse("tag.kind=photo&type=image/*&max=64MB"))
        'type=image/*&max=64000000&tag.kind=photo'
        """
        given: dict[str, str] = {}
        for pair in text.split("&"):
            name, _, value = pair.partition("=")
            name, value = unquote(name), unquote(value)
            is_tag = name.startswith(_TAG) and name != _TAG
            if not (is_tag or name in ("type", "min", "max")) or not value:
                raise ValueError(f"{pair!r}: expected type=, min=, max= or tag.NAME=, each with a value, between &")
            if name in given:
                raise ValueError(f"{name!r} is there twice; for alternatives write {{a,b}} or two rules")
            given[name] = value
        found = cls(
            given.get("type", "").lower(),
            _bytes_of("min", given.get("min", "0")),
            _bytes_of("max", given["max"]) if "max" in given else None,
            tuple((name.removeprefix(_TAG), value) for name, value in sorted(given.items()) if name.startswith(_TAG)),
        )
        if found.max_bytes is not None and found.min_bytes > found.max_bytes:
            raise ValueError(f"min={given['min']} is more than max={given['max']}: no object can pass")
        return found

    def objection(self, state: ObjectState, tags: Callable[[], Mapping[str, str]]) -> str:
        """Why an object in this state does not pass, or "". `tags` is called only if everything else holds."""
        content_type = state.content_type.partition(";")[0].strip().lower()
        if self.content_type and not _fits(self.content_type, content_type):
            return f"its content type {content_type!r} is not {self.content_type}"
        if state.size < self.min_bytes:
            return f"its {state.size} bytes are less than {self.min_bytes}"
        if self.max_bytes is not None and state.size > self.max_bytes:
            return f"its {state.size} bytes are more than {self.max_bytes}"
        if not self.tags:
            return ""
        found = tags()
        for name, pattern in self.tags:
            value = found.get(name)
            if value is None:
                return f"it has no tag {name!r}"
            if not _fits(pattern, value):
                return f"its tag {name!r} is {value!r} and not {pattern!r}"
        return ""

    def __str__(self) -> str:
        parts = [("type", self.content_type)] if self.content_type else []
        parts += [("min", str(self.min_bytes))] if self.min_bytes else []
        parts += [("max", str(self.max_bytes))] if self.max_bytes is not None else []
        parts += [(f"{_TAG}{name}", value) for name, value in self.tags]
        return "&".join(f"{quote(name, safe='')}={quote(value, safe='/*+:')}" for name, value in parts)


def _bytes_of(name: str, text: str) -> int:
    found = re.fullmatch(_SIZE, text)
    if found is None:
        raise ValueError(f"{name}={text!r}: expected a whole number of bytes, or one with KB, MB, GB, TB, KiB, ...")
    return int(found[1]) * _UNITS[found[2]]


def _fits(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern with `*`; each part between two stars is looked for once.

    A regular expression would try all places of all parts: an uploader, who chooses the text, could make that last.
    """
    first, *middle = pattern.split("*")
    if not middle:
        return text == pattern
    last = middle.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
