"""Run `penstock demo` on a real server, started for it: `python -m tests.e2e.demo_on_store seaweedfs --rows 1000`."""

import os
import subprocess
import sys
from collections.abc import Mapping

from tests.components import MinioServer, S3ProxyServer, SeaweedServer, VersityServer
from tests.components.minio import MinioEndpoint
from tests.components.process import Server

STORES: Mapping[str, type[Server[MinioEndpoint]]] = {
    "minio": MinioServer,
    "versity": VersityServer,
    "seaweedfs": SeaweedServer,
    "s3proxy": S3ProxyServer,
}


def main(words: list[str]) -> int:
    if not words or words[0] not in STORES:
        print(f"expected one of {', '.join(STORES)}, and then what `penstock demo` takes", file=sys.stderr)
        return 2
    with STORES[words[0]]() as server:
        endpoint = server.endpoint
        env = {
            **os.environ,
            "MINIO_ENDPOINT": endpoint.url,
            "MINIO_ACCESS_KEY": endpoint.access_key,
            "MINIO_SECRET_KEY": endpoint.secret_key,
        }
        command = [sys.executable, "-m", "penstock.cli", "demo", *words[1:]]
        return subprocess.run(command, env=env).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
