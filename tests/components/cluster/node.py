"""The node: one process that owns namespaces. What runs in them ends with it, and no mount or network stays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.components.cluster.machine import CGROUPS
from tests.components.errors import ComponentError

NODE_NAME = "penstock-node"
ADDRESS = "10.200.0.1"
POD_NETWORK = "10.201.0.0/24"
SERVICE_NETWORK = "10.96.0.0/16"
DNS_ADDRESS = "10.96.0.10"
API_ADDRESS = "10.96.0.1"

# bash is process 1 of its namespace: it waits for every process whose parent ended.
_BOOT = f"""
set -e
hostname {NODE_NAME}
# A sysfs of this network, with the same control groups in it.
mkdir -p "$FOLDER/groups"
mount --move /sys/fs/cgroup "$FOLDER/groups"
mount -t sysfs sysfs /sys
mount --move "$FOLDER/groups" /sys/fs/cgroup
mount --make-rshared /
mount -t tmpfs tmpfs /run
# The kubelet and the container tools write to fixed places under /var; here they write into the node's folder.
mkdir -p "$FOLDER/var" "$FOLDER/var-work" "$FOLDER/kubelet"
mount -t overlay overlay -o "lowerdir=/var,upperdir=$FOLDER/var,workdir=$FOLDER/var-work" /var
mkdir -p /run/lock /var/lib/kubelet
mount --bind "$FOLDER/kubelet" /var/lib/kubelet
mount --make-rshared /var/lib/kubelet
ip link set lo up
# A pair of virtual cards, both ends here, carries the node's address. kube-proxy wants the route.
ip link add node0 type veth peer name node1
ip addr add {ADDRESS}/24 dev node0
ip link set node0 up
ip link set node1 up
ip route add default via 10.200.0.254 dev node0
sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1 net.ipv4.conf.all.rp_filter=0
touch "$FOLDER/node.up"
while true; do sleep 3600 & wait; done
"""
# Waits for the end of the node, whatever ended it, and takes away what a kernel keeps: groups and files.
_KEEPER = """
import os, select, shutil, sys, time
from pathlib import Path
node, groups, folders = int(sys.argv[1]), sys.argv[2].split(","), sys.argv[3].split(",")
select.select([os.pidfd_open(node)], [], [])
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    left = [path for group in groups for path, _, _ in os.walk(group, topdown=False)]
    for path in left:
        try:
            os.rmdir(path)
        except OSError:
            pass
    if not left:
        break
    time.sleep(0.2)
for folder in folders:
    shutil.rmtree(folder, ignore_errors=True)
"""


class ControlGroups:
    """One group of this cluster in each hierarchy, with a group `system` in it for the node's own programs."""

    def __init__(self, name: str) -> None:
        self.name = name
        hierarchies = [each for each in sorted(CGROUPS.iterdir()) if each.is_dir() and not each.is_symlink()]
        self.folders = [each / name for each in hierarchies]

    def make(self, cpu_shares: int) -> None:
        """Create the groups; `cpu_shares` is their weight against the machine's other work, which has 1024."""
        for folder in self.folders:
            (folder / "system").mkdir(parents=True, exist_ok=True)
        for part in (self.name, f"{self.name}/system"):  # a new group may use no processor until it is told which
            for file in ("cpuset.cpus", "cpuset.mems"):
                (CGROUPS / "cpuset" / part / file).write_text((CGROUPS / "cpuset" / file).read_text())
        (CGROUPS / "cpu" / self.name / "cpu.shares").write_text(str(cpu_shares))

    def join(self, argv: Sequence[str | Path]) -> list[str | Path]:
        """A command line that starts `argv` in the group of the node's own programs."""
        files = " ".join(str(folder / "system" / "cgroup.procs") for folder in self.folders)
        return ["sh", "-c", f'for file in {files}; do echo $$ > $file; done; exec "$@"', "sh", *argv]


def node_command(folder: Path) -> list[str | Path]:
    """The command line of the node; it makes `node.up` in the folder when programs can be started in it."""
    flags = ["--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"]
    return ["env", f"FOLDER={folder}", "unshare", *flags, "--propagation", "private", "bash", "-c", _BOOT]


def first_process(unshare_pid: int) -> int:
    """The process 1 of the node, as this machine numbers it."""
    children = Path(f"/proc/{unshare_pid}/task/{unshare_pid}/children").read_text(encoding="ascii").split()
    if not children:
        raise ComponentError("cluster: the node's process ended while it started")
    return int(children[0])


def in_node(process: int, argv: Sequence[str | Path]) -> list[str | Path]:
    """A command line that runs `argv` in the namespaces of the node."""
    return ["nsenter", f"--target={process}", "--net", "--mount", "--pid", "--ipc", "--uts", "--", *argv]


def start_keeper(process: int, groups: ControlGroups, folders: Sequence[Path]) -> subprocess.Popen[bytes]:
    """Start what removes groups and folders after the node, even when the tests themselves are killed."""
    arguments = [str(process), ",".join(map(str, groups.folders)), ",".join(map(str, folders))]
    return subprocess.Popen(
        [sys.executable, "-S", "-c", _KEEPER, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=os.sep,
    )
