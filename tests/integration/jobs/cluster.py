"""A namespace of a real cluster with deploy/jobs in it, for tests of Jobs: the API and its controllers are real.

kwok plays the node, so no container runs: a pod ends at once, or as the test says with `Namespace.end_pod`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from penstock.handler.loading import load_module, make_function
from penstock.jobs.offload import make_offload
from penstock.runtime.outcome import Offload
from penstock.settings.environment import load_config
from penstock.types import ObjectRef, ObjectState
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.components import KubernetesServer
from tests.components.kubernetes import KUBERNETES
from tests.integration.processes import running
from tests.paths import ROOT

_FOLDERS = {
    "ServiceAccount": "api/v1/namespaces/{}/serviceaccounts",
    "ConfigMap": "api/v1/namespaces/{}/configmaps",
    "Role": "apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "Deployment": "apis/apps/v1/namespaces/{}/deployments",
    "NetworkPolicy": "apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
}

# The tags decide the fate of pods: tests/components/kwok.yaml.
IMAGE_TAGS = ("1.0", "fails", "hangs")


@cache
def jobs_manifests() -> tuple[str, ...]:
    """deploy/jobs as `kubectl apply -k` would send it, one YAML document each."""
    argv = [str(KUBERNETES.install() / "kubectl"), "kustomize", str(ROOT / "deploy" / "jobs")]
    made = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return tuple(made.split("\n---\n"))


def large_object(key: str, etag: str = "e1") -> ObjectState:
    return ObjectState(ObjectRef("upload", key), size=1 << 40, etag=etag)


class Namespace:
    """One namespace that admits restricted pods only."""

    def __init__(self, server: KubernetesServer, name: str, folder: Path) -> None:
        self.server = server
        self.name = name
        self._folder = folder
        self._request = server.endpoint.request
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self._request("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        for document in map(yaml.safe_load, jobs_manifests()):
            if document["kind"].startswith("ValidatingAdmissionPolicy"):  # the whole cluster's: test_rights.py
                continue
            if document["metadata"]["name"] == "penstock-jobs-policy":
                document["data"]["images"] = " ".join(f"penstock-compress:{tag}" for tag in IMAGE_TAGS)
            document["metadata"]["namespace"] = name
            for subject in document.get("subjects", []):
                subject["namespace"] = name
            path = _FOLDERS[document["kind"]].format(name)
            self._request("POST", f"/{path}?fieldValidation=Strict", document)

    def job_path(self, job: str = "") -> str:
        return f"/apis/batch/v1/namespaces/{self.name}/jobs" + (f"/{job}" if job else "")

    def get(self, path: str) -> Any:
        return self._request("GET", path)

    def jobs(self) -> list[dict[str, Any]]:
        """All Jobs, by name."""
        return sorted(self.get(self.job_path())["items"], key=lambda job: str(job["metadata"]["name"]))

    def ended(self) -> dict[str, str]:
        """How each Job ended, by name: Complete, Failed or nothing yet."""
        found = {}
        for job in self.jobs():
            conditions = job.get("status", {}).get("conditions", [])
            ends = [each["type"] for each in conditions if each["type"] in ("Complete", "Failed")]
            found[job["metadata"]["name"]] = ends[0] if ends else ""
        return found

    def finalizers(self) -> set[str]:
        return {name for job in self.jobs() for name in job["metadata"].get("finalizers", [])}

    def pods(self, job: str) -> list[dict[str, Any]]:
        selector = f"batch.kubernetes.io/job-name={job}"
        items: list[dict[str, Any]] = self.get(f"/api/v1/namespaces/{self.name}/pods?labelSelector={selector}")["items"]
        return items

    def end_pod(self, job: str, exit_code: int) -> None:
        """Play the kubelet for the one pod that runs: its container ends with this code."""

        def runs() -> bool:
            return any(pod.get("status", {}).get("phase") == "Running" for pod in self.pods(job))

        self.wait_until(lambda: self._end_pod(job, exit_code), f"a running pod of {job}, which then ended")

    def _end_pod(self, job: str, exit_code: int) -> bool:
        (pod,) = [pod for pod in self.pods(job) if pod["status"]["phase"] == "Running"]
        status = pod["status"]
        (container,) = status["containerStatuses"]
        started = status["startTime"]
        terminated = {"exitCode": exit_code, "reason": "Error", "startedAt": started, "finishedAt": started}
        container |= {"ready": False, "state": {"terminated": terminated}}
        status["phase"] = "Failed" if exit_code else "Succeeded"
        path = f"/api/v1/namespaces/{self.name}/pods/{pod['metadata']['name']}/status"
        self._request("PUT", path, pod)  # refused, and so asked again, where kwok has changed the pod meanwhile
        return True

    def wait_until(self, check: Callable[[], bool], what: str, timeout_seconds: float = 120) -> None:
        self.server.wait_until(check, what, timeout_seconds)

    def account(self, name: str) -> dict[str, str]:
        """The environment of a pod that runs as this service account: a real token, as the kubelet mounts it."""
        endpoint = self.server.endpoint
        folder = self._folder / f"{self.name}-{name}"
        if not folder.exists():
            folder.mkdir()
            (folder / "token").write_text(endpoint.service_account_token(self.name, name))
            (folder / "ca.crt").write_bytes(endpoint.ca_file.read_bytes())
            (folder / "namespace").write_text(self.name)
        host, _, port = endpoint.url.removeprefix("https://").partition(":")
        return {
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": port,
            "SERVICE_ACCOUNT_DIR": str(folder),
        }

    def settings(self, tag: str = "1.0", **settings: str) -> dict[str, str]:
        """The environment of `compress` here; the image's tag decides the fate of pods (tests/components/kwok.yaml)."""
        return {
            "FUNCTION_NAME": "compress",
            "SOURCE": "s3://upload/*",
            "SINK": "s3://processed/{key}.gz",
            "MINIO_ENDPOINT": "http://127.0.0.1:9",
            "MINIO_ACCESS_KEY": "reader",
            "MINIO_SECRET_KEY": "reader-secret",
            "OFFLOAD_ABOVE_BYTES": "1000",
            "JOB_IMAGE": f"penstock-compress:{tag}",
            **self.account("penstock-function"),
            **settings,
        }

    def offload(self, tag: str = "1.0", **settings: str) -> Offload:
        """The hook as `compress` has it here, with the rights of its service account."""
        config = load_config(self.settings(tag, **settings))
        return make_offload(make_function(load_module(ROOT / "functions" / "compress"), config), config)

    @contextmanager
    def watcher(self, dead_letters: str, max_running: int = 4) -> Iterator[subprocess.Popen[bytes]]:
        """`penstock jobs watch` with the rights of its service account."""
        command = ["jobs", "watch", f"--max-running={max_running}", f"--dead-letter-to={dead_letters}"]
        log = self._folder / f"{self.name}-watcher.log"
        with running(command, log, self.environment("penstock-jobs-watcher")) as process:
            yield process

    def environment(self, account: str) -> dict[str, str]:
        """A whole environment for a child process that runs as this account."""
        return {**self.account(account), "KUBECONFIG": ""}


class Letters:
    """A dead letter sink over real HTTP that keeps what it took; `refuses` makes it answer 503."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/dead-letters")
        self.refuses = False
        self.asked = 0
        self.taken: list[Request] = []
        server.expect_request("/dead-letters", method="POST").respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        self.asked += 1
        if self.refuses:
            return Response(status=503)
        request.get_data()
        self.taken.append(request)
        return Response(status=202)

    @property
    def jobs(self) -> list[str]:
        """The Jobs that letters came for, in their order."""
        return [json.loads(request.data)["Job"]["name"] for request in self.taken]
