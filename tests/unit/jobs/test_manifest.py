"""What a Job says."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.commands import run as oneshot
from penstock.handler.loading import Function, make_function
from penstock.jobs.manifest import job_manifest, job_name, literal
from penstock.settings.config import Config
from penstock.settings.environment import load_config

from tests.lake import Options, upper
from tests.unit.jobs.conftest import large

MakeConfig = Callable[..., Config]
MakeFunction = Callable[[Config], Function]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def made(config: Config, key: str = "donors.csv", **event: str) -> dict[str, Any]:
    assert config.jobs is not None
    return job_manifest("a-job", large(key), config, config.jobs, now=NOW, **event)


def container_of(manifest: dict[str, Any]) -> dict[str, Any]:
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    return dict(container)


def expand(text: str, env: dict[str, str]) -> str:
    """What Kubernetes does to args and env: `$(NAME)` is a variable, `$$` is a `$`."""
    return re.sub(r"\$\$|\$\(([^)]*)\)", lambda found: "$" if found[0] == "$$" else env.get(found[1], found[0]), text)


def env_of(manifest: dict[str, Any]) -> dict[str, str]:
    values = {each["name"]: each["value"] for each in container_of(manifest)["env"] if "value" in each}
    return {name: expand(value, {}) for name, value in values.items()}


def test_a_name_is_the_same_for_the_same_state(make_config: MakeConfig, make_upper: MakeFunction) -> None:
    config = make_config()
    again = make_config()
    assert job_name(large(), make_upper(config), config) == job_name(large(), make_upper(again), again)


def test_a_name_differs_whenever_the_target_would(make_config: MakeConfig, make_upper: MakeFunction) -> None:
    config = make_config()
    function = make_upper(config)
    states = [
        large(),
        large("other.csv"),
        large(etag="e2"),
        large(version_id="v1"),
        large(content_type="text/csv"),
        large(metadata={"owner": "me"}),
    ]
    names = [job_name(state, function, config) for state in states]
    for changed in (
        {"OPTION_TIMES": "2"},
        {"SINK": "s3://elsewhere/{key}"},
        {"FUNCTION_NAME": "other"},
        {"RENDITIONS": "twice?times=2", "SINK": "s3://processed/{rendition}/{key}"},
    ):
        other = make_config(**changed)
        names.append(job_name(large(), make_upper(other), other))
    names.append(job_name(large(), function, config, repeat=1))
    assert len(set(names)) == len(names)


@given(key=st.text(min_size=1), function=st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True))
def test_a_name_is_a_dns_label_for_any_key_and_function(key: str, function: str) -> None:
    config = Config(function)
    module = SimpleNamespace(__name__="handler", handle=upper, Options=Options)
    name = job_name(large(key), make_function(module, config), config, repeat=9)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"JOB_SECRETS": "MINIO_ACCESS_KEY=lake/user MINIO_SECRET_KEY_FILE=lake/password MINIO_CA_FILE=ca/ca.crt"},
        {"SINK": "opensearch+https://search:9200/processed", "SINK_USERNAME": "me", "SINK_PASSWORD": "x"},
    ],
)
def test_a_job_is_valid_to_the_last_field(make_config: MakeConfig, changed: dict[str, str]) -> None:
    import kubernetes_validate

    manifest = made(make_config(**changed), event_id="1", traceparent="00-1-1-01")
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_a_job_runs_the_functions_own_image_once(make_config: MakeConfig) -> None:
    container = container_of(made(make_config()))
    assert container["image"] == "registry.test/upper:1.0"
    assert container["command"] == ["python", "-m", "penstock.cli", "run"]
    assert container["args"] == ["/opt/app/function", "-f=upload", "-k=donors.csv", "-t=processed", "--missing-ok"]


@given(key=st.text(min_size=1))
def test_any_key_reaches_the_command_as_it_is(key: str) -> None:
    config = load_config(
        {
            "FUNCTION_NAME": "upper",
            "SINK": "s3://processed/{key}",
            "OFFLOAD_ABOVE_BYTES": "1",
            "JOB_IMAGE": "upper",
            "SECRETS_DIR": "/nowhere",
        }
    )
    env = {"MINIO_SECRET_KEY": "secret", "A": "a"}
    arguments = [expand(text, env) for text in container_of(made(config, key))["args"]]
    parser = argparse.ArgumentParser(exit_on_error=False)
    oneshot.add_arguments(parser)
    parsed = parser.parse_args(arguments)
    assert (parsed.source, parsed.key, parsed.target, parsed.missing_ok) == ("upload", key, "processed", True)


@given(text=st.text(alphabet="$()AB "))
def test_text_is_left_alone_by_kubernetes(text: str) -> None:
    assert expand(literal(text), {"A": "a", "AB": "ab"}) == text


def test_a_job_has_the_functions_settings_without_those_of_offloading(make_config: MakeConfig) -> None:
    config = make_config(
        SOURCE="s3://upload/in/*.csv s3://other/*",
        SINK="s3://processed/{rendition}/$(HOME)/{key}",
        OPTION_TIMES="2",
        RENDITIONS="plain twice?times=2&note=a+b%26c",
        ON_SOURCE_REMOVED="delete",
        MAX_INPUT_BYTES="5000",
        MINIO_REGION="eu-1",
        STORE_NAME="east",
        LOG_LEVEL="debug",
        K_SINK="http://broker",
    )
    given_to_it = env_of(made(config))
    assert given_to_it.pop("K_SINK") == "http://broker"
    again = load_config({**given_to_it, "MINIO_ACCESS_KEY": "reader", "MINIO_SECRET_KEY": "reader-secret"})
    assert (again.offload_above_bytes, again.jobs) == (None, None)
    for name in ("function", "sources", "sink", "store", "store_name", "options", "renditions", "remove_with_source"):
        assert getattr(again, name) == getattr(config, name), name
    assert (again.max_input_bytes, again.log_level) == (5000, "DEBUG")


def test_credentials_come_from_secrets_and_are_nowhere_in_a_job(make_config: MakeConfig) -> None:
    manifest = made(make_config(MINIO_ACCESS_KEY="the-user", MINIO_SECRET_KEY="the-password"))
    references = {
        each["name"]: each["valueFrom"]["secretKeyRef"] for each in container_of(manifest)["env"] if "valueFrom" in each
    }
    assert references == {
        "MINIO_ACCESS_KEY": {"name": "minio-access-key", "key": "minio-access-key"},
        "MINIO_SECRET_KEY": {"name": "minio-secret-key", "key": "minio-secret-key"},
    }
    assert "the-user" not in str(manifest)
    assert "the-password" not in str(manifest)


def test_a_secret_whose_setting_is_a_file_is_mounted(make_config: MakeConfig) -> None:
    manifest = made(make_config(JOB_SECRETS="MINIO_CA_FILE=lake-ca/ca.crt"))
    assert env_of(manifest)["MINIO_CA_FILE"] == "/var/openfaas/secrets/minio-ca"
    pod = manifest["spec"]["template"]["spec"]
    (source,) = next(volume for volume in pod["volumes"] if volume["name"] == "secrets")["projected"]["sources"]
    assert source["secret"] == {"name": "lake-ca", "items": [{"key": "ca.crt", "path": "minio-ca"}]}
    assert {"name": "secrets", "mountPath": "/var/openfaas/secrets", "readOnly": True} in container_of(manifest)[
        "volumeMounts"
    ]


def test_a_job_waits_for_its_turn_and_does_not_repeat_what_cannot_work(make_config: MakeConfig) -> None:
    manifest = made(make_config(JOB_RETRIES="3", JOB_DEADLINE_SECONDS="60", JOB_TTL_SECONDS="7"))
    spec = manifest["spec"]
    assert spec["suspend"] is True
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (3, 60, 7)
    by_action = {rule["action"]: rule for rule in spec["podFailurePolicy"]["rules"]}
    assert {65, 78} <= set(by_action["FailJob"]["onExitCodes"]["values"])
    assert 75 not in by_action["FailJob"]["onExitCodes"]["values"]
    assert by_action["Ignore"]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_a_job_has_no_way_to_the_kubernetes_api(make_config: MakeConfig) -> None:
    pod = made(make_config())["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "penstock-job"
    assert pod["automountServiceAccountToken"] is False


def test_a_job_for_an_index_names_no_bucket_of_targets(make_config: MakeConfig) -> None:
    container = container_of(made(make_config(SINK="opensearch+http://search:9200/processed")))
    assert not [argument for argument in container["args"] if argument.startswith("-t")]
