"""The requests of faas-cli's commands, as its published source makes them, and what this gateway answers.

Source: openfaas/go-sdk client.go (paths, methods, bodies) for `secret`, `namespace`, `ready`, `describe`, `logs`;
openfaas/faas-cli commands/diff.go for what `diff` compares; commands/ready.go for what `ready` waits for.
"""

import json
from typing import Any

from penstock.local.functions.function import Settings
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.access import Access

from tests.unit.local.conftest import PROGRAM, Bench, until
from tests.unit.local.gateway.conftest import Running

IMAGE = "example/echo:1"


def deploy(gateway: Running, **fields: Any) -> int:
    document = {"service": "echo", "image": IMAGE, **fields}
    return gateway.request("PUT", "/system/functions", document).status


def test_a_deployment_that_lists_an_unknown_secret_is_refused(gateway: Running) -> None:
    document = {"service": "echo", "image": IMAGE, "secrets": ["nowhere"]}
    answer = gateway.request("PUT", "/system/functions", document)
    assert answer.status == 400
    assert answer.text.startswith(
        "unable to fetch secrets: there is no secret 'nowhere'; make it with: faas-cli secret"
    )
    assert deploy(gateway, secrets=["minio-access-key"]) == 202


def test_ready_waits_for_one_replica_which_comes_after_a_deployment(gateway: Running) -> None:
    assert gateway.request("GET", "/system/function/echo").json["availableReplicas"] == 0
    assert deploy(gateway) == 202
    until(lambda: gateway.request("GET", "/system/function/echo").json["availableReplicas"] > 0)
    assert gateway.functions.get("echo").invocations == 0


def test_a_deployed_function_that_cannot_start_says_so_in_its_log(gateway: Running) -> None:
    assert deploy(gateway, envVars={"EXIT": "78"}) == 202
    log = gateway.functions.get("echo").logs
    until(lambda: any("penstock: echo: the function exited with code 78" in line.text for line in log.tail(-1)))


def attributes(status: dict[str, Any]) -> dict[str, str]:
    """What `faas-cli diff` compares, of the stack file as of the list."""
    found = {"image": status["image"], "readonly_root_filesystem": str(status.get("readOnlyRootFilesystem", False))}
    found |= {f"env.{name}": value for name, value in (status.get("envVars") or {}).items()}
    found |= {f"secret.{name}": "present" for name in status.get("secrets") or ()}
    found |= {f"constraint.{name}": "present" for name in status.get("constraints") or ()}
    found |= {f"label.{name}": value for name, value in (status.get("labels") or {}).items()}
    found |= {f"annotation.{name}": value for name, value in (status.get("annotations") or {}).items()}
    for kind in ("limits", "requests"):
        found |= {f"{kind}.{name}": value for name, value in (status.get(kind) or {}).items() if value}
    return found


def difference(gateway: Running, document: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    listed = {each["name"]: each for each in gateway.request("GET", "/system/functions").json}
    left, right = attributes(document), attributes(listed["echo"])
    names = sorted(left.keys() | right.keys())
    # In the mode `local`, the default, settings that only the deployment has are left out.
    return {
        name: (left.get(name), right.get(name))
        for name in names
        if left.get(name) != right.get(name) and not (name.startswith("env.") and name not in left)
    }


def test_diff_is_clean_after_a_deployment_and_shows_what_really_differs(gateway: Running) -> None:
    document = {
        "service": "echo",
        "image": IMAGE,
        "envVars": {"SOURCE": "s3://upload/*.csv", "SINK": "s3://processed/{key}.gz", "KEPT": "here"},
        "secrets": ["minio-access-key"],
        "labels": {"team": "lake"},
        "annotations": {"topic": "upload"},
        "limits": {"memory": "256Mi", "cpu": "1000m"},
        "requests": {"memory": "64Mi"},
        "readOnlyRootFilesystem": True,
    }
    assert deploy(gateway, **document) == 202
    assert difference(gateway, document) == {}
    changed = {**document, "envVars": {**document["envVars"], "SINK": "s3://processed/{key}.gzip"}}  # type: ignore[dict-item]
    assert difference(gateway, changed) == {
        "env.SINK": ("s3://processed/{key}.gzip", "s3://processed/{key}.gz"),
    }
    assert deploy(gateway, **changed) == 202
    assert difference(gateway, changed) == {}
    # What is used is another thing, and `describe` tells it.
    described = gateway.request("GET", "/system/function/echo?usage=1").json["envVars"]
    assert (described["KEPT"], described["SINK"]) == ("ours", "s3://processed/{key}.gzip")


def test_describe_names_the_store_that_is_used_and_no_credentials(bench: Bench) -> None:
    command = ["python3", "-S", str(PROGRAM)]
    store = {"MINIO_ENDPOINT": "http://127.0.0.1:9", "MINIO_ACCESS_KEY": "access", "MINIO_SECRET_KEY": "hidden"}
    spec = bench.spec(MINIO_ENDPOINT="http://minio.minio.svc.cluster.local")
    functions = LocalFunctions({"echo": spec}, Settings(bench.folder / "data", store, lambda _: command))
    gateway = Running(bench, functions, Access())
    try:
        described = gateway.request("GET", "/system/function/echo").json["envVars"]
        assert described["MINIO_ENDPOINT"] == "http://127.0.0.1:9"
        assert "MINIO_SECRET_KEY" not in described
        assert "MINIO_ACCESS_KEY" not in described
    finally:
        gateway.close()
        functions.stop()


def test_namespace_get_create_update_and_delete(gateway: Running) -> None:
    found = gateway.request("GET", "/system/namespace/openfaas-fn")
    assert found.json == {"name": "openfaas-fn", "labels": {}, "annotations": {}}
    assert gateway.request("GET", "/system/namespace/other").status == 404
    made = {"labels": {"openfaas": "1"}, "annotations": {"openfaas": "1"}}
    assert gateway.request("POST", "/system/namespace/", {"name": "openfaas-fn", **made}).status == 409
    refused = gateway.request("POST", "/system/namespace/", {"name": "team", **made})
    assert (refused.status, refused.text) == (
        501,
        "this stack has one namespace, openfaas-fn; more of them need a paid edition of OpenFaaS\n",
    )
    for method in ("PUT", "DELETE"):
        assert gateway.request(method, "/system/namespace/openfaas-fn", {"name": "openfaas-fn"}).status == 501
        assert gateway.request(method, "/system/namespace/other", {"name": "other"}).status == 404


def test_logs_tell_direct_calls_and_leave_events_to_the_function(gateway: Running) -> None:
    gateway.request("POST", "/function/echo/report.csv?x=1", b"a,b\n")
    gateway.request("POST", "/function/echo/event", b"{}")
    log = gateway.functions.get("echo").logs
    until(lambda: any(line.text.startswith("POST ") for line in log.tail(-1)))
    until(lambda: len(gateway.invocations.recent()) == 2)
    lines = [json.loads(line) for line in gateway.request("GET", "/system/logs?name=echo&tail=-1").body.splitlines()]
    calls = [line for line in lines if line["text"].startswith("POST ")]
    assert [line["text"].partition(" - ")[0] for line in calls] == ["POST /report.csv?x=1"]
    assert calls[0]["instance"].startswith("echo-")
