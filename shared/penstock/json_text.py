"""JSON (RFC 8259): documents of handlers as JSON, in which a mistake is named, and JSON that other programs sent."""

import json
from collections.abc import Mapping
from typing import Any, Final

from penstock.errors import EventError, HandlerError

_MAX_PATH_CHARS = 200
# Besides texts, numbers with a fraction, lists and mappings.
_PLAIN: Final = (int, type(None))
_WRONG = "the body of a Result cannot be written as JSON"


def read_json(text: bytes | str) -> Any:
    """The value in a text of another program; raises `ValueError` for what is no JSON, or is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def encodable(text: str) -> str:
    """The text as UTF-8 can hold it: half of a surrogate pair, which JSON may have, becomes its escape.

    >>> encodable("upload/\\ud800")
    'upload/\\\\ud800'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def read_object(text: bytes) -> dict[str, Any]:
    """The JSON object in the body of a request; raises `EventError`."""
    try:
        found = read_json(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise EventError("expected a JSON object")
    return found


def to_line(document: Mapping[str, Any]) -> bytes:
    """One line of JSON in UTF-8, members in order of their names; raises `HandlerError` for what JSON cannot hold."""
    # json would write a name that is a number as text, so two members could meet.
    if fault := fault_in(document, _PLAIN):
        raise HandlerError(f"{_WRONG}: {fault}")
    try:
        return json.dumps(document, ensure_ascii=False, sort_keys=True, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as exc:
        raise HandlerError(f"{_WRONG}: {exc}") from exc


def mistake(document: Mapping[str, Any], cause: Exception) -> HandlerError:
    """The error for a document that cannot be written; `cause` is what the encoder said."""
    from datetime import date, time
    from enum import Enum
    from uuid import UUID

    fault = fault_in(document) or fault_in(document, (*_PLAIN, date, time, Enum, UUID))  # orjson writes these
    return HandlerError(f"{_WRONG}: {fault or cause}")


def fault_in(document: Mapping[str, Any], plain: tuple[type, ...] = (object,)) -> str:
    """The first field with a value that no JSON can hold, and what to give instead; "" when none is found.

    Looked for are NaN, infinite numbers, halves of surrogate pairs in names and texts, and values that are of none of
    the types in `plain`, and no text, number with a fraction, list or mapping.

    >>> fault_in({"image": {"widths": [1, float("nan")]}})
    'image.widths[1]: nan is not a number of JSON; give None or leave the field out'
    """
    waiting: list[tuple[str, Any]] = [("", document)]
    seen: set[int] = set()  # a document may contain itself
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            if not _is_unicode(value):
                return f"{path}: {_short(ascii(value))} has half of a surrogate pair; give Unicode text"
        elif isinstance(value, float):
            if value - value != 0:  # true of NaN and of both infinities alone
                return f"{path}: {value} is not a number of JSON; give None or leave the field out"
        elif isinstance(value, Mapping | list | tuple):
            if id(value) in seen:
                continue
            seen.add(id(value))
            if isinstance(value, Mapping):
                for name in value:
                    if not (isinstance(name, str) and _is_unicode(name)):
                        problem = "is not Unicode text" if isinstance(name, str) else "is not text; use str(...)"
                        return f"{path or 'the document'}: the name {_short(ascii(name))} {problem}"
                parts = [(_short(f"{path}.{name}" if path else name), part) for name, part in value.items()]
            else:
                parts = [(_short(f"{path}[{number}]"), part) for number, part in enumerate(value)]
            waiting.extend(reversed(parts))
        elif not isinstance(value, plain):
            kind = type(value).__name__
            return f"{path}: JSON has no values of type {kind}; give text, a number, a bool, None, a list or a mapping"
    return ""


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _short(text: str) -> str:
    return text if len(text) <= _MAX_PATH_CHARS else f"{text[:_MAX_PATH_CHARS]}..."
