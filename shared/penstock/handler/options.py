"""A function's options: declared once as a frozen dataclass, read from settings or a query string, checked."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from penstock.errors import EventError
from penstock.settings.names import nearest
from penstock.settings.numbers import decimal_number, whole_number
from penstock.types import ObjectRef

OptionsT = TypeVar("OptionsT")

# Characters of a wrong value that an error shows: its sender knows the rest.
_SHOWN = 80

_TYPES = (int, float, str, bool)

_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


def option(
    default: Any,
    help: str,  # noqa: A002 - the word users know from every command line
    *,
    ge: float | None = None,
    le: float | None = None,
    choices: Sequence[str] = (),
    ceiling: bool = False,
    asset: bool = False,
) -> Any:
    """Declare one option of a function: its default, what it does, and the range or the choices it accepts.

    `ceiling` is for limits and for numbers that cost memory or time: a direct call may set a lower value than the
    deployment's, never a higher one. With the value None there is no limit.

    `asset` is for the name of an object, `s3://BUCKET/KEY`, whose bytes `context.asset` gives (ADR 49). Only a
    deployment may set it: a direct call could read any object of the store.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Options:
    ...     level: int = option(2, "how hard to try", ge=0, le=3)
    >>> parse_options(Options, {"level": "3"}).level
    3
    """
    rules = {"help": help, "ge": ge, "le": le, "choices": tuple(choices), "ceiling": ceiling, "asset": asset}
    return dataclasses.field(default=default, metadata=rules)


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """The options of a function that declares none."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"no option {name}: handler.py declares none; write a frozen dataclass with the name Options"
        )


def parse_options(
    kind: type[OptionsT], given: Mapping[str, str], base: OptionsT | None = None, *, tighten_only: bool = False
) -> OptionsT:
    """Make a `kind` from text values; `base` supplies what is not given.

    With `tighten_only` an option that is a ceiling may not be above its value in `base`.

    Raises `EventError` that names every unknown option and every value out of range, with what is accepted.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, text in given.items():
        field = fields.get(name)
        if field is None:
            known = ", ".join(sorted(fields)) or "none"
            hint = "" if problems else _meant(name, fields)  # a caller may send thousands of names
            problems.append(f"option {name[:_SHOWN]!r} is unknown; this function has: {known}{hint}")
            continue
        try:
            values[name] = _convert(text, hints[name], field.metadata)
            if tighten_only and field.metadata.get("asset") and values[name] != getattr(base, name):
                raise ValueError("names an object of the store, which only the deployment may set")
            if tighten_only and field.metadata.get("ceiling"):
                _check_ceiling(values[name], getattr(base, name))
        except ValueError as exc:
            problems.append(f"option {name}={text[:_SHOWN]!r}: {exc}")
    if problems:
        raise EventError("; ".join(problems))
    return dataclasses.replace(base, **values) if base is not None else kind(**values)  # type: ignore[type-var]


def problems_of_declared(options: object) -> list[str]:
    """What is wrong with how options are declared: a type that none can have, a default that is not accepted.

    `options` are the defaults. What is found here would otherwise be found by a call.
    """
    try:
        hints = get_type_hints(type(options))
    except (NameError, TypeError) as exc:
        return [f"Options: a type cannot be read: {exc}"]
    problems: list[str] = []
    for field in dataclasses.fields(options):  # type: ignore[arg-type]
        hint, value, rules = hints[field.name], getattr(options, field.name), field.metadata
        kind, takes_none = _kind(hint)
        if not (isinstance(kind, type) and issubclass(kind, _TYPES)):
            problems.append(f"Options.{field.name}: is no int, float, str or bool, and none of these with `| None`")
        elif kind not in (int, float) and not (rules.get("ge") is None and rules.get("le") is None):
            problems.append(f"Options.{field.name}: is no number; ge and le are for numbers")
        elif not (takes_none if value is None else _is_a(value, kind) and _is_accepted(value, rules)):
            what = "true or false" if kind is bool else _expected(kind, rules)
            remedy = f", or None with `{kind.__name__} | None`" if value is None else ""
            problems.append(f"Options.{field.name}: its default {value!r} is not accepted: expected {what}{remedy}")
    return problems


def _kind(hint: Any) -> tuple[Any, bool]:
    """The type of an option, and whether it may be None; as it is written where it is neither `T` nor `T | None`."""
    if get_origin(hint) in (Union, UnionType):
        others = [arg for arg in get_args(hint) if arg is not type(None)]
        return (others[0] if len(others) == 1 else hint), len(others) < len(get_args(hint))
    return hint, False


def _is_a(value: Any, kind: type) -> bool:
    """Whether a default is of its option's type; a whole number is a number, and true is none."""
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def problems_of_open(kind: type[Any], opened: Mapping[str, float | None]) -> list[str]:
    """What is wrong with the options that readers may set, by name, each with its highest value or None."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    problems = []
    for name, most in opened.items():
        if name not in fields:
            known = ", ".join(sorted(fields)) or "none"
            problems.append(f"option {name!r} is unknown; this function has: {known}{_meant(name, fields)}")
        elif fields[name].metadata.get("asset"):
            problems.append(f"option {name} names an object of the store, which only the deployment may set")
        elif most is not None and not _is_number(get_type_hints(kind)[name]):
            problems.append(f"option {name} is not a number, so it has no highest value; write {name} alone")
    return problems


def _meant(name: str, known: Iterable[str]) -> str:
    near = nearest(name[:_SHOWN], known)
    return f"; did you mean: {near}" if near else ""


def _is_number(hint: Any) -> bool:
    return hint in (int, float) or any(part in (int, float) for part in get_args(hint))


def check_open(given: Mapping[str, str], opened: Mapping[str, float | None]) -> None:
    """Raise `EventError` unless each option is open to readers, with at most its highest value."""
    problems: list[str] = []
    for name, text in given.items():
        if name not in opened:
            known = ", ".join(sorted(opened)) or "none"
            hint = "" if problems else _meant(name, opened)
            problems.append(f"option {name[:_SHOWN]!r} is not open to readers; open are: {known}{hint}")
            continue
        most = opened[name]
        try:
            is_within = most is None or decimal_number(text) <= most
        except ValueError:
            is_within = False
        if not is_within:
            problems.append(f"option {name}={text[:_SHOWN]!r}: expected a number of at most {most:g}")
    if problems:
        raise EventError("; ".join(problems))


def assets_of(options: object) -> dict[str, ObjectRef]:
    """The objects that options name, by option; those that name none are left out."""
    return {
        field.name: ref
        for field in dataclasses.fields(options)  # type: ignore[arg-type]
        if field.metadata.get("asset") and (ref := _object(getattr(options, field.name) or ""))
    }


def _object(text: str) -> ObjectRef | None:
    """The object of `s3://BUCKET/KEY`, None for any other text."""
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.partition("/")
    return ObjectRef(bucket, key) if scheme == "s3" and bucket and key else None


def fingerprint(options: object) -> str:
    """16 hex digits that change when any option's value does."""
    values = dataclasses.asdict(options)  # type: ignore[call-overload]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _check_ceiling(value: Any, limit: Any) -> None:
    if limit is False and value:
        raise ValueError("it is off in this deployment, and a direct call cannot switch it on")
    if limit is not None and (value is None or value > limit):
        raise ValueError(f"expected at most {limit}, which this deployment allows; a direct call may only lower it")


