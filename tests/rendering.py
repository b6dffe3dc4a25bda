"""A stack file with one function, rendered and read back."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from penstock.render.knative import KnativeSettings, render
from penstock.render.plan import FunctionPlan, make_plans
from penstock.settings.stackfile import load_stack

Render = Callable[..., dict[tuple[str, str], dict[str, Any]]]


def render_one(
    folder: Path,
    *,
    name: str = "compress",
    environment: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    settings: KnativeSettings | None = None,
    platform: Callable[[Sequence[FunctionPlan]], Mapping[str, str]] | None = None,
    **members: Any,
) -> dict[tuple[str, str], dict[str, Any]]:
    """The manifests by kind and name; `environment`, `labels` and `annotations` are added to the function's.

    They are Knative's, unless `platform` makes others.
    """
    (folder / "function").mkdir(exist_ok=True)
    function: dict[str, Any] = {
        "lang": "python3-penstock",
        "handler": "./function",
        "image": "registry.example/compress:1",
        "environment": {
            "SOURCE": "s3://upload/*.csv",
            "SINK": "s3://processed/{key}.gz",
            "MINIO_ENDPOINT": "http://minio.minio.svc.cluster.local",
            **(environment or {}),
        },
        "secrets": ["minio-access-key", "minio-secret-key"],
        "labels": dict(labels or {}),
        "annotations": dict(annotations or {}),
    } | members
    stack = {"version": "1.0", "provider": {"name": "openfaas"}, "functions": {name: function}}
    file = folder / "stack.yml"
    file.write_text(yaml.safe_dump(stack), encoding="utf-8")
    plans = make_plans(load_stack(file, {}).functions.values())
    knative = settings or KnativeSettings("registry.example/penstock:1")
    texts = platform(plans) if platform else render(plans, knative)
    documents = [each for text in texts.values() for each in yaml.load_all(text, yaml.CSafeLoader)]
    return {(each["kind"], each.get("metadata", {}).get("name", "")): each for each in documents}
