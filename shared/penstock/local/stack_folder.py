"""The data folder of a local stack: it is made, refused, forgotten, and keeps the secrets that the stack makes up."""

import contextlib
import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import Final

from penstock.errors import ConfigError

_KEPT_FILES: Final = ("inbox.sqlite", "index.sqlite")


def make_folder(data: Path, given: Path) -> None:
    """The data folder; one that is made here is for its owner only, and git takes nothing of it: it holds passwords."""
    try:
        if not data.is_dir():
            data.mkdir(parents=True)
            data.chmod(0o700)
            (data / ".gitignore").write_text("*\n")
    except OSError as exc:
        raise ConfigError(f"--data {given}: no folder can be made there: {exc.strerror}") from exc


def refuse_other_stores_folder(data: Path) -> None:
    """Raise `ConfigError` for a folder whose events and index are about objects that this stack does not have."""
    kept = [name for name in _KEPT_FILES if (data / name).exists()]
    if kept and not (data / "objects").is_dir():
        raise ConfigError(
            f"--data {data}: has {' and '.join(kept)}, but no objects: it was used with a MinIO server, or its objects "
            "were removed; forget the rest with --fresh, set MINIO_ENDPOINT again, or name another folder"
        )


def forget(data: Path) -> None:
    """Remove what a stack kept in its data folder, all of it: an index without its objects would be wrong.

    Raises `ConfigError` while another stack uses the folder.
    """
    with (data / "inbox.sqlite.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise ConfigError(f"--fresh: another stack runs on {data}; stop it first, or name another --data") from exc
        shutil.rmtree(data / "objects", ignore_errors=True)
        for log in (data / "logs").glob("*.log*"):
            log.unlink()
        for name in _KEPT_FILES:
            for file in (data / name, data / f"{name}-wal", data / f"{name}-shm"):
                file.unlink(missing_ok=True)


def take_away(data: Path) -> None:
    """Remove the data folder that a failed start has made. One that holds an object stays, and one that is in use."""
    with contextlib.suppress(OSError), (data / "inbox.sqlite.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not any(path.is_file() for path in (data / "objects").rglob("*")):
            shutil.rmtree(data)


def kept_secret(path: Path) -> str:
    """A random text that stays the same for one data folder, readable by its owner only.

    Raises `ConfigError` for an empty file: no secret would be asked for.
    """
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(FileExistsError):
        if not path.exists():
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "w") as file:
                    file.write(secrets.token_urlsafe(24))
                os.link(made, path)  # whole, or not at all; a stack that starts at the same time may be first
            finally:
                made.unlink()
    text = path.read_text().strip()
    if not text:
        raise ConfigError(f"{path}: is empty; remove it, and a new one is made")
    return text
