"""What `kubectl kustomize` makes of the base for plain Kubernetes, its components and its overlays."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from penstock.render.kubernetes import KubernetesSettings, render
from penstock.render.plan import make_plans
from penstock.settings.stackfile import load_stack

from tests.components.kubernetes import KUBERNETES
from tests.integration.operators import Cluster, kustomized
from tests.paths import DEPLOY, DOCS, ROOT

SOURCE = DEPLOY / "kubernetes"
PAGE = DOCS / "deploying-kubernetes.md"
FUNCTIONS = load_stack(ROOT / "stack.yml", {}).functions
# A checkout may have more functions.
PLANS = make_plans(FUNCTIONS[name] for name in ("compress", "resize", "index"))
SETTINGS = KubernetesSettings("registry.example.com/penstock:0.1.0")
OWN = {
    "MINIO_ENDPOINT": "https://s3.example.com",
    "INDEX_SINK": "opensearch+https://search.example.com:9200/found",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka-1.example.com:9094,kafka-2.example.com:9094",
}
Documents = dict[tuple[str, str], dict[str, Any]]


def built(folder: Path) -> Documents:
    """What `kubectl apply -k` would send, by kind and name."""
    command = [str(KUBERNETES.install() / "kubectl"), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(done.stdout)}


def write(texts: Mapping[str, str], folder: Path) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def overlay(folder: Path, *components: str, texts: Mapping[str, str] | None = None) -> Path:
    """A copy of the example with addresses and images of its own; `texts` are its base, or that of `PLANS`."""
    shutil.copytree(SOURCE, folder, dirs_exist_ok=True)
    write(texts or render(PLANS, SETTINGS), folder / "base")
    own = folder / "overlays" / "example"
    values = yaml.safe_load((own / "values.yaml").read_text(encoding="utf-8"))
    (own / "values.yaml").write_text(yaml.safe_dump({**values, "data": OWN}), encoding="utf-8")
    kustomization = yaml.safe_load((own / "kustomization.yaml").read_text(encoding="utf-8"))
    kustomization["components"] += [f"../../base/components/{name}" for name in components]
    for image in kustomization["images"]:
        image["newName"] = image["name"].replace("registry.example.com", "registry.example/team")
        image["newTag"] = "7.0.0"
    (own / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
    return own


def texts_of(documents: Iterable[dict[str, Any]]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=True)


def settings_of(document: dict[str, Any]) -> dict[str, str]:
    spec = document["spec"]
    pod = (spec["jobTemplate"]["spec"] if document["kind"] == "CronJob" else spec)["template"]["spec"]
    return {each["name"]: each.get("value", "") for each in pod["containers"][0].get("env", [])}


def test_the_example_as_it_is_makes_the_base() -> None:
    assert built(SOURCE / "overlays" / "example") == built(SOURCE / "base")


def test_values_go_to_every_place_and_to_no_other(tmp_path: Path) -> None:
    after = built(overlay(tmp_path))
    before = built(tmp_path / "base")
    assert before.keys() == after.keys()
    old = {
        "MINIO_ENDPOINT": "http://minio.minio.svc.cluster.local",
        "INDEX_SINK": "opensearch+https://opensearch.search.svc.cluster.local:9200/processed",
        "KAFKA_BOOTSTRAP_SERVERS": SETTINGS.kafka,
    }
    # The same text in the base is the same address, so a search for it finds what the component must find.
    expected = texts_of(before.values())
    for name, value in old.items():
        assert expected.count(value) > 1, name
        expected = expected.replace(f": {value}\n", f": {OWN[name]}\n")
    expected = expected.replace("registry.example.com/", "registry.example/team/").replace(":0.1.0\n", ":7.0.0\n")
    assert texts_of(after.values()) == expected


def test_values_reach_each_topic_of_a_function(tmp_path: Path) -> None:
    texts = render([replace(plan, topics=("one", "two")) for plan in PLANS], SETTINGS)
    triggers = built(overlay(tmp_path, texts=texts))["ScaledObject", "index"]["spec"]["triggers"]
    lags = [each["metadata"] for each in triggers if each["type"] == "kafka"]
    assert [(each["topic"], each["bootstrapServers"]) for each in lags] == [
        (topic, OWN["KAFKA_BOOTSTRAP_SERVERS"]) for topic in ("one", "two")
    ]


def test_the_webhook_alone_is_what_a_stack_without_topics_makes(tmp_path: Path) -> None:
    plain = write(render([replace(plan, topics=()) for plan in PLANS], SETTINGS), tmp_path / "plain")
    own = overlay(tmp_path / "own", "webhook")
    assert built(tmp_path / "own" / "overlays" / "minimal") == built(plain)
    found = built(own)
    assert "kafka" not in texts_of(found.values())
    assert settings_of(found["CronJob", "index-reconcile"])["SINK"] == OWN["INDEX_SINK"]


def test_kafka_alone_leaves_no_bridge_and_keeps_the_values(tmp_path: Path) -> None:
    found = built(overlay(tmp_path, "kafka"))
    assert "penstock-bridge" not in texts_of(found.values())
    for plan in PLANS:
        [lag] = found["ScaledObject", plan.name]["spec"]["triggers"]
        assert lag["metadata"]["bootstrapServers"] == OWN["KAFKA_BOOTSTRAP_SERVERS"]
        callers = found["NetworkPolicy", plan.name]["spec"]["ingress"][0]["from"]
        assert callers == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "kafka-connector"}}}]
    assert (
        settings_of(found["Deployment", "kafka-connector"])["KAFKA_BOOTSTRAP_SERVERS"]
        == lag["metadata"]["bootstrapServers"]
    )


def test_another_order_of_the_components_is_the_same_or_an_error(tmp_path: Path) -> None:
    own = overlay(tmp_path, "kafka")
    expected = built(own)
    file = own / "kustomization.yaml"
    kustomization = yaml.safe_load(file.read_text(encoding="utf-8"))
    for first in ("kafka", "webhook"):
        kustomization["components"] = [f"../../base/components/{name}" for name in (first, "values")]
        file.write_text(yaml.safe_dump(kustomization), encoding="utf-8")
        if first == "kafka":
            assert built(own) == expected
        else:
            # There is no lag of Kafka left to write an address to.
            with pytest.raises(AssertionError, match="bootstrapServers"):
                built(own)


def test_servers_outside_are_reached_by_functions_and_connector_only(tmp_path: Path) -> None:
    before, after = built(overlay(tmp_path)), built(overlay(tmp_path / "outside", "outside"))
    added = {name: document["spec"] for (_, name), document in after.items() if name not in {n for _, n in before}}
    assert {name: each["podSelector"]["matchLabels"] for name, each in added.items()} == {
        f"{pods}-to-outside": {"app.kubernetes.io/component": pods} for pods in ("function", "reconcile", "connector")
    }
    assert all(each["policyTypes"] == ["Egress"] for each in added.values())
    # A NetworkPolicy without a namespace would go to that of kubectl's context, and open nothing.
    policies = [document["metadata"] for (kind, _), document in after.items() if kind == "NetworkPolicy"]
    assert {each.get("namespace") for each in policies} == {"penstock"}


TOLD = "shop=https://shop.example/outcomes audit=http://audit.tools:8080/"


def told_overlay(folder: Path, platform: str, *components: str, values: bool = True) -> Path:
    """An overlay of a platform's base with components of the base, and a ConfigMap that has OUTCOME_URLS."""
    shutil.copytree(DEPLOY / platform, folder, dirs_exist_ok=True)
    own = folder / "overlays" / "told"
    data = {"OUTCOME_URLS": TOLD} if values else {}
    local = {"name": "penstock-values", "annotations": {"config.kubernetes.io/local-config": "true"}}
    kustomization = {
        "resources": ["../../base", "values.yaml"],
        "components": [f"../../base/components/{name}" for name in components],
    }
    files = {
        "values.yaml": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": local, "data": data},
        "kustomization.yaml": {"apiVersion": "kustomize.config.k8s.io/v1beta1", **kustomization},
    }
    return write({name: yaml.safe_dump(text) for name, text in files.items()}, own)


