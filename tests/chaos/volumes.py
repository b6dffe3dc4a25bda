"""Volumes that can be full: small file systems in memory, in a mount namespace that the whole campaign lives in.

A mount namespace of one's own needs no privileges where the kernel allows user namespaces (user_namespaces(7)).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.components.install import require

_INSIDE = "PENSTOCK_CHAOS_INSIDE"
_BLOCK = b"\0" * 65536


def _unshare() -> Sequence[str]:
    whom = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    return (require("unshare", "util-linux"), *whom, "--mount")


def move_inside(words: Sequence[str]) -> None:
    """Start this program again in a mount namespace of its own, where the kernel allows one."""
    if os.environ.get(_INSIDE):
        return
    probe = [*_unshare(), "mount", "-t", "tmpfs", "none", "/mnt"]
    if subprocess.run(probe, capture_output=True).returncode != 0:
        return
    argv = [*_unshare(), sys.executable, "-m", "tests.chaos", *words]
    os.execvpe(argv[0], argv, {**os.environ, _INSIDE: "1"})


def mount(folder: Path, megabytes: int) -> None:
    """A file system in memory on `folder`; it goes with the namespace."""
    folder.mkdir(parents=True)
    if os.environ.get(_INSIDE):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", folder], check=True)


def unmount(folder: Path) -> None:
    """Take the file system away again; what is on it stays in the folder, beside the logs."""
    if not folder.is_mount():
        return
    kept = folder.with_name(f"{folder.name}.kept")
    shutil.copytree(folder, kept)
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()
    kept.rename(folder)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """The volume of `folder` is full to the last byte until the block ends."""
    filler = folder / "filler"
    try:
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(_BLOCK):
                pass
        yield
    finally:
        filler.unlink(missing_ok=True)
