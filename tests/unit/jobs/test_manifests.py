"""deploy/jobs without a server: valid, least privilege, the restricted standard."""

from __future__ import annotations

from typing import Any

import pytest

from tests.manifests import documents_in
from tests.paths import DEPLOY

FOLDER = DEPLOY / "jobs"
DOCUMENTS: list[dict[str, Any]] = [
    document
    for file in sorted(FOLDER.rglob("*.yaml"))
    if file.name != "kustomization.yaml"
    for document in documents_in(file)
]


def named(kind: str) -> dict[str, dict[str, Any]]:
    return {document["metadata"]["name"]: document for document in DOCUMENTS if document["kind"] == kind}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_a_manifest_is_valid_to_the_last_field(document: dict[str, Any]) -> None:
    import kubernetes_validate

    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_every_file_is_listed() -> None:
    folders = [FOLDER, *(path for path in FOLDER.iterdir() if path.is_dir())]
    for folder in folders:
        [kustomization] = documents_in(folder / "kustomization.yaml")
        listed = kustomization["resources"]
        files = [file.name for file in folder.glob("*.yaml") if file.name != "kustomization.yaml"]
        assert sorted(listed) == sorted(files + [path.name for path in folder.iterdir() if path.is_dir()]), folder


def test_no_role_has_a_wildcard_or_reads_secrets() -> None:
    for role in named("Role").values():
        for rule in role["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
            assert "secrets" not in rule["resources"]


def test_accounts_and_roles_that_are_bound_exist_and_the_jobs_own_account_has_none() -> None:
    bound = set()
    for binding in named("RoleBinding").values():
        assert binding["roleRef"]["name"] in named("Role")
        bound |= {subject["name"] for subject in binding["subjects"]}
    assert bound == set(named("ServiceAccount")) - {"penstock-job"}
    assert named("ServiceAccount")["penstock-job"]["automountServiceAccountToken"] is False


def test_two_watchers_never_run_at_once() -> None:
    spec = named("Deployment")["penstock-jobs-watcher"]["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")