PLATFORMS = ["kubernetes", "knative", "openfaas"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_outcome_urls_of_the_values_reach_the_bridge_and_open_its_way(tmp_path: Path, platform: str) -> None:
    before = built(DEPLOY / platform / "base")
    after = built(told_overlay(tmp_path, platform, "outcomes"))
    way = after.pop(("NetworkPolicy", "bridge-to-outside"))
    bridge = after["StatefulSet", "penstock-bridge"]
    assert settings_of(bridge) == {"OUTCOME_URLS": TOLD}
    assert way["metadata"]["namespace"] == bridge["metadata"]["namespace"]
    selected, labels = way["spec"]["podSelector"]["matchLabels"], bridge["spec"]["template"]["metadata"]["labels"]
    assert selected.items() <= labels.items()
    opened = {each["port"] for rule in way["spec"]["egress"] for each in rule["ports"]}
    assert {443, 8080} <= opened
    assert way["spec"]["policyTypes"] == ["Egress"]
    del bridge["spec"]["template"]["spec"]["containers"][0]["env"]
    assert after == before


@pytest.mark.parametrize("platform", PLATFORMS)
def test_outcome_urls_in_a_secret_need_the_way_only(tmp_path: Path, platform: str) -> None:
    before = built(DEPLOY / platform / "base")
    after = built(told_overlay(tmp_path, platform, "outcomes-to-outside", values=False))
    assert after.keys() - before.keys() == {("NetworkPolicy", "bridge-to-outside")}
    assert all(after[place] == before[place] for place in before)
    assert "outcome-urls" in texts_of([after["StatefulSet", "penstock-bridge"]])


def test_the_overlay_of_the_page_tells_its_url(tmp_path: Path) -> None:
    page = (DOCS / "ways-in.md").read_text(encoding="utf-8")
    kustomization, values = re.findall(r"```yaml\n(.*?)```", page.partition("## Outcomes\n")[2], re.DOTALL)
    shutil.copytree(DEPLOY / "openfaas", tmp_path, dirs_exist_ok=True)
    own = write({"kustomization.yaml": kustomization, "values.yaml": values}, tmp_path / "overlays" / "mine")
    assert settings_of(built(own)["StatefulSet", "penstock-bridge"]) == {
        "OUTCOME_URLS": "shop=https://shop.example/outcomes"
    }


def test_outcome_urls_that_are_not_among_the_values_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="OUTCOME_URLS"):
        built(told_overlay(tmp_path, "kubernetes", "outcomes", values=False))


