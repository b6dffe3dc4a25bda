"""The Kubernetes API and Knative's queue-proxy do what the other tests rely on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.components import KubernetesServer, QueueProxyServer
from tests.components.http import HttpError, request_json
from tests.components.process import free_ports


def job(name: str, image: str) -> dict[str, object]:
    container = {"name": "main", "image": image}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"backoffLimit": 0, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def conditions(server: KubernetesServer, name: str) -> Callable[[], set[str]]:
    def read() -> set[str]:
        found = server.endpoint.request("GET", f"/apis/batch/v1/namespaces/default/jobs/{name}")
        return {each["type"] for each in found["status"].get("conditions", [])}

    return read


@pytest.mark.parametrize(("tag", "end", "phase"), [("1.0", "Complete", "Succeeded"), ("fails", "Failed", "Failed")])
def test_a_job_makes_a_pod_that_ends_as_its_tag_says(
    kubernetes: KubernetesServer, unique_name: str, tag: str, end: str, phase: str
) -> None:
    api = kubernetes.endpoint
    api.request("POST", "/apis/batch/v1/namespaces/default/jobs", job(unique_name, f"penstock:{tag}"))
    read = conditions(kubernetes, unique_name)
    kubernetes.wait_until(lambda: end in read(), f"a job that is {end}")
    pods = api.request("GET", f"/api/v1/namespaces/default/pods?labelSelector=job-name={unique_name}")["items"]
    assert [pod["status"]["phase"] for pod in pods] == [phase]
    kubernetes.write_pod_log("first line\nsecond line\n")
    log = api.request("GET", f"/api/v1/namespaces/default/pods/{pods[0]['metadata']['name']}/log")
    assert log == "first line\nsecond line\n"


def test_a_service_account_may_do_nothing_without_a_role(kubernetes: KubernetesServer, unique_name: str) -> None:
    api = kubernetes.endpoint
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": unique_name}}
    api.request("POST", "/api/v1/namespaces/default/serviceaccounts", account)
    token = api.service_account_token("default", unique_name)
    with pytest.raises(HttpError, match="cannot list resource"):
        api.request("GET", "/api/v1/namespaces/default/pods", token=token)


def test_kubernetes_keeps_its_objects_through_a_kill(tmp_path: Path, unique_name: str) -> None:
    with KubernetesServer(tmp_path) as server:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": unique_name}}
        server.endpoint.request("POST", "/api/v1/namespaces", namespace)
        server.kill()
        server.restart()
        found = server.endpoint.request("GET", f"/api/v1/namespaces/{unique_name}")
        assert found["metadata"]["name"] == unique_name


def test_queue_proxy_passes_requests_on_and_ends_slow_ones(tmp_path: Path, httpserver: HTTPServer) -> None:
    release = threading.Event()

    def slow(_request: Request) -> Response:
        release.wait(30)
        return Response("late")

    httpserver.expect_request("/_/ready").respond_with_data()
    httpserver.expect_request("/echo", method="POST").respond_with_handler(lambda request: Response(request.data))
    httpserver.expect_request("/slow").respond_with_handler(slow)
    with QueueProxyServer(httpserver.port, tmp_path, timeout_seconds=1, readiness_path="/_/ready") as server:
        server.wait_until(server.app_is_ready, "ready with its application")
        assert request_json("POST", f"{server.endpoint.url}/echo", "a body") == '"a body"'
        try:
            with pytest.raises(HttpError, match="request timeout") as error:
                request_json("GET", f"{server.endpoint.url}/slow")
        finally:
            release.set()
        assert error.value.status == 504


def test_queue_proxy_without_its_application_is_not_ready(tmp_path: Path) -> None:
    with QueueProxyServer(free_ports(1)[0], tmp_path) as server:
        assert not server.app_is_ready()
