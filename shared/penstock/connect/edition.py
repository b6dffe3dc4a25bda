"""What the free Community Edition of OpenFaaS refuses, with its own words. The local gateway and `penstock doctor` ask.

Source: openfaas/faas-netes, pkg/handlers at commit 662ce9c (May 2026): validate.go for labels, deploy.go for
annotations and the number of functions, replica_updater.go and informers.go for replicas. Those files are under
OpenFaaS's licence; only the facts are taken from them.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

# What the gateway of the local stack calls its provider. It lets functions sleep in either edition.
LOCAL: Final = "penstock"
MAX_FUNCTIONS: Final = 15
MAX_REPLICAS: Final = 5
REPLICAS_ZERO: Final = "replicas cannot be set to 0 in OpenFaaS CE"
TOO_MANY_FUNCTIONS: Final = (
    f"unable to create function, maximum: {MAX_FUNCTIONS}, visit https://openfaas.com/pricing to upgrade to "
    "OpenFaaS Standard"
)
_SCALE: Final = "com.openfaas.scale."
# Go's strconv.Atoi: what it does not read is let through.
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")


class Edition(StrEnum):
    """`CE` is the free Community Edition; `PRO` stands for Standard, For Enterprises and all that is paid for."""

    CE = "ce"
    PRO = "pro"


def edition_of(provider: Mapping[str, Any]) -> Edition | None:
    """The edition that `provider`, from `/system/info`, tells; None when it says nothing that is known."""
    name = str(provider.get("provider", ""))
    if provider.get("edition") in list(Edition):  # the local gateway says it
        return Edition(provider["edition"])
    if name.endswith("-ce"):  # faas-netes-ce, pkg/handlers/info.go
        return Edition.CE
    return Edition.PRO if name.startswith(("faas-netes", "openfaas")) else None


def label_refusal(labels: Mapping[str, str]) -> str:
    """What the free edition answers to a deployment with these labels, or ""."""
    if labels.get(f"{_SCALE}zero") == "true":
        return f"{_SCALE}zero not available for Community Edition"
    for name in ("zero-duration", "target", "type"):
        if _SCALE + name in labels:
            return f"{_SCALE}{name} not available for Community Edition"
    for name in ("max", "min"):
        text = labels.get(_SCALE + name, "")
        if _WHOLE.fullmatch(text) and int(text) > MAX_REPLICAS:
            return f"{_SCALE}{name} is set too high for Community Edition"
    return ""


def annotation_refusal(annotations: Mapping[str, str]) -> str:
    """What the free edition answers to a deployment with these annotations, or ""."""
    if "," in annotations.get("topic", ""):
        return "the topic annotation may only support one value in the Community Edition"
    for name in sorted(annotations):
        if "amazonaws.com" in name or "gke.io" in name:
            return f'annotation "{name}" is not supported in the Community Edition'
    return ""
