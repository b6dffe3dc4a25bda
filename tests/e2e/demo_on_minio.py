"""Run `penstock demo` against a real MinIO server, started for it: `python -m tests.e2e.demo_on_minio`."""

import os
import subprocess
import sys

from tests.components.minio import MinioServer


def main() -> int:
    with MinioServer() as server:
        endpoint = server.endpoint
        env = {
            **os.environ,
            "MINIO_ENDPOINT": endpoint.url,
            "MINIO_ACCESS_KEY": endpoint.access_key,
            "MINIO_SECRET_KEY": endpoint.secret_key,
        }
        command = [sys.executable, "-m", "penstock.cli", "demo", *sys.argv[1:]]
        return subprocess.run(command, env=env).returncode


if __name__ == "__main__":
    sys.exit(main())
