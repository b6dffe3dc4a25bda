"""The programs of the cluster: Kubernetes, Knative, CoreDNS and the ingress from Go modules, the rest from Debian."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.components.errors import ComponentError
from tests.components.install import HERE, GoModule, cache, ensure_debian_package, require
from tests.components.kubernetes import KUBERNETES
from tests.components.minio import MC, MINIO

_SMALL = "-s -w"
# One program for each of Knative's commands: they cannot share one, because each starts every informer that is linked
# into it (injection.Default), and then waits for kinds that its ServiceAccount may not read.
KNATIVE_PACKAGES: Mapping[str, str] = {
    "controller": "knative.dev/serving/cmd/controller",
    "autoscaler": "knative.dev/serving/cmd/autoscaler",
    "activator": "knative.dev/serving/cmd/activator",
    "webhook": "knative.dev/serving/cmd/webhook",
    "queue": "knative.dev/serving/cmd/queue",
    "eventing-controller": "knative.dev/eventing/cmd/controller",
    "eventing-webhook": "knative.dev/eventing/cmd/webhook",
    "channel-controller": "knative.dev/eventing/cmd/in_memory/channel_controller",
    "channel-dispatcher": "knative.dev/eventing/cmd/in_memory/channel_dispatcher",
    "broker-controller": "knative.dev/eventing/cmd/mtchannel_broker",
    "broker-ingress": "knative.dev/eventing/cmd/broker/ingress",
    "broker-filter": "knative.dev/eventing/cmd/broker/filter",
}
KNATIVE = GoModule("cluster-knative", HERE / "go" / "knative", KNATIVE_PACKAGES, linker_flags=_SMALL)
COREDNS = GoModule("cluster-coredns", HERE / "go" / "coredns", {"coredns": "."}, linker_flags=_SMALL)
PAUSE = GoModule("cluster-pause", HERE / "go" / "pause", {"pause": "."}, linker_flags=_SMALL)
INGRESS = GoModule("cluster-ingress", HERE / "go" / "knative-ingress", {"ingress": "."}, linker_flags=_SMALL)

# Debian packages and a program of each.
_DEBIAN = {"containerd": "containerd", "runc": "runc", "iptables": "iptables", "conntrack": "conntrack"}
_CNI = Path("/usr/lib/cni")


@dataclass(frozen=True, slots=True)
class Programs:
    """Folders of built programs, and the single ones."""

    kubernetes: Path
    knative: Path
    coredns: Path
    ingress: Path
    pause: Path
    minio: Path
    mc: Path


def install_programs() -> Programs:
    """Build or fetch everything; the first time takes about 10 minutes on two cores, later ones nothing."""
    for package, program in _DEBIAN.items():
        ensure_debian_package(package, program)
    if not (_CNI / "bridge").exists():
        ensure_debian_package("containernetworking-plugins", str(_CNI / "bridge"))
    return Programs(
        kubernetes=KUBERNETES.install(),
        knative=KNATIVE.install(),
        coredns=COREDNS.install() / "coredns",
        ingress=INGRESS.install() / "ingress",
        pause=PAUSE.install() / "pause",
        minio=MINIO.install(),
        mc=MC.install(),
    )


def module_folder(module: str) -> Path:
    """Where the source of a module is that Knative's programs are built from, fetched again when it is missing."""
    go = require("go", "Go 1.25 or newer")
    built = KNATIVE.install()  # go.mod and go.sum as they were at the build
    listed = subprocess.run(
        [go, "list", "-mod=mod", "-m", "-f", "{{.Path}}@{{.Version}}", module],
        cwd=built,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        raise ComponentError(f"{module}: {listed.stderr.strip()}")
    argv = [go, "mod", "download", "-json", listed.stdout.strip()]
    result = subprocess.run(argv, cwd=cache(), capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ComponentError(f"{module}: download failed: {result.stderr or result.stdout}")
    return Path(json.loads(result.stdout)["Dir"])
