"""What one function becomes on Knative."""

from typing import Any

import pytest
from penstock.errors import ConfigError
from penstock.jobs.manifest import FUNCTION_LABEL
from penstock.render.knative import KnativeSettings
from penstock.settings.environment import load_config

from tests.rendering import Render

BROKER = "http://kafka-broker-ingress.knative-eventing.svc.cluster.local/penstock/penstock"
OFFLOADS = {"OFFLOAD_ABOVE_BYTES": "1000", "JOB_IMAGE": "registry.example/compress:1"}
# A stack file names secrets and has none; the container reads them from files.
CREDENTIALS = {"MINIO_ACCESS_KEY": "reader", "MINIO_SECRET_KEY": "reader-secret"}


def template(documents: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = documents["Service", "compress"]["spec"]["template"]
    return found


def scaling(documents: dict[tuple[str, str], dict[str, Any]]) -> dict[str, str]:
    annotations = template(documents)["metadata"]["annotations"]
    return {name.removeprefix("autoscaling.knative.dev/"): value for name, value in annotations.items()}


def test_scale_to_zero_labels_become_knatives_annotations(rendered: Render) -> None:
    labels = {
        "com.openfaas.scale.zero": "true",
        "com.openfaas.scale.zero-duration": "7m",
        "com.openfaas.scale.max": "9",
    }
    assert scaling(rendered(labels=labels)) == {
        "min-scale": "0",
        "max-scale": "9",
        "metric": "concurrency",
        "target": "4",
        "scale-to-zero-pod-retention-period": "7m",
    }


def test_function_without_the_label_keeps_its_minimum(rendered: Render) -> None:
    found = scaling(rendered(labels={"com.openfaas.scale.min": "2"}))
    assert found["min-scale"] == "2"
    assert "scale-to-zero-pod-retention-period" not in found


def test_concurrency_is_what_the_process_works_on_at_once(rendered: Render) -> None:
    documents = rendered(environment={"THREADS": "3", "WORKERS": "2"})
    assert template(documents)["spec"]["containerConcurrency"] == 6


def test_target_of_capacity_is_never_above_the_hard_limit(rendered: Render) -> None:
    labels = {"com.openfaas.scale.type": "capacity", "com.openfaas.scale.target": "50"}
    assert scaling(rendered(labels=labels))["target"] == "4"
    assert scaling(rendered(labels={**labels, "com.openfaas.scale.target": "2"}))["target"] == "2"
    assert (
        scaling(rendered(labels={"com.openfaas.scale.type": "rps", "com.openfaas.scale.target": "2"}))["target"] == "4"
    )


def test_container_is_restricted_and_reads_its_secrets_from_files(rendered: Render) -> None:
    documents = rendered()
    pod = template(documents)["spec"]
    [container] = pod["containers"]
    security = container["securityContext"]
    assert (security["runAsNonRoot"], security["readOnlyRootFilesystem"]) == (True, True)
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert {"name": "secrets", "mountPath": "/var/openfaas/secrets", "readOnly": True} in container["volumeMounts"]
    assert [each["name"] for each in pod["volumes"]] == ["tmp", "secrets"]
    assert pod["automountServiceAccountToken"] is False


def test_only_a_function_that_makes_jobs_gets_a_token(rendered: Render) -> None:
    documents = rendered(environment=OFFLOADS)
    pod = template(documents)["spec"]
    assert (pod["serviceAccountName"], pod.get("automountServiceAccountToken")) == ("penstock-function", None)
    # deploy/jobs has that account; a second one by the same name would take its rights away.
    assert not [name for kind, name in documents if kind == "ServiceAccount" and name != "penstock-bridge"]
    egress = documents["NetworkPolicy", "compress"]["spec"]["egress"]
    assert {"protocol": "TCP", "port": 6443} in egress[-1]["ports"]


def test_jobs_reach_the_store_and_their_watcher_the_bridge(rendered: Render) -> None:
    documents = rendered(environment=OFFLOADS)
    policy = documents["NetworkPolicy", "compress-jobs"]["spec"]
    assert policy["podSelector"]["matchLabels"] == {FUNCTION_LABEL: "compress"}
    namespaces = [rule["to"][0]["namespaceSelector"]["matchLabels"] for rule in policy["egress"]]
    assert {"kubernetes.io/metadata.name": "minio"} in namespaces
    [_, watcher] = documents["NetworkPolicy", "penstock-bridge"]["spec"]["ingress"]
    assert watcher["from"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "penstock-jobs-watcher"}


def answers_to(container: dict[str, Any]) -> list[str]:
    return [each["value"] for each in container["env"] if each["name"] == "JOB_ANSWER_TO"]


def test_jobs_send_their_outcome_to_the_broker_as_the_function_answers_it(rendered: Render) -> None:
    documents = rendered(environment=OFFLOADS, annotations={"penstock.dev/reconcile": "7 * * * *"})
    [function] = template(documents)["spec"]["containers"]
    job = documents["CronJob", "compress-reconcile"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert answers_to(function) == answers_to(job["containers"][0]) == [BROKER]
    config = load_config({each["name"]: each["value"] for each in function["env"]} | CREDENTIALS, function="compress")
    assert config.jobs is not None
    assert config.jobs.answer_to == BROKER
    egress = documents["NetworkPolicy", "compress-jobs"]["spec"]["egress"]
    assert {"kubernetes.io/metadata.name": "knative-eventing"} in [
        rule["to"][0]["namespaceSelector"]["matchLabels"] for rule in egress
    ]


def test_where_jobs_of_another_namespace_answer_follows_it(rendered: Render) -> None:
    documents = rendered(
        environment=OFFLOADS, settings=KnativeSettings("registry.example/penstock:1", namespace="lake")
    )
    [function] = template(documents)["spec"]["containers"]
    assert answers_to(function) == [BROKER.replace("/penstock/penstock", "/lake/penstock")]


def test_jobs_answer_to_whom_the_stack_file_names_and_may_reach_only_that(rendered: Render) -> None:
    documents = rendered(environment=OFFLOADS | {"JOB_ANSWER_TO": "http://audit.records.svc.cluster.local/in"})
    [function] = template(documents)["spec"]["containers"]
    assert answers_to(function) == ["http://audit.records.svc.cluster.local/in"]
    egress = documents["NetworkPolicy", "compress-jobs"]["spec"]["egress"]
    namespaces = [rule["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for rule in egress]
    assert namespaces == ["minio", "records"]


def test_a_function_without_jobs_is_told_no_address(rendered: Render) -> None:
    [function] = template(rendered())["spec"]["containers"]
    assert answers_to(function) == []


def test_function_is_reached_from_inside_the_cluster_only(rendered: Render) -> None:
    labels = rendered()["Service", "compress"]["metadata"]["labels"]
    assert labels["networking.knative.dev/visibility"] == "cluster-local"


def test_reconcile_runs_the_functions_own_image_and_settings(rendered: Render) -> None:
    documents = rendered(annotations={"penstock.dev/reconcile": "7 * * * *"})
    job = documents["CronJob", "compress-reconcile"]
    assert job["spec"]["schedule"] == "7 * * * *"
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    [function] = template(documents)["spec"]["containers"]
    assert container["args"] == ["penstock", "reconcile", "/opt/app/function"]
    for member in ("image", "env", "volumeMounts", "securityContext"):
        assert container[member] == function[member]


def test_without_a_schedule_there_is_no_reconcile_job(rendered: Render) -> None:
    assert not [kind for kind, _ in rendered() if kind == "CronJob"]


SQLITE = {"SINK": "sqlite:///data/index.db"}
ONE_POD = {"com.openfaas.scale.max": "1"}
VOLUME = {"penstock.dev/volume": "2Gi"}


def test_index_in_a_sqlite_file_gets_a_volume_that_its_reconcile_job_shares(rendered: Render) -> None:
    schedule = {"penstock.dev/reconcile": "7 * * * *"}
    documents = rendered(environment=SQLITE, labels=ONE_POD, annotations=VOLUME | schedule)
    assert documents["PersistentVolumeClaim", "compress-data"]["spec"]["resources"]["requests"]["storage"] == "2Gi"
    job = documents["CronJob", "compress-reconcile"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    for pod in (template(documents)["spec"], job):
        assert {"name": "data", "mountPath": "/data"} in pod["containers"][0]["volumeMounts"]
        assert pod["volumes"][-1]["persistentVolumeClaim"] == {"claimName": "compress-data"}
        assert pod["securityContext"]["fsGroup"] == 65532
    # Knative's webhook refuses this field, whatever its features are.
    assert "fsGroupChangePolicy" not in template(documents)["spec"]["securityContext"]


@pytest.mark.parametrize(
    ("labels", "annotations", "reason"),
    [
        (ONE_POD, {}, "a pod without a volume loses"),
        ({}, VOLUME, "up to 20 pods would each have their own"),
        ({"com.openfaas.scale.max": "2"}, VOLUME, "up to 2 pods"),
        (ONE_POD, {"penstock.dev/volume": "much"}, "expected a size such as 1Gi"),
    ],
)
def test_index_in_a_sqlite_file_is_refused_where_it_would_be_lost_or_split(
    rendered: Render, labels: dict[str, str], annotations: dict[str, str], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        rendered(environment=SQLITE, labels=labels, annotations=annotations)


@pytest.mark.parametrize("sink", ["sqlite:index.db", "sqlite:///index.db"])
def test_sqlite_file_needs_a_folder_of_its_own(rendered: Render, sink: str) -> None:
    with pytest.raises(ConfigError, match="name a file in a folder of its own"):
        rendered(environment={"SINK": sink}, labels=ONE_POD, annotations=VOLUME)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image": ""}, "functions.compress: image: missing"),
        ({"environment": {"PORT": "9"}}, "environment.PORT: Knative sets it itself"),
        ({"environment": {"SOURCE": ""}}, "environment.SOURCE: missing"),
        ({"environment": {"SOURCE": "upload"}}, "SOURCE: 'upload': expected s3://"),
        ({"environment": {"SINK": ""}}, "environment.SINK: missing"),
        ({"environment": {"SINK": "ftp://x"}}, "expected s3://BUCKET/TEMPLATE"),
        ({"labels": {"com.openfaas.scale.max": "many"}}, "com.openfaas.scale.max='many': expected a whole number"),
        ({"annotations": {"penstock.dev/timeout-seconds": "601"}}, "expected a whole number from 1 to 600"),
        ({"annotations": {"penstock.dev/reconcile": "hourly"}}, "expected five cron fields"),
        ({"annotations": {"penstock.dev/reconcil": "x"}}, "penstock.dev/reconcil is unknown"),
        ({"annotations": VOLUME}, "only an index in a SQLite file"),
        ({"name": "penstock-bridge"}, "none of penstock-bridge"),
        ({"name": "a" * 43}, "at most 42 characters"),
    ],
)
def test_what_cannot_run_on_knative_is_refused_with_the_reason(
    rendered: Render, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        rendered(**change)


def test_every_problem_is_reported_at_once(rendered: Render) -> None:
    with pytest.raises(ConfigError) as caught:
        rendered(image="", environment={"PORT": "1"}, annotations={"penstock.dev/reconcile": "x"})
    assert len(caught.value.problems) == 3


def test_the_token_of_callers_is_mounted_where_the_stack_file_lists_it(rendered: Render) -> None:
    made = rendered(secrets=("minio-access-key", "function-token"))["Service", "compress"]
    [secrets] = [each for each in made["spec"]["template"]["spec"]["volumes"] if each["name"] == "secrets"]
    names = [each["secret"]["name"] for each in secrets["projected"]["sources"]]
    assert names == ["minio-access-key", "function-token"]


def test_the_bridge_starts_with_and_without_the_tokens_that_it_may_have(rendered: Render) -> None:
    pod = rendered()["StatefulSet", "penstock-bridge"]["spec"]["template"]["spec"]
    [secrets] = [each["projected"]["sources"] for each in pod["volumes"] if each["name"] == "secrets"]
    assert {each["secret"]["name"]: each["secret"].get("optional", False) for each in secrets} == {
        "bridge-token": False,
        "function-token": True,
        "function-hmac-key": True,
        "dead-letter-token": True,
        "console-token": True,
        "outcome-urls": True,
        "outcome-hmac-key": True,
    }
