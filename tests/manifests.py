"""The manifests under deploy/, and schemas to hold them against without a cluster."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.paths import ROOT

DEPLOY = ROOT / "deploy"
# What is read by a tool and never by the Kubernetes API: kustomize's own files and patches, kind's, Helm's values.
_TOOLS = ("kustomize.config.k8s.io", "kind.x-k8s.io")
_NATIVE_GROUPS = ("", "apps", "batch", "autoscaling", "policy")
KUBERNETES_VERSION = "1.35"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One document of one file; `file` is relative to the root of the checkout."""

    file: str
    document: Mapping[str, Any]

    @property
    def group(self) -> str:
        return str(self.document["apiVersion"]).rpartition("/")[0]

    @property
    def version(self) -> str:
        return str(self.document["apiVersion"]).rpartition("/")[2]

    @property
    def kind(self) -> str:
        return str(self.document["kind"])

    @property
    def is_native(self) -> bool:
        """Whether Kubernetes itself knows the kind."""
        return self.group in _NATIVE_GROUPS or self.group.endswith(".k8s.io")

    def __str__(self) -> str:
        return f"{self.file}:{self.kind}/{self.document['metadata']['name']}"


def manifests() -> list[Manifest]:
    """Every document under deploy/ that is sent to the Kubernetes API, overlays' patches excepted."""
    return [
        Manifest(str(path.relative_to(ROOT)), document)
        for path in sorted(DEPLOY.rglob("*.yaml"))
        if not is_helm_values(path) and "patches" not in path.parts
        for document in documents_in(path)
        if not any(str(document["apiVersion"]).startswith(group) for group in _TOOLS)
    ]


def is_helm_values(path: Path) -> bool:
    return path.name.startswith("values")


def kustomizations() -> list[Path]:
    """Every folder that `kubectl apply -k` takes."""
    found = []
    for path in sorted(DEPLOY.rglob("kustomization.yaml")):
        [document] = documents_in(path)
        if document["kind"] == "Kustomization":
            found.append(path.parent)
    return found


def documents_in(path: Path) -> list[dict[str, Any]]:
    """The documents of a YAML file that are not empty."""
    return [each for each in yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader) if each]


def crd_folder() -> Path:
    """The folder that PENSTOCK_CRDS names; raises `AssertionError` when it names none, so that no test is skipped."""
    folder = os.environ.get("PENSTOCK_CRDS", "")
    assert folder, "PENSTOCK_CRDS is not set: name a folder with the custom resource definitions (CONTRIBUTING.md)"
    path = Path(folder)
    assert path.is_dir(), f"PENSTOCK_CRDS={folder}: no such folder"
    return path


def definitions(folder: Path) -> Iterator[dict[str, Any]]:
    """Every CustomResourceDefinition in a folder and below."""
    for path in sorted(folder.rglob("*.yaml")):
        yield from (each for each in documents_in(path) if each.get("kind") == "CustomResourceDefinition")


@cache
def crd_schemas(folder: Path) -> Mapping[tuple[str, str, str], dict[str, Any]]:
    """Strict JSON schemas by group, version and kind."""
    return {
        (found["spec"]["group"], version["name"], found["spec"]["names"]["kind"]): strict_schema(
            version["schema"]["openAPIV3Schema"], is_resource=True
        )
        for found in definitions(folder)
        for version in found["spec"]["versions"]
    }


def strict_schema(schema: Mapping[str, Any], *, is_resource: bool = False) -> dict[str, Any]:
    """A structural schema of Kubernetes as a JSON schema that refuses fields it does not name.

    Rules in CEL (x-kubernetes-validations) are left to the API server.
    """
    made = {name: copy.deepcopy(value) for name, value in schema.items() if not name.startswith("x-kubernetes-")}
    is_resource = is_resource or bool(schema.get("x-kubernetes-embedded-resource"))
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
        made.pop("anyOf", None)
        made["type"] = ["integer", "string"]
    for limit, exclusive in (("maximum", "exclusiveMaximum"), ("minimum", "exclusiveMinimum")):
        if made.get(exclusive) is True:  # as OpenAPI 3.0 writes it
            made[exclusive] = made.pop(limit)
    if made.pop("nullable", False) and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    for name in ("properties", "patternProperties"):
        if name in made:
            made[name] = {key: strict_schema(value) for key, value in schema[name].items()}
    for name in ("items", "additionalProperties", "not"):
        if isinstance(made.get(name), dict):
            made[name] = strict_schema(schema[name]) if name != "not" else made[name]
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in made
    if is_resource:
        # The API server checks these three by itself, whatever the definition says of them.
        made["properties"] = {**made.get("properties", {}), "apiVersion": {}, "kind": {}, "metadata": {}}
    if "properties" in made and not open_ended:
        made["additionalProperties"] = False
    return made
