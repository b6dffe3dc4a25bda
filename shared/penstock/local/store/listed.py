"""A store that this stack cannot have send events: it is listed again and again instead."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from penstock.connect.listing.hints import HintTarget
from penstock.connect.listing.rounds import ListingWatch
from penstock.connect.listing.seen import SeenObjects
from penstock.delivery.http import HttpTarget
from penstock.errors import PenstockError
from penstock.settings.config import SourceRule, StoreSettings
from penstock.store.s3 import S3ObjectStore

PAUSE_SECONDS: Final = 1.0
_BATCH: Final = 20
_log = logging.getLogger("penstock.local")


class ListedStore:
    """Watches what the functions' rules name, in a thread of its own, and sends hints to `events_url`."""

    def __init__(
        self, settings: StoreSettings, rules: Sequence[SourceRule], state: Path, events_url: str, token: str
    ) -> None:
        self._settings, self._rules, self._state = settings, rules, state
        self._target = HttpTarget("events", events_url, {"Authorization": f"Bearer {token}"})
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listings", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the round that is under way; what it did not tell is told by the next stack."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        # The stack's own address changes with each start, and is no part of what is watched.
        seen = SeenObjects(self._state, f"{self._settings.endpoint} for this stack")
        send = HintTarget(self._target, 1).send
        store = S3ObjectStore(self._settings)
        watch = ListingWatch(store, self._rules, seen, send, batch=_BATCH, concurrency=1, stopped=self._stop.is_set)
        while True:
            try:
                for problem in watch.round().problems:
                    _log.warning("%s", problem)
            except PenstockError as exc:
                _log.warning("listing %s: %s", self._settings.endpoint, exc)
            if self._stop.wait(PAUSE_SECONDS):
                break
        seen.close()
