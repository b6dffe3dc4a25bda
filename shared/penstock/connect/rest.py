"""One HTTP request to a server: for the client of a gateway, and for a console."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from penstock.errors import ConfigError, TemporaryError

TIMEOUT_SECONDS = 10.0


def check_url(url: str, what: str) -> None:
    """Raise `ConfigError` unless it is an http or https URL; `what` names the server."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigError(f"{what} {url!r}: expected http://HOST:PORT or https://HOST:PORT")


def get(url: str, *, what: str, headers: Mapping[str, str], ca_file: str | None = None) -> bytes:
    """The body of the answer; raises `TemporaryError` when the server does not answer, or with an error status."""
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - the scheme is checked
    context = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310
            return bytes(answer.read())
    except (OSError, ValueError) as exc:  # an error status is an OSError too
        raise TemporaryError(f"{what} {url}: {exc}; check the address and basic-auth") from exc


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """A server's answer with any status."""

    status: int
    content_type: str
    body: bytes


def send(
    method: str,
    url: str,
    *,
    what: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    ca_file: str | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    max_bytes: int = 4 * 1024 * 1024,
) -> ServerAnswer:
    """The answer with any status, its body up to `max_bytes`; raises `TemporaryError` when there is none."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310 - checked
    context = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds, context=context) as answer:  # noqa: S310
            return ServerAnswer(answer.status, answer.headers.get("Content-Type", ""), bytes(answer.read(max_bytes)))
    except urllib.error.HTTPError as exc:
        with exc:
            return ServerAnswer(exc.code, exc.headers.get("Content-Type", ""), exc.read(max_bytes))
    except (OSError, ValueError) as exc:
        raise TemporaryError(f"{what} {url}: {exc}; check the address") from exc
