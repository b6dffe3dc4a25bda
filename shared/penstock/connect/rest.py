"""One HTTP request to a server: for the client of a gateway, and for a console. No redirect is followed.

Requests carry passwords and tokens. urllib would send them to any server that an answer leads to.
"""

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import ConfigError, TemporaryError
from penstock.settings.plaintext import has_login, without_login

TIMEOUT_SECONDS = 10.0
_MAX_BYTES = 64 * 1024 * 1024


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Makes a redirect an answer like any other."""

    def redirect_request(self, *_request: object) -> None:
        return None


def check_url(url: str, what: str) -> None:
    """Raise `ConfigError` unless it is an http or https URL; `what` names the server."""
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{what} {without_login(url)!r}: expected http://HOST:PORT or https://HOST:PORT")
    if has_login(url):
        raise ConfigError(f"{what} {without_login(url)!r}: leave user and password out of the URL; each has a setting")


def get(url: str, *, what: str, headers: Mapping[str, str], ca_file: str | None = None) -> bytes:
    """The body of the answer; raises `TemporaryError` when the server does not answer, or with an error status."""
    answer = send("GET", url, what=what, headers=headers, ca_file=ca_file, max_bytes=_MAX_BYTES)
    if answer.status >= 400:
        raise TemporaryError(f"{what} {url}: answered {answer.status}; check the address and basic-auth")
    return answer.body


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
    """The answer with any status, its body up to `max_bytes`; raises `TemporaryError` when there is none.

    A redirect is a `TemporaryError` too, which says where it leads.
    """
    try:
        request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310 - checked
        with _opener(url, ca_file).open(request, timeout=timeout_seconds) as answer:
            return ServerAnswer(answer.status, answer.headers.get("Content-Type", ""), _read(answer, max_bytes))
    except urllib.error.HTTPError as exc:
        with exc:
            if 300 <= exc.code < 400 and (location := exc.headers.get("Location", "")):
                raise TemporaryError(
                    f"{what} {url}: answered {exc.code} and leads to {location[:200]!r}, where nothing is sent; "
                    "if that is the right address, give it instead"
                ) from exc
            try:
                return ServerAnswer(exc.code, exc.headers.get("Content-Type", ""), _read(exc, max_bytes))
            except (OSError, http.client.HTTPException) as broken:
                raise TemporaryError(f"{what} {url}: answered {exc.code}, and broke off: {broken}") from broken
    # What is no HTTP is an HTTPException, a URL that cannot be sent a ValueError or both.
    except (OSError, ValueError, http.client.HTTPException) as exc:
        raise TemporaryError(f"{what} {url}: {str(exc) or type(exc).__name__}; check the address") from exc


def _opener(url: str, ca_file: str | None) -> urllib.request.OpenerDirector:
    if not url.startswith("https:"):
        return urllib.request.build_opener(NoRedirect)
    context = ssl.create_default_context(cafile=ca_file)
    return urllib.request.build_opener(NoRedirect, urllib.request.HTTPSHandler(context=context))


def _read(answer: Any, max_bytes: int) -> bytes:
    """The body up to `max_bytes`. A read of a given size does not tell that the sender left before the end."""
    body = bytes(answer.read(max_bytes))
    if answer.length and len(body) < max_bytes:
        raise ConnectionError(f"the answer broke off with {answer.length} bytes to go")
    return body
