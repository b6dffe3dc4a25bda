"""Settings that the bridge and the connectors share: flags, or environment variables of the same name."""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from penstock.delivery.deliverer import Policy
from penstock.delivery.http import HttpTarget
from penstock.errors import ConfigError
from penstock.settings.connector_table import (
    ATTEMPTS,
    BATCH,
    CA_FILE,
    CONCURRENCY,
    DELIVERY_DRAIN_SECONDS,
    DELIVERY_TRACES_ENDPOINT,
    MAX_IN_FLIGHT,
    MAX_WAIT_SECONDS,
    MIN_WAIT_SECONDS,
    TIMEOUT_SECONDS,
)
from penstock.settings.hmac_keys import read_hmac_keys
from penstock.settings.secrets import read_secret
from penstock.settings.setting import Setting
from penstock.settings.table import FUNCTION_HMAC_KEY, FUNCTION_TOKEN, PORT

if TYPE_CHECKING:
    from penstock.process.tracing import Tracer

T = TypeVar("T")

# Fields of `Policy`, and the settings that they are read from.
POLICY_SETTINGS: Mapping[str, Setting[int] | Setting[float]] = {
    "attempts": ATTEMPTS,
    "min_wait_seconds": MIN_WAIT_SECONDS,
    "max_wait_seconds": MAX_WAIT_SECONDS,
    "timeout_seconds": TIMEOUT_SECONDS,
    "concurrency": CONCURRENCY,
    "max_in_flight": MAX_IN_FLIGHT,
    "batch": BATCH,
}


class Flags(Protocol):
    """The flags of a command line, each as an attribute; one that the command does not have counts as not given."""

    def __getattr__(self, name: str) -> Any: ...


def policy_from(flags: Flags, env: Mapping[str, str]) -> Policy:
    """The delivery policy of flags and environment; raises `ConfigError` with every problem found."""
    values: dict[str, float] = {}
    problems: list[str] = []
    for name, setting in POLICY_SETTINGS.items():
        try:
            values[name] = given(flags, env, setting)
        except ConfigError as exc:
            problems += exc.problems
    if problems:
        raise ConfigError(*problems)
    return Policy(**values)  # type: ignore[arg-type]


def given(flags: Flags, env: Mapping[str, str], setting: Setting[T]) -> T:
    """A flag's value, else the environment's, else the default; raises `ConfigError` when it cannot be read."""
    flag = getattr(flags, setting.name.lower(), None)
    return setting.value(env if flag is None else {setting.name: str(flag)})


def address_from(flags: Flags, env: Mapping[str, str]) -> tuple[str, int]:
    """Host and port to listen on."""
    text = flags.listen or f"0.0.0.0:{PORT.value(env)}"
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise ConfigError(f"listen address {text!r}: expected HOST:PORT")
    return host.strip("[]"), int(port)


def drain_seconds_from(flags: Flags, env: Mapping[str, str]) -> float:
    """How long requests under way may take at the end."""
    return given(flags, env, DELIVERY_DRAIN_SECONDS)


def tracer_from(service: str, env: Mapping[str, str]) -> "Tracer | None":
    """The tracer of a program, None where no traces are wanted; raises `ConfigError`. Stop it at the end."""
    endpoint = DELIVERY_TRACES_ENDPOINT.value(env)
    if not endpoint:
        return None
    from penstock.process.tracing import make_tracer

    return make_tracer(service, endpoint)


def ca_file_from(flags: Flags, env: Mapping[str, str]) -> str | None:
    """The CA file's path; raises `ConfigError` when it is missing or has no certificate."""
    text = given(flags, env, CA_FILE)
    if not text:
        return None
    path = Path(text)
    if not path.is_file():
        raise ConfigError(f"CA_FILE={path}: no such file")
    try:
        ssl.create_default_context(cafile=path)
    except OSError as exc:
        raise ConfigError(f"CA_FILE={path}: holds no certificate; expected a PEM file") from exc
    return str(path)


def caller_headers(env: Mapping[str, str]) -> dict[str, str]:
    """The header that functions ask of their callers: FUNCTION_TOKEN, where it is set. Raises `ConfigError`."""
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
