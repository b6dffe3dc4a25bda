"""KEDA's operator and its metrics server, built from its Go module and run against an API server."""

from __future__ import annotations

from tests.components.install import HERE, GoModule

_VERSION = "v2.21.0"  # of github.com/kedacore/keda/v2 in go/keda/go.mod
KEDA = GoModule(
    "keda",
    HERE / "go" / "keda",
    {
        "keda-operator": "github.com/kedacore/keda/v2/cmd/operator",
        "keda-adapter": "github.com/kedacore/keda/v2/cmd/adapter",
    },
    linker_flags=f"-s -w -X github.com/kedacore/keda/v2/version.Version={_VERSION.removeprefix('v')}",
)
