"""The lake with Jobs for large objects (docs/jobs.md), and an object that is large."""

from __future__ import annotations

import io
import os

import yaml
from PIL import Image

from tests.cluster.lake import NAMESPACE, REGISTRY, TAG, ClusterLake, image

LIMIT_BYTES = 300_000
_SHIPPED_REGISTRY = "registry.example.com"
_BROKER = f"http://broker-ingress.knative-eventing.svc.cluster.local/{NAMESPACE}/penstock"


def large_picture() -> bytes:
    """A JPEG beyond the limit."""
    noise = Image.frombytes("RGB", (1200, 800), os.urandom(1200 * 800 * 3))
    file = io.BytesIO()
    noise.save(file, "JPEG", quality=90)
    assert len(file.getvalue()) > LIMIT_BYTES
    return file.getvalue()


def deploy_jobs(lake: ClusterLake) -> None:
    """Apply deploy/knative/jobs, and a resize that hands larger objects over."""
    for name in ("kustomization.yaml", "allowed.yaml"):
        file = lake.folder / "deploy" / "jobs" / "functions" / name
        text = file.read_text(encoding="utf-8")
        assert _SHIPPED_REGISTRY in text
        file.write_text(text.replace(_SHIPPED_REGISTRY, REGISTRY).replace("0.1.0", TAG), encoding="utf-8")
    stack = yaml.safe_load((lake.folder / "stack.yml").read_text(encoding="utf-8"))
    stack["functions"]["resize"]["environment"] |= {
        "OFFLOAD_ABOVE_BYTES": str(LIMIT_BYTES),
        "JOB_IMAGE": image("resize"),
        "JOB_ANSWER_TO": _BROKER,
    }
    (lake.folder / "stack.yml").write_text(yaml.safe_dump(stack, sort_keys=False), encoding="utf-8")
    newest = ("-n", NAMESPACE, "get", "ksvc", "resize", "-o", "jsonpath={.status.latestReadyRevisionName}")
    before = lake.kubectl(*newest)
    lake.run(
        """
kubectl apply -k deploy/knative/jobs
kubectl -n penstock rollout status deployment/penstock-jobs-watcher --timeout=300s
penstock render knative
kubectl apply -k deploy/knative/overlays/$OVERLAY
"""
    )
    lake.wait_until(lambda: lake.kubectl(*newest) not in ("", before), "the new revision of resize is ready", 180)