_READERS: Mapping[Any, Callable[[str], Any]] = {int: whole_number, float: decimal_number}


def _convert(text: str, hint: Any, rules: Mapping[str, Any]) -> Any:
    hint, takes_none = _kind(hint)
    if takes_none and not text:
        return None
    if hint is bool:
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise ValueError("expected true or false")
    value: Any
    try:
        value = _READERS.get(hint, hint)(text)
    except ValueError:
        raise ValueError(f"expected {_expected(hint, rules)}") from None
    if not _is_accepted(value, rules):
        raise ValueError(f"expected {_expected(hint, rules)}")
    return value


def _is_accepted(value: Any, rules: Mapping[str, Any]) -> bool:
    ge, le, choices = rules.get("ge"), rules.get("le"), rules.get("choices")
    return not (
        (choices and value not in choices)
        or (isinstance(value, float) and not math.isfinite(value))
        or (ge is not None and not value >= ge)
        or (le is not None and not value <= le)
        or (rules.get("asset") and value and _object(value) is None)
    )


def _expected(hint: Any, rules: Mapping[str, Any]) -> str:
    if rules.get("choices"):
        return "one of " + ", ".join(str(choice) for choice in rules["choices"])
    if rules.get("asset"):
        return "s3://BUCKET/KEY"
    noun = {int: "a whole number", float: "a number"}.get(hint, "text")
    ge, le = rules.get("ge"), rules.get("le")
    if ge is not None and le is not None:
        return f"{noun} from {ge} to {le}"
    if ge is not None:
        return f"{noun} of at least {ge}"
    if le is not None:
        return f"{noun} of at most {le}"
    return noun
