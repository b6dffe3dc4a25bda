"""NetworkPolicies that hold for real packets, and Pod Security that refuses real pods."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
import urllib3

from tests.cluster.lake import CONNECTORS_IMAGE, NAMESPACE, ClusterLake
from tests.components.errors import ComponentError

_CALL = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 4); print('connected')"


def call(lake: ClusterLake, namespace: str, address: str, port: int) -> str:
    """Let a pod of another namespace connect to an address: "connected", or the error's name."""
    name = f"caller-{port}"
    command = ["python", "-c", _CALL, address, str(port)]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "caller", "image": CONNECTORS_IMAGE, "command": command}],
        },
    }
    lake.server.apply_documents([pod])
    try:
        phase = ("-n", namespace, "get", "pod", name, "-o", "jsonpath={.status.phase}")
        lake.wait_until(lambda: lake.kubectl(*phase) in ("Succeeded", "Failed"), "the caller has ended")
        last: str = lake.kubectl("-n", namespace, "logs", name).strip().splitlines()[-1]
        return last
    finally:
        lake.kubectl("-n", namespace, "delete", "pod", name, "--force", "--grace-period=0")


@contextmanager
def kept_awake(lake: ClusterLake, function: str) -> Iterator[str]:
    """Ask a function again and again, so that its pod stays; yields the address of that pod."""
    ended = threading.Event()

    def ask_on() -> None:
        while not ended.wait(1):
            with suppress(urllib3.exceptions.HTTPError):  # a pod that ends closes its connections
                lake.ask(function, "/?q=nothing")

    def living() -> list[str]:
        # A pod of before may still be ending, which lets no one in.
        pods = [each for each in lake.pods(function) if "deletionTimestamp" not in each["metadata"]]
        return [each["status"]["podIP"] for each in pods if each["status"].get("podIP")]

    lake.ask(function, "/?q=nothing")
    with ThreadPoolExecutor(1) as pool:
        questions = pool.submit(ask_on)
        try:
            lake.wait_until(lambda: len(living()) == 1, f"one pod of {function} stays")
            yield living()[0]
        finally:
            ended.set()
            questions.result()


@pytest.fixture(scope="module")
def bridge(lake: ClusterLake) -> str:
    """The address of the bridge's pod."""
    return lake.kubectl("-n", NAMESPACE, "get", "pod", "penstock-bridge-0", "-o", "jsonpath={.status.podIP}")


def test_stranger_cannot_reach_the_bridge_and_the_store_can(lake: ClusterLake, bridge: str) -> None:
    lake.kubectl("create", "namespace", "stranger")
    assert call(lake, "minio", bridge, 8080) == "connected"
    assert call(lake, "stranger", bridge, 8080) == "TimeoutError: timed out"
    # The Service leads to the same pod, so it must be closed too.
    assert call(lake, "stranger", f"penstock-bridge.{NAMESPACE}.svc.cluster.local", 80) == "TimeoutError: timed out"


def test_stranger_cannot_reach_a_function_past_knative(lake: ClusterLake) -> None:
    """Neither queue-proxy's port nor the function's own; Knative's namespaces are let through to the first only."""
    with kept_awake(lake, "index") as address:
        assert call(lake, "stranger", address, 8012) == "TimeoutError: timed out"
        assert call(lake, "stranger", address, 8080) == "TimeoutError: timed out"
        assert call(lake, "knative-serving", address, 8012) == "connected"


@pytest.mark.parametrize(("address", "port"), [("10.96.0.1", 443), ("10.200.0.1", 6443), ("10.200.0.1", 10250)])
def test_bridge_reaches_neither_the_api_server_nor_the_kubelet(lake: ClusterLake, address: str, port: int) -> None:
    with pytest.raises(ComponentError, match="timed out"):
        lake.kubectl("-n", NAMESPACE, "exec", "penstock-bridge-0", "--", "python", "-c", _CALL, address, str(port))


def test_no_pod_of_the_lake_is_less_than_restricted(lake: ClusterLake) -> None:
    namespace = json.loads(lake.kubectl("get", "namespace", NAMESPACE, "-o", "json"))
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert lake.pods("penstock-bridge", "bridge")
    privileged = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "privileged", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "x", "image": CONNECTORS_IMAGE, "securityContext": {"privileged": True}}]},
    }
    with pytest.raises(ComponentError, match='violates PodSecurity "restricted'):
        lake.server.apply_documents([privileged])
