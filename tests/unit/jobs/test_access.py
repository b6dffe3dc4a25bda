"""Where the Kubernetes API is: in a pod, by a kubeconfig."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from penstock.errors import ConfigError
from penstock.jobs.access import ClusterAccess, find_access, read_kubeconfig

PLAIN: dict[str, Any] = {
    "current-context": "here",
    "contexts": [
        {"name": "here", "context": {"cluster": "c", "user": "u"}},
        {"name": "there", "context": {"cluster": "c", "user": "u", "namespace": "lake"}},
    ],
    "clusters": [{"name": "c", "cluster": {"server": "https://api.test:6443/"}}],
    "users": [{"name": "u", "user": {"token": "abc"}}],
}


@pytest.fixture
def pod(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a pod whose service account is mounted."""
    for name in ("token", "ca.crt", "namespace"):
        (tmp_path / name).write_text(f"the {name}\n")
    return {
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "KUBERNETES_SERVICE_PORT": "6443",
        "SERVICE_ACCOUNT_DIR": str(tmp_path),
    }


def written(folder: Path, **changes: Any) -> Path:
    file = folder / "config"
    file.write_text(yaml.safe_dump({**PLAIN, **changes}))
    return file


def test_a_pod_uses_its_service_account(pod: Mapping[str, str]) -> None:
    access = find_access(pod)
    assert (access.server, access.namespace, access.ca) == ("https://10.0.0.1:6443", "the namespace", "the ca.crt\n")
    assert access.bearer() == "the token"


def test_a_token_is_read_anew_because_the_kubelet_renews_it(pod: Mapping[str, str]) -> None:
    access = find_access(pod)
    Path(pod["SERVICE_ACCOUNT_DIR"], "token").write_text("the next\n")
    assert access.bearer() == "the next"


def test_an_ipv6_address_is_put_in_brackets(pod: Mapping[str, str]) -> None:
    assert find_access({**pod, "KUBERNETES_SERVICE_HOST": "fd00::1"}).server == "https://[fd00::1]:6443"


def test_a_pod_without_a_token_is_told_what_to_mount(pod: Mapping[str, str]) -> None:
    Path(pod["SERVICE_ACCOUNT_DIR"], "token").unlink()
    with pytest.raises(ConfigError, match="give this pod a service account"):
        find_access(pod)


def test_a_named_namespace_goes_before_the_pods_own(pod: Mapping[str, str]) -> None:
    assert find_access(pod, "lake").namespace == "lake"


def test_a_kubeconfig_goes_before_the_pod(pod: Mapping[str, str], tmp_path: Path) -> None:
    access = find_access({**pod, "KUBECONFIG": str(written(tmp_path))})
    assert access == ClusterAccess("https://api.test:6443", "default", token="abc")


def test_the_usual_kubeconfig_is_found_last(tmp_path: Path) -> None:
    folder = tmp_path / ".kube"
    folder.mkdir()
    written(folder)
    assert find_access({"HOME": str(tmp_path)}).token == "abc"
    with pytest.raises(ConfigError, match="no Kubernetes API"):
        find_access({"HOME": str(folder)})


def test_another_context_can_be_named(tmp_path: Path) -> None:
    assert read_kubeconfig(written(tmp_path), context="there").namespace == "lake"
    assert read_kubeconfig(written(tmp_path), "mine", context="there").namespace == "mine"


def test_certificates_are_files_beside_the_kubeconfig_or_data_in_it(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("the authority")
    cluster = {"server": "https://api.test", "certificate-authority": "ca.pem"}
    user = {"client-certificate-data": base64.b64encode(b"cert").decode(), "client-key-data": "a2V5", "tokenFile": "t"}
    access = read_kubeconfig(
        written(tmp_path, clusters=[{"name": "c", "cluster": cluster}], users=[{"name": "u", "user": user}])
    )
    assert (access.ca, access.client_certificate, access.client_key) == ("the authority", "cert", "key")
    assert access.token_file == tmp_path / "t"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"current-context": "nowhere"}, "has no context 'nowhere'"),
        ({"clusters": []}, "has no cluster 'c'"),
        ({"clusters": "c"}, "has no cluster 'c'"),
        ({"clusters": [{"name": "c", "cluster": "https://a"}]}, "has no cluster 'c'"),
        ({"clusters": [{"name": "c", "cluster": {"server": "api"}}]}, "expected a URL"),
        (
            {"clusters": [{"name": "c", "cluster": {"server": "https://a", "insecure-skip-tls-verify": True}}]},
            "give certificate-authority",
        ),
        (
            {"clusters": [{"name": "c", "cluster": {"server": "https://a", "certificate-authority-data": "%"}}]},
            "not base64",
        ),
        ({"users": [{"name": "u", "user": {"exec": {"command": "login"}}}]}, "kubectl proxy"),
        ({"users": [{"name": "u", "user": {"client-key": "nowhere.pem"}}]}, "No such file"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_says_why(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_kubeconfig(written(tmp_path, **changes))


@pytest.mark.parametrize("text", ["[", "- a\n", ""])
def test_what_is_no_kubeconfig_is_a_config_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(ConfigError, match=r"not YAML|expected a kubeconfig"):
        read_kubeconfig(tmp_path / "config")


def test_a_file_that_is_no_text_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not text"):
        read_kubeconfig(tmp_path / "config")


def test_a_certificate_that_is_none_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        ClusterAccess("https://api.test", "lake", client_certificate="x", client_key="y").ssl_context()


def test_a_token_is_not_shown() -> None:
    assert "abc" not in repr(ClusterAccess("https://api.test", "lake", token="abc", client_key="abc"))
