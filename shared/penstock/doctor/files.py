"""Files with credentials: that only their owner reads them."""

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from penstock.doctor.finding import Finding, Grade

_OF_THE_STACK: Final = ("password", "events-token", "store-secret", "store.json")


def credential_files(env: Mapping[str, str], data: Path) -> list[tuple[str, Path]]:
    """The files that variables such as MINIO_SECRET_KEY_FILE name, and those of the local stack, each with its name."""
    secret = ("_KEY_FILE", "_PASSWORD_FILE", "_TOKEN_FILE", "_USERNAME_FILE")
    named = [(name, Path(path)) for name, path in sorted(env.items()) if name.endswith(secret) and path]
    return [*named, *((name, data / name) for name in _OF_THE_STACK if (data / name).exists())]


def examine_files(env: Mapping[str, str], data: Path) -> Iterator[Finding]:
    """A finding for each file that others may read or that is missing; one for all that are right."""
    right = 0
    for name, path in credential_files(env, data):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError as exc:
            yield Finding(Grade.PROBLEM, name, f"{path}: {exc.strerror}", "name a file that is there")
            continue
        if mode & 0o007:
            text = f"{path}: every user of this machine may read or write it (mode {mode:o})"
            yield Finding(Grade.PROBLEM, name, text, f"chmod 600 {path}")
        elif mode & 0o070:
            yield Finding(Grade.NOTE, name, f"{path}: its group may read or write it (mode {mode:o})")
        else:
            right += 1
    if right:
        yield Finding(Grade.GOOD, "credentials", f"{right} {'file' if right == 1 else 'files'}, for their owner only")
