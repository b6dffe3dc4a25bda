"""Keeps in a file how far a reconcile has come, so that the next one goes on from there.

A place says that everything before it agrees. So it does not move past an object that failed, and the place of a run
with other settings is refused.
"""

import hashlib
import json
from pathlib import Path

from penstock.errors import ConfigError
from penstock.json_text import read_json
from penstock.settings.config import SourceRule

KEYS_BETWEEN_PLACES = 5000


class Place:
    """The last key that was compared, for each rule; without a path it keeps nothing.

    `run` holds what decides about agreement: function, options, sink and flags. Raises `ConfigError` for a file that is
    not a place of such a run.
    """

    def __init__(self, path: Path | None, run: object) -> None:
        self._path = path
        self._run = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:16]
        self._since = 0
        self._keys = self._read()
        self.before = dict(self._keys)
        """The keys that the run before came to."""

    def is_due(self, rule: SourceRule, key: str) -> bool:
        """Note that a source was compared; true when the place should be written again."""
        if self._path is None:
            return False
        self._keys[str(rule)] = key
        self._since += 1
        return self._since >= KEYS_BETWEEN_PLACES

    def keep(self) -> None:
        """Write the place; everything up to it must be done by now."""
        if self._path is not None:
            self._since = 0
            written = self._path.with_suffix(".part")
            written.write_text(json.dumps({"run": self._run, "after": self._keys}))
            written.replace(self._path)

    def forget(self) -> None:
        """Remove the file: the run came to its end."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, str]:
        if self._path is None or not self._path.is_file():
            return {}
        try:
            kept = read_json(self._path.read_text())
            run, keys = str(kept["run"]), dict(kept["after"])
        except (ValueError, TypeError, KeyError) as exc:
            raise ConfigError(f"{self._path}: no place that reconcile kept; remove it to begin anew") from exc
        if run != self._run:
            raise ConfigError(
                f"{self._path}: kept by a run with other settings: function, options, SINK, MAX_INPUT_BYTES, "
                "filters or flags; remove it to begin anew"
            )
        return keys
