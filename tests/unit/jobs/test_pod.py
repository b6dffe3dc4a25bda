"""Every pod of Penstock runs as one user without rights, whether its manifest is made or written by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from penstock.jobs.pod import USER_ID, container_security, pod_security

from tests.manifests import Manifest, manifests
from tests.paths import ROOT


def contexts(document: Any) -> Iterator[dict[str, Any]]:
    """Every security context below a document."""
    if isinstance(document, dict):
        if isinstance(found := document.get("securityContext"), dict):
            yield found
        for value in document.values():
            yield from contexts(value)
    elif isinstance(document, list):
        for value in document:
            yield from contexts(value)


def with_own_image() -> list[Manifest]:
    """The manifests of pods with an image of Penstock."""
    return [each for each in manifests() if re.search(r"'image': '[^']*penstock[^']*'", str(each.document))]


@pytest.mark.parametrize("manifest", with_own_image(), ids=str)
def test_a_manifest_of_ours_names_the_user_of_the_image(manifest: Manifest) -> None:
    users = [each[name] for each in contexts(manifest.document) for name in ("runAsUser", "runAsGroup") if name in each]
    assert set(users) == {USER_ID}


@pytest.mark.parametrize("path", ["templates/python3-penstock/Dockerfile", "deploy/image/Dockerfile"])
def test_an_image_ends_as_that_user(path: str) -> None:
    users = re.findall(r"^USER (\S+)$", (ROOT / path).read_text(), re.MULTILINE)
    assert users[-1] in (f"{USER_ID}:{USER_ID}", str(USER_ID))


def test_what_the_level_restricted_asks_for_is_there() -> None:
    container = container_security()
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert container["allowPrivilegeEscalation"] is False
    for context in (container, pod_security()):
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
