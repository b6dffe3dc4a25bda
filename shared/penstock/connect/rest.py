"""One HTTP request to a server that answers with JSON, for the client of a gateway."""

import ssl
import urllib.request
from collections.abc import Mapping
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
