"""Functions as the Kubernetes API tells of them: Knative's Services, and Deployments without Knative."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from penstock.errors import TemporaryError
from penstock.jobs.access import ClusterAccess
from penstock.jobs.api import KubernetesApi
from penstock.local.console.remote.platform import KubernetesPlatform
from pytest_httpserver import HTTPServer as Peer

from tests.manifests import documents_in
from tests.paths import ROOT

LABELS = {"app.kubernetes.io/component": "function", "app.kubernetes.io/part-of": "penstock"}
KNATIVE = "/apis/serving.knative.dev/v1/namespaces/lake/services"
DEPLOYMENTS = "/apis/apps/v1/namespaces/lake/deployments"
PODS = "/api/v1/namespaces/lake/pods"


def services() -> Iterator[dict[str, Any]]:
    """The Services that `penstock render knative` makes of the repository's stack file, as a cluster has them."""
    for path in sorted((ROOT / "deploy/knative/base").glob("function-*.yaml")):
        for document in documents_in(path):
            if document["kind"] == "Service":
                name = document["metadata"]["name"]
                yield document | {"status": {"address": {"url": f"http://{name}.lake.svc.cluster.local"}}}


def deployment(name: str, *, wanted: int, ready: int, service: str = "", source: str = "") -> dict[str, Any]:
    labels = LABELS | {"app.kubernetes.io/name": service or name}
    own = {"serving.knative.dev/service": service} if service else {}
    container = {"name": "function", "image": "example/own:1", "env": [{"name": "SOURCE", "value": source}]}
    pod = {"containers": [{"name": "proxy"}, container], "volumes": [{"secret": {"secretName": "minio"}}]}
    return {
        "metadata": {"name": name, "labels": labels | own},
        "spec": {"replicas": wanted, "template": {"spec": pod}},
        "status": {"readyReplicas": ready},
    }


def answers(peer: Peer, path: str, items: list[dict[str, Any]]) -> None:
    peer.expect_request(path).respond_with_json({"metadata": {}, "items": items})


@pytest.fixture(name="platform")
def platform_fixture(httpserver: Peer) -> KubernetesPlatform:
    return KubernetesPlatform(KubernetesApi(ClusterAccess(httpserver.url_for("/").rstrip("/"), "lake")))


def test_what_is_rendered_for_knative_is_read_back(httpserver: Peer, platform: KubernetesPlatform) -> None:
    answers(httpserver, KNATIVE, list(services()))
    revision = deployment("compress-00001-deployment", wanted=2, ready=1, service="compress")
    answers(httpserver, DEPLOYMENTS, [revision])

    found = {each.spec.name: each for each in platform.functions()}
    assert {"compress", "resize", "index"} == found.keys()
    assert (found["compress"].replicas, found["compress"].starting) == (1, True)
    assert (found["resize"].replicas, found["resize"].starting) == (0, False)
    assert found["compress"].spec.environment["SOURCE"] == "s3://upload/*.csv"
    assert found["compress"].url == "http://compress.lake.svc.cluster.local"
    assert [str(rule) for rule in found["compress"].spec.config().sources]


def test_a_cluster_without_knative_has_deployments(httpserver: Peer, platform: KubernetesPlatform) -> None:
    httpserver.expect_request(KNATIVE).respond_with_json({"kind": "Status", "metadata": {}}, 404)
    answers(httpserver, DEPLOYMENTS, [deployment("shout", wanted=3, ready=3, source="s3://upload/*.txt")])
    [found] = platform.functions()
    assert (found.spec.name, found.replicas, found.url) == ("shout", 3, "http://shout.lake.svc")
    assert (found.spec.image, found.spec.secrets) == ("example/own:1", ("minio",))
    assert found.spec.environment == {"SOURCE": "s3://upload/*.txt"}


def test_lines_of_all_pods_are_in_order(httpserver: Peer, platform: KubernetesPlatform) -> None:
    answers(httpserver, PODS, [{"metadata": {"name": name}} for name in ("one", "two")])

    def line(second: int, text: str) -> str:
        return json.dumps({"time": f"2026-01-01T00:00:{second:02}.000+00:00", "message": text})

    httpserver.expect_request(f"{PODS}/one/log").respond_with_data(f"started\n{line(1, 'a')}\n{line(5, 'c')}\n")
    httpserver.expect_request(f"{PODS}/two/log").respond_with_data(f"{line(3, 'b')}\n")
    texts = [json.loads(each.text)["message"] for each in platform.lines("compress", tail=3)]
    assert texts == ["a", "b", "c"]
    late = platform.lines("compress", tail=3, since=datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC))
    assert [json.loads(each.text)["message"] for each in late] == ["b", "c"]


def test_an_api_that_refuses_is_told_and_no_function_is_made_up(httpserver: Peer, platform: KubernetesPlatform) -> None:
    httpserver.expect_request(DEPLOYMENTS).respond_with_json({"message": "not allowed"}, 403)
    with pytest.raises(TemporaryError, match="403"):
        platform.functions()
