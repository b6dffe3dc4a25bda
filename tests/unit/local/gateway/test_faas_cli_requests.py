"""The requests of faas-cli's commands, as its published source makes them, and what this gateway answers.

Source: openfaas/go-sdk client.go (paths, methods, bodies) for `secret`, `namespace`, `ready`, `describe`, `logs`;
openfaas/faas-cli commands/diff.go for what `diff` compares; commands/ready.go for what `ready` waits for.
"""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from penstock.local.functions.functions import LocalFunctions, Settings
from penstock.local.functions.secret_files import SecretFiles
from penstock.local.gateway.access import Access

from tests.unit.local.conftest import PROGRAM, Bench, until
from tests.unit.local.gateway.test_gateway import Running, gateway_fixture  # noqa: F401 - the fixture `gateway`
from tests.unit.local.gateway.test_gateway import functions_fixture as _functions

functions_fixture = _functions
IMAGE = "example/echo:1"


def secret(gateway: Running, method: str, **fields: str) -> int:
    return gateway.request(method, "/system/secrets", fields).status


def kept(gateway: Running) -> Path:
    return gateway.bench.folder / "secrets" / "kept"


def test_secret_create_list_update_and_remove(gateway: Running) -> None:
    named = {"name": "token", "namespace": "openfaas-fn"}
    assert secret(gateway, "POST", **named, value="first") == 202
    assert secret(gateway, "POST", **named, value="again") == 409
    assert gateway.request("GET", "/system/secrets?namespace=openfaas-fn").json == [
        {"name": "minio-access-key", "namespace": "openfaas-fn"},
        {"name": "token", "namespace": "openfaas-fn"},
    ]
    raw = base64.b64encode(b"\x00\xff").decode()
    assert secret(gateway, "PUT", **named, rawValue=raw) == 202
    file = kept(gateway) / "token"
    assert file.read_bytes() == b"\x00\xff"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept(gateway).stat().st_mode) == 0o700
    assert secret(gateway, "DELETE", **named) == 202
    assert secret(gateway, "DELETE", **named) == 404
    assert secret(gateway, "PUT", **named, value="x") == 404
    assert not file.exists()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"value": "x"}, 400),
        ({"name": "../escape", "value": "x"}, 400),
        ({"name": ".hidden", "value": "x"}, 400),
        ({"name": "UPPER", "value": "x"}, 400),
        ({"name": "a", "namespace": "other", "value": "x"}, 400),
        ({"name": "a", "rawValue": "not base64"}, 400),
        ({"name": "a", "value": "x" * (1024 * 1024 + 1)}, 400),
        ({"name": "minio-access-key", "value": "x"}, 409),
    ],
)
def test_a_secret_that_the_platform_would_not_keep_is_refused(
    gateway: Running, fields: dict[str, str], status: int
) -> None:
    assert secret(gateway, "POST", **fields) == status
    assert [path.name for path in kept(gateway).iterdir()] == ["minio-access-key"]


def test_the_stores_own_secrets_stay(gateway: Running) -> None:
    assert secret(gateway, "PUT", name="minio-access-key", value="x") == 409
    assert secret(gateway, "DELETE", name="minio-access-key") == 409
    assert (kept(gateway) / "minio-access-key").read_text() == "own"


def test_a_function_finds_the_secrets_that_it_lists_and_no_others(bench: Bench, tmp_path: Path) -> None:
    files = SecretFiles(tmp_path / "secrets", {})
    files.create("mine", b"one")
    files.create("other", b"two")
    spec = bench.spec()
    listing = type(spec)(**{name: getattr(spec, name) for name in spec.__slots__} | {"secrets": ("mine", "mine")})
    command = ["python3", "-S", str(PROGRAM)]
    folder = files.mount(listing)
    functions = LocalFunctions(
        {"echo": listing}, Settings(bench.folder / "data", {}, lambda _: command, secrets=files.mount)
    )
    try:
        assert [path.name for path in folder.iterdir()] == ["mine"]
        assert (folder / "mine").read_bytes() == b"one"
        files.replace("mine", b"new")
        assert (folder / "mine").read_bytes() == b"new"
        functions.get("echo").start()
        pid = functions.get("echo").pid
        environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert f"SECRETS_DIR={folder}".encode() in environ
    finally:
        functions.stop()


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
