"""How far a reconcile has come, in a file, so that one that was cut off goes on from there."""

import json
from pathlib import Path

from penstock.errors import ConfigError
from penstock.reconcile.worker import Worker
from penstock.settings.config import SourceRule

_KEYS_BETWEEN_PLACES = 5000


class Place:
    """How far a run has come, in a file: every so many keys, once everything before is done."""

    def __init__(self, path: Path | None, worker: Worker) -> None:
        self._path = path
        self._worker = worker
        self._since = 0
        self.keys: dict[str, str] = {}
        if path is not None and path.is_file():
            try:
                self.keys = dict(json.loads(path.read_text()))
            except (ValueError, TypeError) as exc:
                raise ConfigError(f"{path}: no place that reconcile kept; remove it to begin anew") from exc

    def reached(self, rule: SourceRule, key: str) -> None:
        if self._path is None:
            return
        self.keys[str(rule)] = key
        self._since += 1
        if self._since >= _KEYS_BETWEEN_PLACES:
            self._since = 0
            self._worker.drain()
            written = self._path.with_suffix(".part")
            written.write_text(json.dumps(self.keys))
            written.replace(self._path)

    def forget(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)
