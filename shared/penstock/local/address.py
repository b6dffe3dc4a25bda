"""Where the local stack's object store and gateway are, for the commands that are typed beside it."""

import json
import os
from pathlib import Path
from typing import Any, Final

from penstock.json_text import read_json
from penstock.settings.config import StoreSettings

_FILE: Final = "store.json"


def keep_address(
    data: Path, settings: StoreSettings, stack_file: Path | None = None, *, gateway: str = "", password: str = ""
) -> None:
    """Write how to reach the store and the gateway, and which stack file runs, readable by their owner only."""
    made = data / f".{_FILE}.{os.getpid()}"
    made.unlink(missing_ok=True)
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(
            {
                "endpoint": settings.endpoint,
                "access_key": settings.access_key,
                "secret_key": settings.secret_key,
                "stack": str(stack_file.resolve()) if stack_file else None,
                "gateway": gateway,
                "password": password,
            },
            file,
        )
    made.replace(data / _FILE)


def forget_address(data: Path) -> None:
    """Remove what `keep_address` wrote: the store has ended."""
    (data / _FILE).unlink(missing_ok=True)


def local_environment(data: Path) -> dict[str, str]:
    """The settings of a command that works on the store and index of `penstock up`; none when none runs there."""
    settings = kept_address(data)
    if settings is None:
        return {}
    return {
        "MINIO_ENDPOINT": settings.endpoint,
        "MINIO_ACCESS_KEY": settings.access_key,
        "MINIO_SECRET_KEY": settings.secret_key,
        # Empty in place of the stack file's, which are paths in a pod.
        "MINIO_CA_FILE": "",
        "SINK_CA_FILE": "",
        "INDEX_SINK": index_sink(data),
    }


def index_sink(data: Path) -> str:
    """Where the local stack keeps its index."""
    return f"sqlite://{data.resolve()}/index.sqlite"


def inbox_file(data: Path) -> Path:
    """Where the local stack keeps its events and dead letters, also after it has ended."""
    return data / "inbox.sqlite"


def kept_address(data: Path) -> StoreSettings | None:
    """The store of the stack that runs on this data folder, or None when none runs there."""
    told = _told(data)
    try:
        return StoreSettings(told["endpoint"], told["access_key"], told["secret_key"])
    except KeyError:
        return None


def kept_stack_file(data: Path) -> Path | None:
    """The stack file of the stack that runs on this data folder, or None when none runs there or the file is gone."""
    named = _told(data).get("stack")
    return Path(named) if isinstance(named, str) and Path(named).is_file() else None


def kept_gateway(data: Path) -> tuple[str, str] | None:
    """URL and password of the gateway of the stack that runs on this data folder, or None when none runs there."""
    told = _told(data)
    url, password = told.get("gateway"), told.get("password")
    return (url, password) if url and isinstance(url, str) and isinstance(password, str) else None


def _told(data: Path) -> dict[str, Any]:
    try:
        told = read_json((data / _FILE).read_text())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
