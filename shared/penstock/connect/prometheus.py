"""What Prometheus knows of OpenFaaS's gateway: its two counters of invocations show requests that are under way."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from penstock.connect import rest
from penstock.errors import TemporaryError

_STARTED = "gateway_function_invocation_started"
_ENDED = "gateway_function_invocation_total"


@dataclass(frozen=True, slots=True)
class Activity:
    """Requests that were started and that ended, by function, since some time in the past."""

    started: Mapping[str, float] = field(default_factory=dict)
    ended: Mapping[str, float] = field(default_factory=dict)


class Prometheus:
    """A server that scrapes the gateway; the counters are added up over the gateway's replicas."""

    def __init__(self, url: str, *, namespace: str = "", ca_file: str | None = None) -> None:
        rest.check_url(url, "Prometheus")
        self._url = url.rstrip("/")
        self._namespace = namespace
        self._ca_file = ca_file

    def activity(self) -> Activity:
        """Both counters as they are now; raises `TemporaryError`."""
        return Activity(self._sum(_STARTED), self._sum(_ENDED))

    def _sum(self, metric: str) -> dict[str, float]:
        query = urlencode({"query": f"sum by (function_name) ({metric})"})
        answer = rest.call("GET", f"{self._url}/api/v1/query?{query}", what="Prometheus", ca_file=self._ca_file)
        try:
            found = json.loads(answer)["data"]["result"]
            values = {each["metric"]["function_name"]: float(each["value"][1]) for each in found}
        except (ValueError, TypeError, KeyError, IndexError) as exc:
            raise TemporaryError(f"Prometheus {self._url}: not the answer to a query: {exc}") from exc
        # The gateway appends the namespace to the name; which functions are ours is decided by the gateway's list.
        return {name.removesuffix(f".{self._namespace or 'openfaas-fn'}"): value for name, value in values.items()}
