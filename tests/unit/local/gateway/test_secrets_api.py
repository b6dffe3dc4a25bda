"""Secrets as faas-cli creates, lists and removes them."""

import base64
import stat
from pathlib import Path

import pytest

from tests.unit.local.gateway.conftest import Running


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
