"""Why the last attempt for an object failed, as far as this process knows: `GET /status` tells it."""

import threading
from typing import Final

from penstock.runtime.answers import Failure, failure_document
from penstock.types import ObjectRef

# A reason is some hundred bytes long, so this is a few hundred kilobytes at most.
_MAX_OBJECTS: Final = 1000


class LastFailures:
    """The last failure of each object that no later attempt has finished; the oldest are forgotten first.

    At most `max_objects` are kept, and a restart forgets them all. For any thread.
    """

    def __init__(self, max_objects: int = _MAX_OBJECTS) -> None:
        self._max_objects = max_objects
        self._failures: dict[ObjectRef, Failure] = {}
        self._lock = threading.Lock()

    def failed(self, ref: ObjectRef, failure: Failure) -> None:
        """Keep this failure in place of an older one of the same object."""
        with self._lock:
            self._failures.pop(ref, None)
            self._failures[ref] = failure
            if len(self._failures) > self._max_objects:
                del self._failures[next(iter(self._failures))]

    def ended(self, ref: ObjectRef) -> None:
        """An attempt has finished this object."""
        if self._failures:  # most processes have none, so that this costs them no lock
            with self._lock:
                self._failures.pop(ref, None)

    def reason(self, ref: ObjectRef) -> str:
        """Why the last attempt failed, in words; empty where this process knows of none."""
        with self._lock:
            failure = self._failures.get(ref)
        return f"the last attempt failed: {failure_document(failure)['reason']}" if failure else ""
