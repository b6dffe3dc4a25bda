"""Where the bridge tells outcomes stands in its pod, and its NetworkPolicy lets it go there, on every platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from penstock.cli import main

from tests.manifests import documents_in
from tests.paths import ROOT

GIVEN = ("https://shop.example.com:8443/hook?a=b", "audit=http://audit.tools.svc.cluster.local/outcomes")


def rendered(folder: Path, platform: str, *urls: str) -> list[dict[str, Any]]:
    flags = [word for url in urls for word in ("--outcome-url", url)]
    assert main(["render", platform, "--stack", str(ROOT / "stack.yml"), "--output", str(folder / "out"), *flags]) == 0
    files = [path for path in (folder / "out").glob("*.yaml") if path.name != "kustomization.yaml"]
    return [document for file in files for document in documents_in(file)]


def environment(documents: list[dict[str, Any]]) -> dict[str, str]:
    [bridge] = [each for each in documents if each["kind"] == "StatefulSet"]
    [container] = bridge["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container.get("env", [])}


def egress(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    own = {"matchLabels": {"app.kubernetes.io/name": "penstock-bridge"}}
    policies = [
        each["spec"] for each in documents if each["kind"] == "NetworkPolicy" and each["spec"]["podSelector"] == own
    ]
    return [rule for policy in policies for rule in policy.get("egress", [])]


@pytest.mark.parametrize("platform", ["knative", "kubernetes", "openfaas"])
def test_urls_stand_in_the_pod_and_are_open_in_its_policy(tmp_path: Path, platform: str) -> None:
    without = rendered(tmp_path, platform)
    made = rendered(tmp_path, platform, *GIVEN)
    assert environment(without) == {}
    assert environment(made) == {"OUTCOME_URLS": f"shop.example.com={GIVEN[0]} {GIVEN[1]}"}
    opened = [rule for rule in egress(made) if rule not in egress(without)]
    assert opened == [
        {"ports": [{"protocol": "TCP", "port": 8443}]},
        {
            "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tools"}}}],
            "ports": [{"protocol": "TCP", "port": port} for port in (80, 8080, 9000, 9200)],
        },
    ]


@pytest.mark.parametrize("url", ["ftp://host/", "http://one/ http://two/", ""])
def test_a_url_that_cannot_work_is_refused(tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["render", "knative", "--stack", str(ROOT / "stack.yml"), "--output", str(tmp_path), "--outcome-url", url])
        == 78
    )
    assert "expected" in capsys.readouterr().err
