"""What the Roles of deploy/jobs allow, by asking the real API server as each account."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from penstock.cli import main
from penstock.errors import TemporaryError
from penstock.jobs.access import find_access
from penstock.jobs.api import KubernetesApi, KubernetesError
from penstock.jobs.manifest import job_manifest
from penstock.settings.environment import load_config

from tests.components.http import HttpError
from tests.integration.jobs.cluster import Letters, Namespace, large_object
from tests.paths import ROOT

FUNCTION, WATCHER, JOB = "penstock-function", "penstock-jobs-watcher", "penstock-job"
OPERATOR = "an-operator"

# Every verb that anybody might want, on what there is to have; the rest of the cluster is covered by "secrets".
WANTED = [
    (verb, resource)
    for resource in ("jobs.batch", "jobs.batch/status", "pods", "pods/log", "pods/exec", "secrets", "deployments.apps")
    for verb in ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
]
ALLOWED = {
    FUNCTION: {("create", "jobs.batch"), ("get", "jobs.batch")},
    WATCHER: {
        *((verb, "jobs.batch") for verb in ("list", "watch", "patch")),
        ("list", "pods"),
        ("get", "pods/log"),
    },
    JOB: set(),
    OPERATOR: {
        *((verb, "jobs.batch") for verb in ("get", "list", "delete")),
        ("list", "pods"),
        ("get", "pods/log"),
    },
}


@pytest.fixture
def operator(namespace: Namespace) -> str:
    """Somebody to whom the operators' Role is bound."""
    request, root = namespace.server.endpoint.request, f"namespaces/{namespace.name}"
    request("POST", f"/api/v1/{root}/serviceaccounts", {"metadata": {"name": OPERATOR}})
    binding = {
        "metadata": {"name": OPERATOR},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "penstock-jobs-operator"},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": namespace.name}],
    }
    request("POST", f"/apis/rbac.authorization.k8s.io/v1/{root}/rolebindings", binding)
    return OPERATOR


@pytest.mark.parametrize("account", ALLOWED)
def test_an_account_may_do_what_it_needs_and_nothing_else(namespace: Namespace, operator: str, account: str) -> None:
    request = namespace.server.endpoint.request
    user = f"system:serviceaccount:{namespace.name}:{account}"
    allowed = set()
    for verb, resource in WANTED:
        kind, _, subresource = resource.partition("/")
        name, _, group = kind.partition(".")
        asked = {"namespace": namespace.name, "verb": verb, "group": group, "resource": name}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": asked | {"subresource": subresource}},
        }
        if request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]:
            allowed.add((verb, resource))
    assert allowed == ALLOWED[account]


def test_what_is_outside_a_role_is_refused_when_it_is_tried(namespace: Namespace, operator: str) -> None:
    namespace.offload()(large_object("donors.csv"))
    (name,) = namespace.ended()
    root = f"/api/v1/namespaces/{namespace.name}"
    tried = [
        (FUNCTION, "GET", namespace.job_path()),
        (FUNCTION, "DELETE", namespace.job_path(name)),
        (FUNCTION, "GET", f"{root}/secrets"),
        (WATCHER, "GET", namespace.job_path(name)),
        (WATCHER, "DELETE", namespace.job_path(name)),
        (WATCHER, "POST", namespace.job_path()),
        (WATCHER, "GET", f"{root}/secrets/minio-secret-key"),
        (JOB, "GET", namespace.job_path()),
        (operator, "POST", namespace.job_path()),
        (operator, "GET", "/apis/batch/v1/namespaces/default/jobs"),
    ]
    for account, method, path in tried:
        token = namespace.server.endpoint.service_account_token(namespace.name, account)
        with pytest.raises(HttpError, match="forbidden") as refused:
            namespace.server.endpoint.request(method, path, {} if method == "POST" else None, token=token)
        assert refused.value.status == 403, (account, method, path)


@pytest.fixture
def admission(namespace: Namespace) -> Callable[[dict[str, Any]], str]:
    """deploy/jobs/admission; asks whether the function could create a Job, "" if so, else why not.

    The policy stays: once the last one that reads ConfigMaps is gone, Kubernetes 1.35 does not see those of the next.
    """
    request = namespace.server.endpoint.request
    for document in yaml.safe_load_all((ROOT / "deploy" / "jobs" / "admission" / "policy.yaml").read_text()):
        plural = {"ValidatingAdmissionPolicy": "validatingadmissionpolicies"}.get(
            document["kind"], "validatingadmissionpolicybindings"
        )
        path = f"/apis/admissionregistration.k8s.io/v1/{plural}"
        if selected := document["spec"].get("matchResources"):
            [names] = selected["namespaceSelector"]["matchExpressions"]
            names["values"] = [namespace.name]
            document["spec"]["policyName"] += f"-{namespace.name}"
        document["metadata"]["name"] += f"-{namespace.name}"
        request("POST", f"{path}?fieldValidation=Strict", document)
    token = namespace.server.endpoint.service_account_token(namespace.name, FUNCTION)

    def problem(manifest: dict[str, Any]) -> str:
        try:
            request("POST", f"{namespace.job_path()}?dryRun=All", manifest, token=token)
        except HttpError as refused:
            return str(refused)
        return ""

    # The API server takes up a new policy some moments later.
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "penstock"}]}
    probe = {"metadata": {"name": "probe"}, "spec": {"template": {"spec": pod}}}
    namespace.wait_until(lambda: "penstock-offload" in problem(probe), "the policy in force")
    return problem


