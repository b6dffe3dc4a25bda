"""Where the local stack's object store is, kept in the data folder for the commands that are typed beside it."""

import json
import os
from pathlib import Path
from typing import Final

from penstock.settings.config import StoreSettings

_FILE: Final = "store.json"


def keep_address(data: Path, settings: StoreSettings) -> None:
    """Write how to reach the store, readable by its owner only."""
    made = data / f".{_FILE}.{os.getpid()}"
    made.unlink(missing_ok=True)
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(
            {"endpoint": settings.endpoint, "access_key": settings.access_key, "secret_key": settings.secret_key}, file
        )
    made.replace(data / _FILE)


def forget_address(data: Path) -> None:
    """Remove what `keep_address` wrote: the store has ended."""
    (data / _FILE).unlink(missing_ok=True)


def kept_address(data: Path) -> StoreSettings | None:
    """The store of the stack that runs on this data folder, or None when none runs there."""
    try:
        told = json.loads((data / _FILE).read_text())
        return StoreSettings(told["endpoint"], told["access_key"], told["secret_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
