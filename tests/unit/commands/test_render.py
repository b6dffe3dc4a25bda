"""The command: what it writes, what `--check` says, and that the committed files are current."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from penstock.commands import bridge
from penstock.commands import render as command
from penstock.connect.bridge.settings import load_bridge_config
from penstock.errors import ConfigError

from tests.manifests import documents_in
from tests.paths import ROOT

RESIZE_ENDINGS = ("jpg", "jpeg", "png", "webp", "avif", "gif", "tif", "tiff", "JPG", "JPEG", "PNG")


def run(*words: str, platform: str = "knative", env: Mapping[str, str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([platform, "--stack", str(ROOT / "stack.yml"), *words]), env or {})


@pytest.mark.parametrize("platform", ["knative", "kubernetes", "openfaas"])
def test_committed_base_is_what_the_stack_file_says(platform: str) -> None:
    assert run("--output", str(ROOT / f"deploy/{platform}/base"), "--check", platform=platform) == 0


def test_committed_stack_for_paid_editions_is_what_the_stack_file_says() -> None:
    assert run("--check", platform="openfaas-pro") == 0


def test_same_stack_gives_the_same_bytes(tmp_path: Path) -> None:
    run("--output", str(tmp_path / "one"))
    run("--output", str(tmp_path / "two"))
    texts = [{path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.yaml")} for name in ("one", "two")]
    assert texts[0] == texts[1]
    assert "function-index.yaml" in texts[0]


def test_check_names_what_changed_went_missing_or_is_left_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--output", str(tmp_path))
    (tmp_path / "broker.yaml").unlink()
    bridge = (tmp_path / "bridge.yaml").read_text()
    (tmp_path / "bridge.yaml").write_text(bridge.replace("replicas: 1", "replicas: 2"))
    (tmp_path / "function-gone.yaml").write_text(bridge)
    assert run("--output", str(tmp_path), "--check") == 1
    said = capsys.readouterr().err
    for name in ("broker.yaml", "bridge.yaml", "function-gone.yaml"):
        assert str(tmp_path / name) in said
    assert not (tmp_path / "broker.yaml").exists()


def test_what_differs_is_told_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--output", str(tmp_path), "--json") == 0
    first = json.loads(capsys.readouterr().out)
    assert first["different"] == first["files"] != []
    (tmp_path / "broker.yaml").unlink()
    (tmp_path / "function-gone.yaml").write_text((tmp_path / "bridge.yaml").read_text())
    assert run("--output", str(tmp_path), "--check", "--json") == 1
    second = json.loads(capsys.readouterr().out)
    assert (second["different"], second["left_over"]) == (["broker.yaml"], ["function-gone.yaml"])
    assert second["output"] == str(tmp_path)


def test_writing_mends_all_of_that_and_leaves_other_files_alone(tmp_path: Path) -> None:
    run("--output", str(tmp_path))
    left_over = tmp_path / "function-gone.yaml"
    left_over.write_text((tmp_path / "bridge.yaml").read_text())
    own = tmp_path / "own.yaml"
    own.write_text("kind: ConfigMap\n")
    assert run("--output", str(tmp_path)) == 0
    assert not left_over.exists()
    assert own.exists()
    assert run("--output", str(tmp_path), "--check") == 0


def test_a_component_that_the_stack_no_longer_makes_is_removed(tmp_path: Path) -> None:
    run("--output", str(tmp_path), platform="kubernetes")
    left_over = tmp_path / "components" / "gone" / "kustomization.yaml"
    left_over.parent.mkdir()
    left_over.write_text((tmp_path / "components" / "kafka" / "kustomization.yaml").read_text())
    assert run("--output", str(tmp_path), "--check", platform="kubernetes") == 1
    assert run("--output", str(tmp_path), platform="kubernetes") == 0
    assert not left_over.exists()
    assert run("--output", str(tmp_path), "--check", platform="kubernetes") == 0


def test_image_follows_the_variables_of_the_stack_file(tmp_path: Path) -> None:
    run("--output", str(tmp_path), env={"REGISTRY": "registry.example", "TAG": "2"})
    assert "image: registry.example/penstock:2" in (tmp_path / "bridge.yaml").read_text()
    assert "image: registry.example/penstock-resize:2" in (tmp_path / "function-resize.yaml").read_text()


def test_bridge_on_openfaas_wakes_only_whom_an_event_concerns(tmp_path: Path) -> None:
    run("--output", str(tmp_path), "--gateway", "http://gateway:8080/", platform="openfaas")
    documents = documents_in(tmp_path / "bridge.yaml")
    [workload] = [each for each in documents if each["kind"] == "StatefulSet"]
    [container] = workload["spec"]["template"]["spec"]["containers"]
    parser = argparse.ArgumentParser()
    bridge.add_arguments(parser)
    args = parser.parse_args([*container["args"][1:], "--allow-anonymous"])
    config = load_bridge_config(args, {})
    # A function of one's own, made by `penstock new`, comes after the three.
    ours = ("compress", "resize", "index")
    assert [target.url for target in config.targets][:3] == [
        f"http://gateway:8080/function/{name}/event" for name in ours
    ]
    assert set(config.filters) == {target.name for target in config.targets}
    assert {name: [str(rule) for rule in config.filters[name]] for name in ours} == {
        "compress": ["s3://upload/*.csv"],
        "resize": [f"s3://images/*.{ending}" for ending in RESIZE_ENDINGS],
        "index": ["s3://processed/*"],
    }


@pytest.mark.parametrize(
    ("platform", "words", "problem"),
    [
        ("knative", ("--namespace", "My Lake"), "--namespace 'My Lake': expected lower-case"),
        ("knative", ("--kafka", "kafka"), "--kafka 'kafka': expected HOST:PORT"),
        ("kubernetes", ("--kafka-secret", "My Secret"), "--kafka-secret 'My Secret': expected lower-case"),
        ("openfaas", ("--gateway", "gateway:8080"), "--gateway 'gateway:8080': expected a URL"),
    ],
)
def test_flag_that_would_fail_in_the_cluster_only_is_refused_here(
    tmp_path: Path, platform: str, words: tuple[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        run("--output", str(tmp_path / "out"), *words, platform=platform)
    assert not (tmp_path / "out").exists()


def test_kafka_may_have_several_servers(tmp_path: Path) -> None:
    assert run("--output", str(tmp_path), "--kafka", "one:9092,two:9092") == 0