def test_with_the_policy_a_function_creates_penstocks_jobs_and_reaches_no_other_secret(
    namespace: Namespace, admission: Callable[[dict[str, Any]], str]
) -> None:
    files = "MINIO_ACCESS_KEY_FILE=minio-access-key/minio-access-key MINIO_CA_FILE=minio-ca/ca.crt"
    manifests = []
    for settings in ({}, {"JOB_SECRETS": files}):
        config = load_config(namespace.settings(**settings))
        assert config.jobs is not None
        manifests.append(job_manifest("a-job", large_object("a.csv"), config, config.jobs, now=datetime.now(UTC)))
        namespace.wait_until(lambda: admission(manifests[-1]) == "", "the ConfigMap in force")
    secret = {"name": "MINIO_ACCESS_KEY", "valueFrom": {"secretKeyRef": {"name": "another", "key": "token"}}}
    projected = {"name": "tmp", "projected": {"sources": [{"secret": {"name": "another"}}]}}
    token = {"name": "tmp", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    container = {"name": "second", "image": "penstock"}
    for part, field, value in (
        ("job", "suspend", False),
        ("pod", "serviceAccountName", "penstock-jobs-watcher"),
        ("pod", "automountServiceAccountToken", True),
        ("container", "env", [secret]),
        ("container", "envFrom", [{"secretRef": {"name": "another"}}]),
        ("pod", "volumes", [{"name": "tmp", "secret": {"secretName": "another"}}]),
        ("pod", "volumes", [projected]),
        ("pod", "volumes", [token]),
        ("pod", "initContainers", [container]),
        ("pod", "imagePullSecrets", [{"name": "another"}]),
        ("pod", "hostNetwork", True),
        ("pod", "hostPID", True),
        ("container", "image", "registry.example/another:1"),
    ):
        manifest = copy.deepcopy(manifests[0])
        pod = manifest["spec"]["template"]["spec"]
        {"job": manifest["spec"], "pod": pod, "container": pod["containers"][0]}[part][field] = value
        assert "penstock-offload" in admission(manifest), (part, field)
    # Other namespaces have no such list, and create their Jobs as before.
    other = {"metadata": {"name": f"other-{namespace.name}"}, "spec": {"suspend": True, "template": {"spec": {}}}}
    other["spec"]["template"]["spec"] = {"restartPolicy": "Never", "containers": [container]}  # type: ignore[index]
    namespace.server.endpoint.request("POST", "/apis/batch/v1/namespaces/default/jobs?dryRun=All", other)
    # Without the list of images no Job is created at all. The API server notices some moments later.
    path = f"/api/v1/namespaces/{namespace.name}/configmaps/penstock-jobs-policy"
    namespace.server.endpoint.request("DELETE", path)
    namespace.wait_until(lambda: "no params found" in admission(manifests[0]), "a refusal")


def test_a_function_without_the_role_says_which_one_it_needs(namespace: Namespace) -> None:
    offload = namespace.offload(**namespace.account("default"))
    with pytest.raises(TemporaryError, match=r"cannot create resource.*bind the Role penstock-offload"):
        offload(large_object("donors.csv"))


def test_a_token_that_is_wrong_is_a_temporary_error(namespace: Namespace) -> None:
    account = namespace.account("penstock-function")
    access = find_access(account)
    assert access.token_file is not None
    access.token_file.write_text("wrong")
    with pytest.raises(KubernetesError) as refused:
        KubernetesApi(access).get_job("any")
    assert refused.value.code == 401


def test_an_operator_lists_reads_logs_and_cleans(
    namespace: Namespace,
    letters: Letters,
    operator: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for setting, value in namespace.environment(operator).items():
        monkeypatch.setenv(setting, value)
    namespace.server.write_pod_log("first line\nthe reason\x1b[31m")
    namespace.offload("hangs")(large_object("bad.csv"))
    (bad,) = namespace.ended()
    with namespace.watcher(letters.url):
        namespace.end_pod(bad, exit_code=65)
        namespace.wait_until(lambda: "penstock/dead-letter" not in namespace.finalizers(), "settled")
    namespace.offload()(large_object("new.csv"))

    def say(*words: str) -> str:
        assert main(["jobs", *words]) == 0
        return capsys.readouterr().out

    listed = say("list").splitlines()
    assert listed[0].split() == ["NAME", "FUNCTION", "STATE", "SINCE", "SOURCE", "REASON"]
    assert [line.split()[2] for line in listed[1:]] == ["failed", "waiting"]
    assert "s3://upload/bad.csv  PodFailurePolicy: " in listed[1]
    log = say("logs", bad)
    assert log.startswith("failed: PodFailurePolicy: ")
    assert log.endswith("first line\nthe reason\\x1b[31m\n")
    assert say("clean", "--older-than", "1h") == ""
    assert say("clean") == f"{bad}: deleted\n"
    namespace.wait_until(lambda: bad not in namespace.ended(), "gone")
    assert namespace.pods(bad) == []
    assert [line.split()[2] for line in say("list").splitlines()[1:]] == ["waiting"]
    assert main(["jobs", "logs", bad]) == 65
    assert f"no Job {bad}" in capsys.readouterr().err


def test_a_namespace_without_a_watcher_can_be_cleaned_by_force(namespace: Namespace) -> None:
    namespace.offload()(large_object("donors.csv"))
    (name,) = namespace.ended()
    kubeconfig = str(namespace.server.endpoint.kubeconfig)
    assert main(["jobs", "clean", name, "--force", "--kubeconfig", kubeconfig, "--namespace", namespace.name]) == 0
    namespace.wait_until(lambda: namespace.jobs() == [], "gone")
