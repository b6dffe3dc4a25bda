"""OpenFaaS's gateway over its REST API (openfaas/faas, api-docs/spec.openapi.yml); no other module asks it.

GET /system/functions tells names, annotations, labels, replicas and counts of invocations; POST
/system/scale-function/NAME sets the replicas.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from penstock.connect import rest
from penstock.errors import TemporaryError
from penstock.settings.durations import DEFAULT_IDLE, parse_duration
from penstock.settings.plaintext import warn_if_plain


@dataclass(frozen=True, slots=True)
class Deployed:
    """A function as the gateway describes it.

    `idle_seconds` is None for a function that is not to go to zero; `problem` says what its label has instead of a
    time, if that is why. `version` changes when it is deployed anew.
    """

    name: str
    replicas: int
    invocations: float
    idle_seconds: float | None
    version: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


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
        answer = self._call("GET", "/system/functions")
        try:
            return [_deployed(entry) for entry in json.loads(answer)]
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise TemporaryError(
                f"gateway {self.url}: no list of functions: {exc}; check the address and basic-auth"
            ) from exc

    def stop(self, name: str) -> None:
        """Set a function to zero replicas; raises `TemporaryError`."""
        body = {"serviceName": name, "replicas": 0} | ({"namespace": self.namespace} if self.namespace else {})
        self._call("POST", f"/system/scale-function/{quote(name)}", body)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        url = f"{self.url}{path}{self._query}"
        return rest.call(method, url, what="gateway", headers=self._headers, body=body, ca_file=self._ca_file)


def _deployed(entry: Mapping[str, Any]) -> Deployed:
    labels = entry.get("labels") or {}
    idle_seconds, problem = None, ""
    if str(labels.get("com.openfaas.scale.zero", "")).lower() == "true":
        text = labels.get("com.openfaas.scale.zero-duration", DEFAULT_IDLE)
        try:
            idle_seconds = parse_duration(text)
        except ValueError as exc:
            problem = f"label com.openfaas.scale.zero-duration: {exc}"
    return Deployed(
        str(entry["name"]),
        int(entry.get("replicas") or 0),
        float(entry.get("invocationCount") or 0),
        idle_seconds,
        str(entry.get("createdAt", "")) + str(entry.get("image", "")),
        entry.get("annotations") or {},
        problem,
    )
