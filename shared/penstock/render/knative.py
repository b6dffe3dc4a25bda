"""The functions of a stack file as the files of a kustomize base for Knative."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from penstock.jobs.pod import Document
from penstock.render import components
from penstock.render.bridge import BRIDGE, bridge_documents, dead_letter_sink
from penstock.render.eventing import BrokerSettings, broker_documents, broker_url, event_policy, kafka_source, trigger
from penstock.render.manifest import dump, kustomization, namespace_document
from penstock.render.network import network_policies
from penstock.render.plan import FunctionPlan
from penstock.render.service import function_documents

HEADER: Final = "Made by `penstock render knative`; change stack.yml and run it again."


@dataclass(frozen=True, slots=True)
class KnativeSettings:
    """What a stack file does not say.

    `image` is that of the bridge, `kafka` the bootstrap server, HOST:PORT. `kafka_secret` names the Secret with which
    Knative logs in there, "" for a listener without TLS and users. With
    `event_policy` only Penstock's own senders may send to the Broker. `region` is the region that MinIO puts into
    its events: none unless MINIO_SITE_REGION is set there. `outcomes` are what the bridge tells of ends, as `NAME=URL`.
    """

    image: str
    namespace: str = "penstock"
    kafka: str = "penstock-kafka-bootstrap.kafka.svc.cluster.local:9093"
    kafka_secret: str = "knative-kafka"  # noqa: S105 - its name
    region: str = ""
    event_policy: bool = False
    outcomes: tuple[str, ...] = ()


def render(plans: Sequence[FunctionPlan], settings: KnativeSettings) -> Mapping[str, str]:
    """File names and their texts; the same functions and settings always give the same."""
    # A function's answer goes back to the Broker. A Job answers no request, so it posts its outcome there.
    plans = [plan.answering_to(broker_url(settings.namespace)) for plan in plans]
    delivery = BrokerSettings(
        settings.namespace, settings.kafka, settings.kafka_secret, settings.region, dead_letter_sink()
    )
    files: dict[str, list[Document]] = {
        "namespace.yaml": [namespace_document(settings.namespace)],
        "broker.yaml": broker_documents(delivery),
        "bridge.yaml": bridge_documents(settings.image, settings.outcomes),
    }
    for plan in plans:
        files[f"function-{plan.name}.yaml"] = [*function_documents(plan), trigger(plan, delivery)]
    if any(plan.topics for plan in plans):
        files["kafka-source.yaml"] = [kafka_source(plans, delivery)]
    if settings.event_policy:
        files["event-policy.yaml"] = [event_policy(plans, BRIDGE)]
    files["network.yaml"] = network_policies(plans, settings.namespace, settings.outcomes)
    files["kustomization.yaml"] = [kustomization(settings.namespace, files)]
    files |= components.outcomes(settings.namespace)
    return {name: dump(documents, HEADER) for name, documents in files.items()}
