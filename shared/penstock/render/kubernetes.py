"""The functions of a stack file as a kustomize base for plain Kubernetes, where KEDA scales them from 0 and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from penstock.jobs.pod import Document
from penstock.render import components
from penstock.render.bridge import BRIDGE, bridge_workload
from penstock.render.deployment import deployed_function, function_url
from penstock.render.kafka_connector import CONNECTOR, connector_documents, waking_settings
from penstock.render.keda import Lag, kafka_login
from penstock.render.manifest import NAME, dump, kustomization, namespace_document
from penstock.render.network import (
    MONITORING,
    basic_policies,
    bridge_callers,
    from_namespaces,
    from_pods,
    function_egress,
    job_policies,
    policy,
    to_outcomes,
    to_pods,
    to_url,
)
from penstock.render.plan import FunctionPlan

HEADER: Final = "Made by `penstock render kubernetes`; change stack.yml and run it again."
_KEDA: Final = "keda"


@dataclass(frozen=True, slots=True)
class KubernetesSettings:
    """What a stack file does not say.

    `image` is that of bridge and connector, `kafka` the bootstrap server, HOST:PORT. `kafka_secret` names the Secret
    with which the connector logs in there; "" for a listener without TLS and users. With "", KEDA has no login either.
    `outcomes` are what the bridge tells of ends, as `NAME=URL`.
    """

    image: str
    namespace: str = "penstock"
    kafka: str = "penstock-kafka-bootstrap.kafka.svc.cluster.local:9093"
    kafka_secret: str = "kafka-credentials"  # noqa: S105 - its name
    outcomes: tuple[str, ...] = ()


def render(plans: Sequence[FunctionPlan], settings: KubernetesSettings) -> Mapping[str, str]:
    """File names and their texts; the same functions and settings always give the same."""
    files = _files(plans, settings)
    every = _documents(files)
    parts = {"values": {"kustomization.yaml": [components.values(every)]}}
    policies = {"policies.yaml": components.outside_policies(settings.namespace)}
    parts["outside"] = {**policies, "kustomization.yaml": [components.component(resources=list(policies))]}
    if any(plan.topics for plan in plans):
        without_topics = [replace(plan, topics=()) for plan in plans]
        webhook = components.difference(every, _documents(_files(without_topics, settings)))
        parts["webhook"] = {"kustomization.yaml": [webhook]}
    # Without the bridge a function without topics would never wake, and a Job's answer would reach nothing.
    if all(plan.topics and not plan.config.jobs for plan in plans):
        kafka = components.difference(every, _documents(_files(plans, settings, with_bridge=False)))
        parts["kafka"] = {"kustomization.yaml": [kafka]}
    files["kustomization.yaml"] = [kustomization(settings.namespace, files)]
    for part, own in parts.items():
        files |= {f"components/{part}/{name}": documents for name, documents in own.items()}
    files |= components.outcomes(settings.namespace)
    return {name: dump(documents, HEADER) for name, documents in files.items()}


def _documents(files: Mapping[str, Sequence[Document]]) -> list[Document]:
    return [each for documents in files.values() for each in documents]


def _files(
    plans: Sequence[FunctionPlan], settings: KubernetesSettings, *, with_bridge: bool = True
) -> dict[str, list[Document]]:
    lag = Lag(settings.kafka, login=bool(settings.kafka_secret))
    listening = [plan for plan in plans if plan.topics]
    files: dict[str, list[Document]] = {"namespace.yaml": [namespace_document(settings.namespace)]}
    if with_bridge:
        arguments = _bridge_arguments(plans, settings.namespace)
        files["bridge.yaml"] = bridge_workload(settings.image, arguments, settings.outcomes)
    if listening:
        login = [kafka_login()] if lag.login else []
        files["kafka-connector.yaml"] = [
            *login,
            *connector_documents(listening, settings.namespace, settings.image, settings.kafka, settings.kafka_secret),
        ]
    bridge_url = f"http://{BRIDGE}.{settings.namespace}.svc.cluster.local" if with_bridge else ""
    for plan in plans:
        files[f"function-{plan.name}.yaml"] = deployed_function(plan, lag, bridge_url)
    files["network.yaml"] = _network(plans, settings, with_bridge=with_bridge)
    return files


def _bridge_arguments(plans: Sequence[FunctionPlan], namespace: str) -> list[str]:
    made = [f"--{name.lower().replace('_', '-')}={value}" for name, value in waking_settings(plans).items()]
    for plan in plans:
        made.append(f"--to={plan.name}={function_url(plan, namespace)}")
        # Without this, every event of the lake would wake the function.
        made += [f"--only={plan.name}={rule}" for rule in dict.fromkeys(each.keys for each in plan.config.sources)]
    return made


def _network(plans: Sequence[FunctionPlan], settings: KubernetesSettings, *, with_bridge: bool) -> list[Document]:
    """Deny everything in the namespace, then allow what functions, bridge, connector and KEDA need."""
    functions = [plan.name for plan in plans]
    listening = [plan.name for plan in plans if plan.topics]
    made = basic_policies()
    if with_bridge:
        # KEDA reads there how many events wait.
        callers = bridge_callers(plans, settings.namespace, _KEDA)
        egress = [to_pods(*functions), *to_outcomes(settings.outcomes, settings.namespace)]
        made.append(policy(BRIDGE, {NAME: BRIDGE}, ingress=callers, egress=egress))
    if listening:
        brokers = dict.fromkeys(f"kafka://{server}" for server in settings.kafka.split(","))
        to_kafka = [to_url(url, settings.namespace) for url in brokers]
        connector = {NAME: CONNECTOR}
        made.append(
            policy(CONNECTOR, connector, ingress=[from_namespaces(MONITORING)], egress=[to_pods(*listening), *to_kafka])
        )
    made += [
        policy(
            plan.name,
            {NAME: plan.name},
            ingress=[from_pods(*_senders(plan, with_bridge=with_bridge)), from_namespaces(MONITORING)],
            egress=function_egress(plan, settings.namespace),
        )
        for plan in plans
    ]
    return [*made, *job_policies(plans, settings.namespace)]


def _senders(plan: FunctionPlan, *, with_bridge: bool) -> list[str]:
    return ([BRIDGE] if with_bridge else []) + ([CONNECTOR] if plan.topics else [])
