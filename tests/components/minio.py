"""A real MinIO server, and `mc` against it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import urllib3
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioException

from tests.components.certificates import Certificates, make_certificates
from tests.components.install import GoProgram
from tests.components.process import LOOPBACK, Server, free_ports
from tests.uploads import UploadsClient

# The last commit of the community repository that the Go proxy serves, and the mc release it vendors nothing newer of.
MINIO = GoProgram("minio", "github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c")
MC = GoProgram("mc", "github.com/minio/mc", "v0.0.0-20250313080218-cf909e1063a9")

_BANNER = b"\nAPI: http"  # printed once per start, and again after a service restart


@dataclass(frozen=True, slots=True)
class MinioEndpoint:
    """What a client needs: `endpoint` is host:port as minio-py wants it, `url` has the scheme."""

    endpoint: str
    url: str
    access_key: str
    secret_key: str
    region: str
    ca_file: Path | None

    @property
    def secure(self) -> bool:
        return self.ca_file is not None

    def client(self) -> UploadsClient:
        """A new minio-py client with the root credentials, trusting the server's own authority under TLS."""
        return UploadsClient(
            endpoint=self.endpoint,
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=self.secure,
            region=self.region,
            http_client=self._pool(),
        )

    def admin(self) -> MinioAdmin:
        """A new client of MinIO's admin API."""
        return MinioAdmin(
            endpoint=self.endpoint,
            credentials=StaticProvider(self.access_key, self.secret_key),
            region=self.region,
            secure=self.secure,
            http_client=self._pool(),
        )

    def _pool(self) -> urllib3.PoolManager:
        return urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=5, read=60), retries=False, ca_certs=str(self.ca_file or "") or None
        )


class MinioServer(Server[MinioEndpoint]):
    """MinIO on one folder.

    `env` adds variables such as `MINIO_NOTIFY_WEBHOOK_ENABLE_<ID>`; `tls` serves HTTPS with a certificate of a new
    private authority (`endpoint.ca_file`). The S3 API waits for the notification targets here (MINIO_SYNC_BOOT): by
    default cmd/server-main.go starts them in a goroutine beside it. Set it to "off" in `env` for the product's default.
    """

    name = "minio"

    def __init__(self, folder: Path | None = None, *, env: Mapping[str, str] | None = None, tls: bool = False) -> None:
        super().__init__(folder)
        self._extra_env = dict(env or {})
        self._tls = tls
        self._certificates: Certificates | None = None

    def install(self) -> None:
        self._program = MINIO.install()

    def prepare(self) -> MinioEndpoint:
        (self.port,) = free_ports(1)
        certs = self.folder / "certs"
        certs.mkdir(exist_ok=True)
        if self._tls and self._certificates is None:
            made = self._certificates = make_certificates(self.folder / "authority")
            (certs / "public.crt").write_bytes(made.cert_file.read_bytes())
            (certs / "private.key").write_bytes(made.key_file.read_bytes())
        return MinioEndpoint(
            endpoint=f"{LOOPBACK}:{self.port}",
            url=f"{'https' if self._tls else 'http'}://{LOOPBACK}:{self.port}",
            access_key="penstock-root",
            secret_key="penstock-root-secret",
            region="us-east-1",
            ca_file=self._certificates.ca_file if self._certificates else None,
        )

    def launch(self) -> None:
        endpoint = self.endpoint
        env = {
            "MINIO_ROOT_USER": endpoint.access_key,
            "MINIO_ROOT_PASSWORD": endpoint.secret_key,
            "MINIO_BROWSER": "off",  # saves the console's port
            "MINIO_UPDATE": "off",  # no look-ups outside
            "MINIO_SYNC_BOOT": "on",
            **self._extra_env,
        }
        options = ["--address", endpoint.endpoint, "--certs-dir", str(self.folder / "certs")]
        self.run("minio", [self._program, "server", *options, self.folder / "data"], env)

    def is_ready(self) -> bool:
        if not self.listens_on(self.port):
            return False
        try:
            self.endpoint.client().list_buckets()
        except (MinioException, urllib3.exceptions.HTTPError):
            return False
        return True

    def service_restart(self) -> None:
        """Ask for a restart over the admin API and wait for it; MinIO keeps its pid (it execs itself)."""
        log = self.children[0].log
        starts = log.read_bytes().count(_BANNER)
        self.endpoint.admin().service_restart()
        self.wait_until(lambda: log.read_bytes().count(_BANNER) > starts and self.is_ready(), "restarted")

    def mc(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `mc`; the server's alias is `lake`, so an object is `lake/bucket/key`."""
        endpoint = self.endpoint
        scheme, host = endpoint.url.split("://")
        config = self.folder / "mc"
        if endpoint.ca_file:
            (config / "certs" / "CAs").mkdir(parents=True, exist_ok=True)
            (config / "certs" / "CAs" / "ca.crt").write_bytes(endpoint.ca_file.read_bytes())
        alias = {"MC_HOST_lake": f"{scheme}://{endpoint.access_key}:{endpoint.secret_key}@{host}"}
        argv = [str(MC.install()), "--config-dir", str(config), *arguments]
        return subprocess.run(argv, env={**os.environ, **alias}, check=check, text=True, capture_output=True)
