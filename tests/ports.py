"""Ports of loopback for servers that a test starts.

A port that the kernel gave, `bind(("127.0.0.1", 0))`, is free again once its socket is closed. Any connection that
leaves this machine can take it before the server listens. So ports come from below the kernel's own range
(/proc/sys/net/ipv4/ip_local_port_range), and each test process has a block of them that no other test process uses.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Kubernetes has fixed ports below these, and its NodePorts above.
_FIRST, _LAST, _BLOCK = 12_000, 30_000, 200


def free_ports(count: int) -> list[int]:
    """Free ports, all different; none comes again before the others of this process's block were given out."""
    return list(itertools.islice(filter(_is_free, _ports(os.getpid())), count))


def free_port() -> int:
    """One free port."""
    (port,) = free_ports(1)
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


@cache  # by process: a fork must not walk through its parent's block
def _ports(_process: int) -> Iterator[int]:
    folder = Path(tempfile.gettempdir()) / f"penstock-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for first in range(_FIRST, _LAST, _BLOCK):
        # No child inherits the descriptor, so the lock ends with this process.
        held = os.open(folder / str(first), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            continue
        return itertools.cycle(range(first, first + _BLOCK))
    raise RuntimeError(f"no block of ports is left: {_LAST - _FIRST} ports are in use by other test runs")
