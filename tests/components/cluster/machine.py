"""Whether this machine allows a cluster: root, namespaces, control groups, overlay mounts, room on the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.components.install import ensure_debian_package

CGROUPS = Path("/sys/fs/cgroup")
# Pods are held to their limits with these; the kubelet does not start without them.
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "pids")
FREE_BYTES = 8_000_000_000
# What the trial calls, beside what every Debian has.
_TOOLS = {"iproute2": "ip", "iptables": "iptables"}
_NAMESPACES = ("--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--mount-proc", "--propagation", "private")
_TRY = """
set -e
mount -t tmpfs tmpfs /tmp && mkdir /tmp/low /tmp/up /tmp/work /tmp/both
mount -t overlay overlay -o lowerdir=/tmp/low,upperdir=/tmp/up,workdir=/tmp/work /tmp/both
ip link add a type veth peer name b && ip link add c type bridge
iptables -w -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
"""


def cluster_problem() -> str:
    """Why no cluster can run here, in words for a person; "" when it can. Leaves nothing behind but Debian's packages.

    Raises `ComponentError` when a tool for the trial is missing and cannot be installed.
    """
    if os.geteuid() != 0:
        return "a cluster needs root, for namespaces, control groups and mounts of its own: run it as root"
    if problem := _cgroup_problem():
        return problem
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < FREE_BYTES:
        return f"{tempfile.gettempdir()} has {free / 1e9:.1f} GB free; a cluster needs up to {FREE_BYTES / 1e9:.0f} GB"
    for package, program in _TOOLS.items():
        ensure_debian_package(package, program)
    tried = subprocess.run(["unshare", *_NAMESPACES, "sh", "-c", _TRY], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        said = (tried.stderr.strip() or "no message").splitlines()[-1]
        return (
            f"this machine does not allow namespaces with a network, a bridge and an overlay mount: {said}. In a "
            "container, run it in a privileged one"
        )
    return ""


def _cgroup_problem() -> str:
    if (CGROUPS / "cgroup.controllers").exists():
        return (
            f"{CGROUPS} is a unified hierarchy (cgroup v2). This cluster is written for, and tried on, a hierarchy for "
            "each controller (v1): start the machine with systemd.unified_cgroup_hierarchy=0"
        )
    missing = [name for name in CONTROLLERS if not (CGROUPS / name / "cgroup.procs").exists()]
    if missing:
        return f"{CGROUPS} has no hierarchy for {', '.join(missing)}; a kubelet needs it"
    probe = CGROUPS / "cpu" / f"penstock-probe-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return f"no control group can be made: {probe}: {error.strerror}. In a container, run it in a privileged one"
    return ""
