"""Custom resource definitions that their projects publish inside a Go module: downloaded, never built."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.components.errors import ComponentError
from tests.components.install import cache, once, require, staged


@dataclass(frozen=True, slots=True)
class GoCrds:
    """Definitions in one folder of a Go module at a pinned version; the Go proxy's checksums vouch for them."""

    name: str
    module: str
    version: str
    folder: str
    files: tuple[str, ...]

    def install(self) -> Path:
        """The folder in the cache that holds these definitions and nothing else."""
        digest = hashlib.sha256(" ".join(self.files).encode()).hexdigest()[:8]
        target = cache() / "crds" / f"{self.name}-{self.version}-{digest}"
        with once(self.name, target) as missing:
            if missing:
                with staged(target) as made:
                    source = self._download() / self.folder
                    for file in self.files:
                        shutil.copyfile(source / file, made / file)
        return target

    def _download(self) -> Path:
        go = require("go", "Go 1.25 or newer")
        argv = [go, "mod", "download", "-json", f"{self.module}@{self.version}"]
        result = subprocess.run(argv, cwd=cache(), capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise ComponentError(f"{self.name}: download failed: {result.stderr or result.stdout}")
        return Path(json.loads(result.stdout)["Dir"])


GO_CRDS = (
    GoCrds(
        "prometheus-operator",
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "example/prometheus-operator-crd",
        tuple(f"monitoring.coreos.com_{kind}.yaml" for kind in ("podmonitors", "servicemonitors", "prometheusrules")),
    ),
    GoCrds(
        "keda",
        "github.com/kedacore/keda/v2",
        "v2.21.0",
        "config/crd/bases",
        # All of them: the operator does not start without a kind that it watches.
        (
            *(f"keda.sh_{kind}.yaml" for kind in ("scaledobjects", "scaledjobs", "triggerauthentications")),
            "keda.sh_clustertriggerauthentications.yaml",
            *(f"eventing.keda.sh_{kind}.yaml" for kind in ("cloudeventsources", "clustercloudeventsources")),
        ),
    ),
    GoCrds(
        "zookeeper-operator",
        "github.com/pravega/zookeeper-operator",
        "v0.2.15",
        "config/crd/bases",
        ("zookeeper.pravega.io_zookeeperclusters.yaml",),
    ),
)
