"""Where functions run, as far as a console asks: OpenFaaS's gateway, or the Kubernetes API with or without Knative."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from penstock.connect.openfaas import LoggedLine, OpenFaasGateway
from penstock.jobs.api import KubernetesApi, KubernetesError
from penstock.json_text import read_json
from penstock.settings.stackfile import FunctionSpec

_NAME: Final = "app.kubernetes.io/name"
# `penstock render` labels the functions so.
_SELECTOR: Final = "app.kubernetes.io/part-of=penstock,app.kubernetes.io/component=function"
_KNATIVE: Final = "serving.knative.dev/v1"


@dataclass(frozen=True, slots=True)
class SeenFunction:
    """A function that is deployed, and how many of it run. `url` is where it is called; `invocations` None: unknown."""

    spec: FunctionSpec
    replicas: int
    starting: bool
    invocations: int | None
    url: str


class Platform(Protocol):
    """What runs functions. Methods raise `TemporaryError` when it does not answer."""

    name: str

    def functions(self) -> list[SeenFunction]:
        """All functions of the lake, in the order of their names."""

    def lines(self, name: str, *, tail: int, since: datetime | None = None) -> Sequence[LoggedLine]:
        """The last lines of a function's log, oldest first."""

    def log_command(self, name: str) -> str:
        """What to type to see the whole log."""


class OpenFaasPlatform:
    """The functions behind a gateway."""

    def __init__(self, gateway: OpenFaasGateway) -> None:
        self._gateway = gateway
        self.name = f"OpenFaaS at {gateway.url}"

    def functions(self) -> list[SeenFunction]:
        return [
            SeenFunction(
                FunctionSpec(
                    each.name,
                    Path(),
                    image=each.image,
                    environment=each.environment,
                    secrets=each.secrets,
                    labels=each.labels,
                    annotations=each.annotations,
                ),
                each.available_replicas,
                each.replicas > each.available_replicas,
                each.invocations,
                f"{self._gateway.url}/function/{each.name}{self._suffix}",
            )
            for each in sorted(self._gateway.functions(), key=lambda each: each.name)
        ]

    def lines(self, name: str, *, tail: int, since: datetime | None = None) -> Sequence[LoggedLine]:
        return self._gateway.logs(name, tail=tail, since=since)

    def log_command(self, name: str) -> str:
        return f"faas-cli logs {name} --gateway {self._gateway.url}"

    @property
    def _suffix(self) -> str:
        return f".{self._gateway.namespace}" if self._gateway.namespace else ""


class KubernetesPlatform:
    """The functions of one namespace: Knative Services, and Deployments that are none of Knative's revisions."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api
        self.name = f"namespace {api.namespace}"

    def functions(self) -> list[SeenFunction]:
        deployments = self._api.list_of("apps/v1", "deployments", _SELECTOR)
        services = self._knative_services()
        found = [_of_service(each, deployments) for each in services]
        own = [each for each in deployments if "serving.knative.dev/service" not in _labels(each)]
        found += [_of_deployment(each, self._api.namespace) for each in own]
        return sorted(found, key=lambda each: each.spec.name)

    def lines(self, name: str, *, tail: int, since: datetime | None = None) -> Sequence[LoggedLine]:
        pods = self._api.pods(f"{_SELECTOR},{_NAME}={name}")
        lines = [
            line
            for pod in pods
            for line in map(_stamped, self._api.log_of(pod["metadata"]["name"], tail).splitlines())
            if since is None or line.time >= since.timestamp()
        ]
        return sorted(lines, key=lambda line: line.time)[-tail:]

    def log_command(self, name: str) -> str:
        return f"kubectl logs --namespace {self._api.namespace} --selector {_NAME}={name}"

    def _knative_services(self) -> list[Any]:
        try:
            return self._api.list_of(_KNATIVE, "services", _SELECTOR)
        except KubernetesError as exc:
            if exc.code == 404:  # a cluster without Knative
                return []
            raise


def _of_service(service: Mapping[str, Any], deployments: Sequence[Mapping[str, Any]]) -> SeenFunction:
    name = service["metadata"]["name"]
    own = [each for each in deployments if _labels(each).get("serving.knative.dev/service") == name]
    ready, wanted = _replicas(own)
    status = service.get("status") or {}
    url = (status.get("address") or {}).get("url") or status.get("url") or ""
    return SeenFunction(_spec(name, service["spec"]["template"]["spec"]), ready, wanted > ready, None, str(url))


def _of_deployment(deployment: Mapping[str, Any], namespace: str) -> SeenFunction:
    name = _labels(deployment).get(_NAME) or deployment["metadata"]["name"]
    ready, wanted = _replicas([deployment])
    url = f"http://{deployment['metadata']['name']}.{namespace}.svc"
    return SeenFunction(_spec(name, deployment["spec"]["template"]["spec"]), ready, wanted > ready, None, url)


def _replicas(deployments: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """How many are ready, and how many are wanted."""
    states = [each.get("status") or {} for each in deployments]
    wanted = sum(int((each.get("spec") or {}).get("replicas") or 0) for each in deployments)
    return sum(int(state.get("readyReplicas") or 0) for state in states), wanted


def _spec(name: str, pod: Mapping[str, Any]) -> FunctionSpec:
    """The function's own container: the one that has a SOURCE or a SINK, else the first."""
    containers = pod.get("containers") or [{}]
    environments = [_environment(each) for each in containers]
    found = next((n for n, each in enumerate(environments) if {"SOURCE", "SINK"} & each.keys()), 0)
    secrets = [(each.get("secret") or {}).get("secretName") for each in pod.get("volumes") or ()]
    return FunctionSpec(
        name,
        Path(),
        image=str(containers[found].get("image") or ""),
        environment=environments[found],
        secrets=tuple(filter(None, secrets)),
    )


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    """What stands in the manifest; a value that comes from a Secret or ConfigMap is named only."""
    return {
        each["name"]: str(each["value"]) if "value" in each else "(from the cluster)"
        for each in container.get("env") or ()
        if "value" in each or not each["name"].startswith("MINIO_")
    }


def _labels(document: Mapping[str, Any]) -> Mapping[str, str]:
    return document["metadata"].get("labels") or {}


def _stamped(line: str) -> LoggedLine:
    """A line of Penstock's own log says when it was written; another one has no time."""
    try:
        moment = datetime.fromisoformat(str(read_json(line)["time"]))
    except (ValueError, TypeError, KeyError):
        return LoggedLine(0.0, line)
    return LoggedLine(moment.timestamp(), line)


def with_handlers(found: Sequence[SeenFunction], handlers: Mapping[str, Path]) -> list[SeenFunction]:
    """The functions with the folders of their code, where a stack file names them."""
    return [
        replace(each, spec=replace(each.spec, handler=handlers.get(each.spec.name, each.spec.handler)))
        for each in found
    ]
