"""Knative's own manifests, out of its Go modules: what its releases are made of, with the images built here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.components.cluster.archives import image_name
from tests.components.cluster.programs import KNATIVE_PACKAGES, module_folder

Document = dict[str, Any]

INGRESS_CLASS = "tests.ingress.networking.knative.dev"
# How long nothing may come before a revision goes to zero, beside the function's own setting: half a minute and a
# minute by default, ten seconds here, so that the tests need not wait.
AUTOSCALER = {"scale-to-zero-grace-period": "10s", "stable-window": "10s"}
_PROGRAMS = {package: name for name, package in KNATIVE_PACKAGES.items()}
_PREFIX = "ko://"
# Left out: scaling and disruption of Knative itself, cached images, and three parts that nothing here uses.
_KINDS_LEFT_OUT = ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Image")
_NAMES_LEFT_OUT = ("job-sink", "pingsource-mt-adapter", "request-reply")
_DEFINITIONS = ("Namespace", "CustomResourceDefinition")


def serving() -> list[Document]:
    """Serving with the ingress class of the tests' ingress."""
    core = module_folder("knative.dev/serving") / "config" / "core"
    networking = module_folder("knative.dev/networking") / "config"
    caching = module_folder("knative.dev/caching") / "config" / "image.yaml"
    return _settled([*core.rglob("*.yaml"), *networking.glob("*.yaml"), caching])


def eventing() -> list[Document]:
    """Eventing with the in-memory channel and the Broker that is made of channels."""
    module = module_folder("knative.dev/eventing")
    folders = ("core", "channels/in-memory-channel", "brokers/mt-channel-broker")
    parts = [file for folder in folders for file in (module / "config" / folder).rglob("*.yaml")]
    # The controller does not start without the names of images of parts that nothing here uses.
    images = (module / "third_party" / "eventing-integrations-latest").glob("*-images.yaml")
    return _settled([*parts, *images])


def is_definition(document: Document) -> bool:
    """Tell whether a document must be there before the others."""
    return document["kind"] in _DEFINITIONS


def _settled(files: Sequence[Path]) -> list[Document]:
    found: dict[tuple[str, str, str], Document] = {}
    for document in _read(files):
        metadata = document["metadata"]
        key = (document["kind"], metadata.get("namespace", ""), metadata["name"])
        found.setdefault(key, document)
    return sorted(found.values(), key=_order)


def _read(files: Sequence[Path]) -> Iterator[Document]:
    for file in sorted(files):
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            if not document or document["kind"] in _KINDS_LEFT_OUT or document["metadata"]["name"] in _NAMES_LEFT_OUT:
                continue
            if document["kind"] == "Deployment":
                _make_small(document)
            if document["kind"] == "ConfigMap":
                _configure(document)
            with_images: Document = _with_images(document)
            yield with_images


def _order(document: Document) -> int:
    """Definitions first; Deployments and then webhooks last, because a webhook that does not answer stops the rest."""
    kind = document["kind"]
    if kind in _DEFINITIONS:
        return _DEFINITIONS.index(kind)
    return {"Deployment": 3, "MutatingWebhookConfiguration": 4, "ValidatingWebhookConfiguration": 4}.get(kind, 2)


def _make_small(deployment: Document) -> None:
    """Let everything run on one small node: no anti-affinity, and no requests of processor and memory."""
    pod = deployment["spec"]["template"]["spec"]
    pod.pop("affinity", None)
    for container in pod["containers"]:
        container.pop("resources", None)


def _configure(document: Document) -> None:
    data = document.setdefault("data", {})
    # Documentation, which Knative compares with a checksum.
    data.pop("_example", None)
    document["metadata"].get("annotations", {}).pop("knative.dev/example-checksum", None)
    settings: dict[str, dict[str, str]] = {
        "config-network": {"ingress-class": INGRESS_CLASS},
        "config-deployment": {"queue-sidecar-image": image_name("queue")},
        "config-autoscaler": AUTOSCALER,
    }
    data.update(settings.get(document["metadata"]["name"], {}))


def _with_images(value: Any) -> Any:
    """The same document with an image for each `ko://PACKAGE`, which Knative's release tool would build and push."""
    if isinstance(value, dict):
        return {key: _with_images(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_images(each) for each in value]
    if isinstance(value, str) and value.startswith(_PREFIX):
        return image_name(_PROGRAMS.get(value.removeprefix(_PREFIX), "not-built-here"))
    return value
