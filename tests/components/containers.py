"""Images built and containers run by podman, on a base image made from Debian's archive: no registry is asked.

The store lives in the cache and is nobody else's. Containers share the machine's network, so a server on loopback is
theirs too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.components.errors import ComponentError
from tests.components.install import cache, ensure_debian_package, once, progress

BASE = "localhost/penstock-python-base:bookworm"
_PACKAGES = "python3,python3-venv,python3-pip,python-is-python3,ca-certificates"
# The limits of a container start at the machine's own, which a machine without CAP_SYS_RESOURCE may not even repeat.
_LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
_BUILD_SECONDS = 900
_ROOM_BYTES = 10_000_000_000


class Containers:
    """podman with a store of its own; `problem` says why this machine runs no containers, "" when it does."""

    def __init__(self) -> None:
        self.problem = ""
        self._folder = cache() / "containers"

    def install(self) -> str:
        """Make sure of podman and of the base image, try a container, and return the base image's name."""
        podman = ensure_debian_package("podman")
        ensure_debian_package("runc")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._podman = [
            str(podman),
            f"--root={self._folder / 'storage'}",
            f"--runroot={self._folder / 'run'}",
            "--runtime=runc",
            "--cgroup-manager=cgroupfs",
        ]
        with once("containers", None):
            if self.call("image", "exists", BASE).returncode != 0:
                self._make_base()
        # Layers that no image needs any more: young ones make the next build quick, as far as the disk has room.
        kept = "48h" if shutil.disk_usage(self._folder).free > _ROOM_BYTES else "4h"
        self.call("image", "prune", "--force", f"--filter=until={kept}", timeout_seconds=_BUILD_SECONDS)
        tried = self.call("run", "--rm", *_LIMITS, "--network=none", BASE, "true")
        self.problem = tried.stderr.strip() if tried.returncode != 0 else ""
        return BASE

    def build(self, name: str, context: Path, *, file: Path | None = None) -> None:
        """Build an image as `podman build` does; raises `ComponentError` with the end of its output."""
        # How this machine reaches a package index: its authorities and pip's settings, mounted and not copied in.
        ways = [f"--volume={path}:{path}:ro" for path in ("/etc/ssl/certs", "/etc/pip.conf") if Path(path).exists()]
        options = ["--pull=never", "--isolation=chroot", "--network=host", "--format=docker", *_LIMITS, *ways]
        dockerfile = [] if file is None else [f"--file={file}"]
        arguments = [f"--build-arg=PYTHON_IMAGE={BASE}", f"--tag={name}", *dockerfile, str(context)]
        result = self.call("build", *options, *arguments, timeout_seconds=_BUILD_SECONDS)
        if result.returncode != 0:
            tail = "\n".join([*result.stdout.splitlines()[-60:], *result.stderr.splitlines()[-20:]])
            raise ComponentError(f"{name}: the build failed with status {result.returncode}:\n{tail}")

    def tag(self, name: str, other: str) -> None:
        """Give an image one more name."""
        self.must("tag", name, other)

    def save(self, names: Sequence[str], file: Path) -> None:
        """Write images into one archive, as `docker save` does."""
        self.must("save", "--quiet", "--multi-image-archive", f"--output={file}", *names, timeout_seconds=600)

    def size_bytes(self, name: str) -> int:
        return int(self.must("image", "inspect", name, "--format={{.Size}}"))

    def run(self, name: str, *words: str) -> str:
        """Run a command in a container of its own and return what it printed."""
        return self.must("run", "--rm", *_LIMITS, "--network=none", name, *words)

    @contextmanager
    def running(
        self, name: str, settings: Mapping[str, str], *, memory: str, command: Sequence[str] = ()
    ) -> Iterator[Container]:
        """A container as a cluster runs it: not root, its root file system read-only, no capability, bounded memory."""
        restricted = [
            "--read-only",
            "--read-only-tmpfs=false",
            "--tmpfs=/tmp",
            f"--memory={memory}",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
        ]
        variables = [f"--env={key}={value}" for key, value in settings.items()]
        identity = self.must("run", "--detach", *_LIMITS, "--network=host", *restricted, *variables, name, *command)
        container = Container(self, identity.strip())
        try:
            yield container
        finally:
            self.call("rm", "--force", "--time=0", container.identity)

    def _make_base(self) -> None:
        debootstrap = ensure_debian_package("debootstrap")
        progress("containers: debootstrap of the base image ...")
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            argv = [str(debootstrap), "--variant=minbase", f"--include={_PACKAGES}", "bookworm", folder]
            made = subprocess.run(argv, capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise ComponentError(f"containers: debootstrap failed: {made.stdout[-2000:]}{made.stderr[-2000:]}")
            archive = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
            subprocess.run([*self._podman, "import", "-", BASE], stdin=archive.stdout, check=True, capture_output=True)
            if archive.wait() != 0:
                raise ComponentError("containers: tar of the base image failed")

    def must(self, *words: str, timeout_seconds: float = 120) -> str:
        result = self.call(*words, timeout_seconds=timeout_seconds)
        if result.returncode != 0:
            raise ComponentError(f"podman {' '.join(words)}: {result.stderr.strip()}")
        return result.stdout

    def call(self, *words: str, timeout_seconds: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._podman, *words], capture_output=True, text=True, check=False, timeout=timeout_seconds
        )


class Container:
    """A running container."""

    def __init__(self, engine: Containers, identity: str) -> None:
        self._engine = engine
        self.identity = identity

    def execute(self, *words: str) -> str:
        """Run a command inside and return what it printed."""
        return self._engine.must("exec", self.identity, *words)

    def logs(self) -> str:
        result = self._engine.call("logs", self.identity)
        return result.stdout + result.stderr

    def stop(self, timeout_seconds: int = 40) -> int:
        """SIGTERM, SIGKILL when the time is over; the exit code (137: it was killed)."""
        self._engine.must("stop", f"--time={timeout_seconds}", self.identity)
        return int(str(self.state()["ExitCode"]))

    def state(self) -> dict[str, object]:
        """podman's State: Running, ExitCode, OOMKilled."""
        [found] = json.loads(self._engine.must("container", "inspect", self.identity))
        state: dict[str, object] = found["State"]
        return state
