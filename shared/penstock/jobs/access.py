"""Where the Kubernetes API is and who we are there: a pod's service account, a kubeconfig, or flags."""

import base64
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.errors import ConfigError
from penstock.settings.table import KUBERNETES_SERVICE_PORT, SERVICE_ACCOUNT_DIR


@dataclass(frozen=True, slots=True)
class Access:
    """A server's URL, the namespace to work in, and what to present.

    `token_file` is read for every request, because the kubelet renews it; `ca` is PEM text.
    """

    server: str
    namespace: str
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    ca: str = ""
    client_certificate: str = ""
    client_key: str = field(default="", repr=False)

    def bearer(self) -> str:
        """The token to present now, or "" when there is none; raises `ConfigError`."""
        if self.token_file is None:
            return self.token
        return read_text(self.token_file).strip()

    def ssl_context(self) -> ssl.SSLContext | None:
        """Verifies the server, always; None for plain http, which only a local `kubectl proxy` speaks."""
        if not self.server.startswith("https://"):
            return None
        try:
            context = ssl.create_default_context(cadata=self.ca or None)
            if self.client_certificate:
                _load_client_certificate(context, self.client_certificate, self.client_key)
        except (ssl.SSLError, ValueError) as exc:
            raise ConfigError(f"Kubernetes API {self.server}: a certificate or key cannot be read: {exc}") from exc
        return context


def find_access(env: Mapping[str, str], namespace: str = "", context: str = "") -> Access:
    """The API that `KUBECONFIG` names, else the cluster that this pod runs in, else `~/.kube/config`.

    Raises `ConfigError` when there is none.
    """
    if env.get("KUBECONFIG"):
        return read_kubeconfig(Path(env["KUBECONFIG"].split(os.pathsep)[0]), namespace, context)
    if host := env.get("KUBERNETES_SERVICE_HOST"):
        folder = Path(SERVICE_ACCOUNT_DIR.value(env))
        host = f"[{host}]" if ":" in host else host
        token_file = folder / "token"
        if not token_file.is_file():
            raise ConfigError(f"{token_file}: no such file: give this pod a service account and let it mount its token")
        return Access(
            f"https://{host}:{KUBERNETES_SERVICE_PORT.value(env)}",
            namespace or read_text(folder / "namespace").strip(),
            token_file=token_file,
            ca=read_text(folder / "ca.crt"),
        )
    usual = Path(env.get("HOME", ""), ".kube", "config")
    if usual.is_file():
        return read_kubeconfig(usual, namespace, context)
    raise ConfigError(
        "no Kubernetes API: run in a pod with a service account, set KUBECONFIG, or name --server and --token-file"
    )


def read_kubeconfig(path: Path, namespace: str = "", context: str = "") -> Access:
    """The current context (or `context`) of a kubeconfig: tokens and client certificates, no login plug-ins.

    https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. Raises `ConfigError`.
    """
    try:
        import yaml
    except ModuleNotFoundError as exc:
        raise ConfigError(f"{path}: reading it needs PyYAML; install it with: pip install 'penstock[stack]'") from exc
    try:
        document = yaml.safe_load(read_text(path))
    except yaml.YAMLError as exc:
        raise ConfigError(f"{path}: not YAML: {exc}") from exc
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a kubeconfig")
    chosen = _named(document, "contexts", "context", context or document.get("current-context") or "", path)
    cluster = _named(document, "clusters", "cluster", chosen.get("cluster", ""), path)
    user = _named(document, "users", "user", chosen.get("user", ""), path) if chosen.get("user") else {}
    if cluster.get("insecure-skip-tls-verify"):
        raise ConfigError(f"{path}: insecure-skip-tls-verify is not supported; give certificate-authority")
    unsupported = {"exec", "auth-provider", "username"} & user.keys()
    if unsupported:
        raise ConfigError(
            f"{path}: logs in by {', '.join(sorted(unsupported))}, which only kubectl does; "
            "run `kubectl proxy` and give --server http://127.0.0.1:8001"
        )
    server = str(cluster.get("server", ""))
    if not server.startswith(("https://", "http://")):
        raise ConfigError(f"{path}: server {server!r}: expected a URL")
    return Access(
        server.rstrip("/"),
        namespace or str(chosen.get("namespace") or "default"),
        token=str(user.get("token", "")),
        token_file=path.parent / user["tokenFile"] if user.get("tokenFile") else None,
        ca=_text_or_file(cluster, "certificate-authority", path),
        client_certificate=_text_or_file(user, "client-certificate", path),
        client_key=_text_or_file(user, "client-key", path),
    )


def _named(document: Mapping[str, Any], group: str, member: str, name: str, path: Path) -> Mapping[str, Any]:
    entries = document.get(group)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("name") == name:
            found = entry.get(member) or {}
            if isinstance(found, dict):
                return found
    raise ConfigError(f"{path}: has no {member} {name!r}")


def _text_or_file(entry: Mapping[str, Any], name: str, path: Path) -> str:
    """The member `name`-data (base64), else the content of the file that `name` names, relative to `path`."""
    if data := entry.get(f"{name}-data"):
        try:
            return base64.b64decode(data, validate=True).decode()
        except ValueError as exc:
            raise ConfigError(f"{path}: {name}-data is not base64 of text") from exc
    return read_text(path.parent / entry[name]) if entry.get(name) else ""


def read_text(path: Path) -> str:
    """The file's text; raises `ConfigError`."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not text") from exc


def _load_client_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """`SSLContext` takes these from a file only, so they are one for a moment, readable by nobody else."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem", encoding="utf-8") as file:
        file.write(f"{certificate}\n{key}\n")
        file.flush()
        context.load_cert_chain(file.name)
