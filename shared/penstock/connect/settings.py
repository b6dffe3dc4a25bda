"""Settings that the bridge and the connectors share: flags, or environment variables of the same name."""

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from penstock.delivery.deliverer import Policy
from penstock.delivery.http import HttpTarget
from penstock.errors import ConfigError
from penstock.settings.environment import read_secret
from penstock.settings.hmac_keys import read_hmac_keys
from penstock.settings.table import FUNCTION_HMAC_KEY, FUNCTION_TOKEN

T = TypeVar("T")

_TYPES: Mapping[str, Callable[[str], float]] = {"attempts": int, "concurrency": int, "max_in_flight": int, "batch": int}


class Flags(Protocol):
    """The flags of a command line, each as an attribute; one that the command does not have counts as not given."""

    def __getattr__(self, name: str) -> Any: ...


def policy_from(flags: Flags, env: Mapping[str, str]) -> Policy:
    """The delivery policy of flags and environment; raises `ConfigError` with every problem found."""
    values: dict[str, float] = {}
    problems: list[str] = []
    for field in fields(Policy):
        try:
            value = setting(flags, env, field.name, _TYPES.get(field.name, float))
        except ConfigError as exc:
            problems += exc.problems
            continue
        if value is not None:
            values[field.name] = value
    if problems:
        raise ConfigError(*problems)
    return Policy(**values)  # type: ignore[arg-type]


def setting(flags: Flags, env: Mapping[str, str], name: str, kind: Callable[[str], T]) -> T | None:
    """A flag's value, else the environment's, else None; raises `ConfigError` when it is not a `kind`."""
    given = getattr(flags, name, None)
    text = str(given) if given is not None else env.get(name.upper(), "")
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        expected = {int: "a whole number", float: "a number"}.get(kind, "a valid value")  # type: ignore[call-overload]
        raise ConfigError(f"{name.upper()}={text!r}: expected {expected}") from None


def address_from(flags: Flags, env: Mapping[str, str]) -> tuple[str, int]:
    """Host and port to listen on."""
    text = flags.listen or f"0.0.0.0:{env.get('PORT') or 8080}"
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"listen address {text!r}: expected HOST:PORT")
    return host.strip("[]"), int(port)


def drain_seconds_from(flags: Flags, env: Mapping[str, str]) -> float:
    given = setting(flags, env, "drain_seconds", float)
    return 25.0 if given is None else given


def ca_file_from(flags: Flags, env: Mapping[str, str]) -> str | None:
    """The CA file's path; raises `ConfigError` when it is missing or has no certificate."""
    path = setting(flags, env, "ca_file", Path)
    if path is None:
        return None
    if not path.is_file():
        raise ConfigError(f"CA_FILE={path}: no such file")
    try:
        ssl.create_default_context(cafile=path)
    except OSError as exc:
        raise ConfigError(f"CA_FILE={path}: holds no certificate; expected a PEM file") from exc
    return str(path)


def caller_headers(env: Mapping[str, str]) -> dict[str, str]:
    """What a function wants to see of its callers: FUNCTION_TOKEN, where it is set. Raises `ConfigError`."""
    # Of two tokens the first one is the new one.
    tokens = read_secret(env, FUNCTION_TOKEN.name).split()
    return {"Authorization": f"Bearer {tokens[0]}"} if tokens else {}


def caller_keys(env: Mapping[str, str]) -> tuple[bytes, ...]:
    """The keys that sign what is sent to functions: FUNCTION_HMAC_KEY, where it is set. Raises `ConfigError`."""
    try:
        return read_hmac_keys(read_secret(env, FUNCTION_HMAC_KEY.name))
    except ValueError as exc:
        raise ConfigError(f"{FUNCTION_HMAC_KEY.name}: {exc}") from None


def named_target(text: str, ca_file: str | None, headers: Mapping[str, str] | None = None) -> HttpTarget:
    """Read `NAME=URL` or `URL`, whose name is then its last part.

    >>> named_target("http://gateway:8080/function/compress", None).name
    'compress'
    """
    found = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)=", text)
    url = text[found.end() :] if found else text
    parts = urlsplit(url)
    name = found.group(1) if found else (parts.path.rstrip("/").rpartition("/")[2] or parts.hostname or "sink")
    return HttpTarget(name, url, dict(headers or {}), ca_file)
