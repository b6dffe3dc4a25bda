"""OpenFaaS's gateway over its REST API (openfaas/faas, api-docs/spec.openapi.yml); no other module asks it.

GET /system/functions tells names, images, labels, annotations, secrets and replicas; GET /system/info the provider,
GET /system/logs the lines of a function's log, one JSON object each.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from penstock.connect import rest
from penstock.connect.edition import Edition, edition_of
from penstock.errors import TemporaryError
from penstock.json_text import read_json
from penstock.settings.plaintext import warn_if_plain

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deployed:
    """A function as the gateway describes it."""

    name: str
    image: str = ""
    available_replicas: int = 0
    replicas: int = 0
    invocations: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoggedLine:
    """A line of a function's log, and when it was written, in epoch seconds."""

    time: float
    text: str


@dataclass(frozen=True, slots=True)
class Provider:
    """What stands behind a gateway: the provider's own name, its release, and its edition where that is known."""

    name: str
    release: str = ""
    edition: Edition | None = None


class OpenFaasGateway:
    """One gateway, and the functions of one of its namespaces; `login` is a user and a password."""

    def __init__(self, url: str, *, namespace: str = "", login: tuple[str, str] = ("", ""), ca_file: str | None = None):
        rest.check_url(url, "gateway")
        self.url = url.rstrip("/")
        self.namespace = namespace
        self._query = f"?{urlencode({'namespace': namespace})}" if namespace else ""
        self._headers = {"Accept": "application/json"}
        if login[0]:
            warn_if_plain(url, "BASIC_AUTH_PASSWORD")
            self._headers["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode("ascii")
        self._ca_file = ca_file

    def functions(self) -> list[Deployed]:
        """What is deployed; raises `TemporaryError` when the gateway does not answer with a list of functions."""
        return self._ask("/system/functions", "list of functions", lambda found: [_deployed(entry) for entry in found])

    def provider(self) -> Provider:
        """What runs the functions; raises `TemporaryError`."""
        return self._ask("/system/info", "description of itself", _provider)

    def secrets(self) -> frozenset[str]:
        """The names of the secrets that functions may list; raises `TemporaryError`."""
        return self._ask("/system/secrets", "list of secrets", lambda found: frozenset(str(e["name"]) for e in found))

    def logs(self, name: str, *, tail: int, since: datetime | None = None) -> list[LoggedLine]:
        """The last lines of a function's log; raises `TemporaryError`. A provider without logs says so."""
        given = {"name": name, "tail": str(tail), "follow": "false", "namespace": self.namespace}
        if since is not None:
            given["since"] = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
        url = f"{self.url}/system/logs?{urlencode({key: value for key, value in given.items() if value})}"
        answer = rest.get(url, what="gateway", headers=self._headers, ca_file=self._ca_file)
        try:
            return [_line(read_json(line)) for line in answer.splitlines() if line.strip()]
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise TemporaryError(f"gateway {self.url}: no log of {name}: {exc}") from exc

    def _ask(self, path: str, what: str, read: Callable[[Any], T]) -> T:
        url = f"{self.url}{path}{self._query}"
        answer = rest.get(url, what="gateway", headers=self._headers, ca_file=self._ca_file)
        try:
            return read(read_json(answer))
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise TemporaryError(f"gateway {self.url}: no {what}: {exc}; check the address and basic-auth") from exc


def _line(found: Mapping[str, Any]) -> LoggedLine:
    moment = datetime.fromisoformat(str(found["timestamp"]))
    return LoggedLine(moment.timestamp(), str(found["text"]).rstrip("\n"))


def _deployed(entry: Mapping[str, Any]) -> Deployed:
    return Deployed(
        str(entry["name"]),
        str(entry.get("image") or ""),
        int(entry.get("availableReplicas") or 0),
        int(entry.get("replicas") or 0),
        int(entry.get("invocationCount") or 0),
        entry.get("envVars") or {},
        labels=entry.get("labels") or {},
        annotations=entry.get("annotations") or {},
        secrets=tuple(entry.get("secrets") or ()),
    )


def _provider(found: Mapping[str, Any]) -> Provider:
    # The gateway wraps what its provider says; a provider that is asked itself does not.
    inner = found["provider"] if isinstance(found["provider"], Mapping) else found
    return Provider(str(inner["provider"]), str((inner.get("version") or {}).get("release") or ""), edition_of(inner))