def test_outcomes_go_with_the_webhook_and_without_a_bridge_do_nothing(tmp_path: Path) -> None:
    assert settings_of(built(_told_beside(tmp_path / "a", "webhook"))["StatefulSet", "penstock-bridge"]) == {
        "OUTCOME_URLS": TOLD
    }
    assert "StatefulSet" not in {kind for kind, _ in built(_told_beside(tmp_path / "b", "kafka"))}


def _told_beside(folder: Path, other: str) -> Path:
    """The example's overlay with this component and `outcomes`."""
    own = overlay(folder, other, "outcomes")
    values = yaml.safe_load((own / "values.yaml").read_text(encoding="utf-8"))
    values["data"]["OUTCOME_URLS"] = TOLD
    (own / "values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return own


def test_the_secrets_of_the_page_are_those_that_pods_mount(tmp_path: Path) -> None:
    own = overlay(tmp_path)
    [lines] = re.findall(r"```yaml\n(namespace: .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = own / "kustomization.yaml"
    file.write_text(file.read_text(encoding="utf-8") + lines, encoding="utf-8")
    (own / "secrets").mkdir()
    for name in set(re.findall(r"secrets/([a-z.-]+)", lines)):
        (own / "secrets" / name).write_text(f"text of {name}", encoding="utf-8")
    found = built(own)
    made = {name: set(each["data"]) for (kind, name), each in found.items() if kind == "Secret"}
    mounted: dict[str, set[str]] = {}
    for each in _secrets_in(list(found.values())):
        if not each.get("optional"):
            mounted.setdefault(each["name"], set()).update(item["key"] for item in each["items"])
    for each in found["TriggerAuthentication", "kafka"]["spec"]["secretTargetRef"]:
        mounted.setdefault(each["name"], set()).add(each["key"])
    assert made == mounted
    assert {each["metadata"].get("namespace", "penstock") for each in found.values()} == {"penstock"}


def _secrets_in(found: Any) -> Iterator[dict[str, Any]]:
    """Every projected secret of a volume."""
    if isinstance(found, list):
        for each in found:
            yield from _secrets_in(each)
    elif isinstance(found, dict):
        if "items" in found.get("secret", {}):
            yield found["secret"]
        for each in found.values():
            yield from _secrets_in(each)


@pytest.mark.crds
@pytest.mark.parametrize(
    "components", [("kafka",), ("webhook", "outside", "outcomes-to-outside"), ("outside",)], ids="+".join
)
def test_a_real_api_takes_what_an_overlay_of_ones_own_makes(
    cluster: Cluster, tmp_path: Path, components: tuple[str, ...]
) -> None:
    cluster.apply(kustomized(cluster, overlay(tmp_path, *components)))
