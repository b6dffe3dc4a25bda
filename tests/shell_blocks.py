"""Shell blocks of the pages, run as they are printed; only the ports are others."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.served import free_port


def run_block(block: str, folder: Path) -> str:
    """Run the lines of a block in a folder; returns what they printed.

    Each line must end with exit code 0. A line that ends in `&` is a server: it gets a free port of loopback, and must
    end with 0 when it is told to.
    """
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    servers: list[subprocess.Popen[bytes]] = []
    ports: dict[str, int] = {}
    printed = ""
    try:
        for line in block.splitlines():
            for named in re.findall(r"(?<=--port )\d+", line):
                ports[named] = free_port()
            if ports:  # all at once: the digits of a free port may have those of a page's port among them
                line = re.sub("|".join(ports), lambda found: str(ports[found[0]]), line)
            if line.endswith("&"):
                command = line.removesuffix("&").split()
                servers.append(subprocess.Popen([*command, "--host", "127.0.0.1"], cwd=folder, env=environment))
            else:
                done = subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True)
                assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
                printed += done.stdout.decode()
    finally:
        for server in servers:
            server.terminate()
            assert server.wait(120) == 0
    return printed
