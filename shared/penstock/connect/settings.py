"""Settings that the bridge and the connectors share: flags, or environment variables of the same name."""

import argparse
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from penstock.delivery.deliverer import Policy
from penstock.delivery.http import HttpTarget
from penstock.errors import ConfigError

T = TypeVar("T")

_HELP = {
    "attempts": "attempts per message before it becomes a dead letter; 0 never gives up",
    "min_wait_seconds": "longest wait before the second attempt; it doubles with each further one",
    "max_wait_seconds": "longest wait between two attempts, and the limit for a Retry-After",
    "timeout_seconds": "time for one request and its answer",
    "concurrency": "requests under way at once, per target",
    "max_in_flight": "messages accepted and not finished, per target",
    "batch": "MinIO notifications that may share one request, for functions that answer for each",
}
_TYPES: Mapping[str, Callable[[str], float]] = {"attempts": int, "concurrency": int, "max_in_flight": int, "batch": int}


def add_delivery_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `policy_from`, `address_from` and `targets_from` read."""
    for field in fields(Policy):
        flag = "--" + field.name.replace("_", "-")
        text = f"{_HELP[field.name]} (default: {field.name.upper()}, else {field.default})"
        parser.add_argument(flag, metavar="N", help=text)
    parser.add_argument("--listen", metavar="HOST:PORT", help="address to listen on (default: 0.0.0.0:PORT, else 8080)")
    parser.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="PEM file with a private CA for https targets (default: CA_FILE)"
    )
    parser.add_argument(
        "--drain-seconds",
        metavar="N",
        help="time for requests under way at the end (default: DRAIN_SECONDS, else 25: Kubernetes kills after 30)",
    )


def policy_from(args: argparse.Namespace, env: Mapping[str, str]) -> Policy:
    """The delivery policy of flags and environment; raises `ConfigError` with every problem found."""
    values: dict[str, float] = {}
    problems: list[str] = []
    for field in fields(Policy):
        try:
            value = setting(args, env, field.name, _TYPES.get(field.name, float))
        except ConfigError as exc:
            problems += exc.problems
            continue
        if value is not None:
            values[field.name] = value
    if problems:
        raise ConfigError(*problems)
    return Policy(**values)  # type: ignore[arg-type]


def setting(args: argparse.Namespace, env: Mapping[str, str], name: str, kind: Callable[[str], T]) -> T | None:
    """A flag's value, else the environment's, else None; raises `ConfigError` when it is not a `kind`."""
    given = getattr(args, name, None)
    text = str(given) if given is not None else env.get(name.upper(), "")
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        expected = {int: "a whole number", float: "a number"}.get(kind, "a valid value")  # type: ignore[call-overload]
        raise ConfigError(f"{name.upper()}={text!r}: expected {expected}") from None


def address_from(args: argparse.Namespace, env: Mapping[str, str]) -> tuple[str, int]:
    """Host and port to listen on."""
    text = args.listen or f"0.0.0.0:{env.get('PORT') or 8080}"
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"listen address {text!r}: expected HOST:PORT")
    return host.strip("[]"), int(port)


def drain_seconds_from(args: argparse.Namespace, env: Mapping[str, str]) -> float:
    given = setting(args, env, "drain_seconds", float)
    return 25.0 if given is None else given


def ca_file_from(args: argparse.Namespace, env: Mapping[str, str]) -> str | None:
    """The CA file's path; raises `ConfigError` when there is no such file, or no certificate in it."""
    path = setting(args, env, "ca_file", Path)
    if path is None:
        return None
    if not path.is_file():
        raise ConfigError(f"CA_FILE={path}: no such file")
    try:
        ssl.create_default_context(cafile=path)
    except OSError as exc:
        raise ConfigError(f"CA_FILE={path}: holds no certificate; expected a PEM file") from exc
    return str(path)


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
