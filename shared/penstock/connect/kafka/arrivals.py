"""Whether records arrive: a member of the group may be joined, and read nothing although records wait for it."""

from collections.abc import Callable, Mapping

from penstock.connect.subscription_watch import PATIENCE_SECONDS

Ends = Mapping[tuple[str, int], int]
"""The end of each partition that has records which were not read."""


class Arrivals:
    """Judges one connector by what it reads. Called by the consuming thread.

    `unread_ends` asks the brokers, and may take seconds. It is called at most once each `patience_seconds`, and only
    when nothing was read in all that time although there was room.
    """

    def __init__(
        self, unread_ends: Callable[[], Ends], *, clock: Callable[[], float], patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._unread_ends = unread_ends
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._since = clock()
        self._waiting: Ends = {}
        self._tried: Ends = {}

    def saw(self, *, record: bool) -> None:
        """Something was read, or nothing could be: no partition, or no room."""
        self._since = self._clock()
        self._waiting = {}
        if record:
            self._tried = {}

    def are_missing(self) -> bool:
        """Whether records wait at the brokers and do not come.

        What one new consumer did not read either is no reason for another one: a topic may end with marks of a
        transaction, which are never delivered.
        """
        if self._clock() - self._since >= self._patience_seconds:
            self._since = self._clock()
            found = self._unread_ends()
            self._waiting = found if found != self._tried else {}
        return bool(self._waiting)

    def new_consumer(self) -> None:
        """Another consumer was made."""
        self._tried = self._waiting or self._tried
        self.saw(record=False)
