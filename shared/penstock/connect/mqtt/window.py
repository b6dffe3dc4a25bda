"""The messages of one connection that are not acknowledged yet, in the order in which they came."""

import threading
from collections import deque
from collections.abc import Callable


class Arrival:
    """One message from the broker, on the connection that brought it. With QoS 0 the broker wants no acknowledgement.

    `waits` counts the deliveries that are not over.
    """

    __slots__ = ("mid", "qos", "waits", "window")

    def __init__(self, window: "Window", mid: int, qos: int) -> None:
        self.window = window
        self.mid = mid
        self.qos = qos
        self.waits = 0

    def begin(self, deliveries: int) -> None:
        """Wait for so many deliveries; call it before the first of them can be over. With none it is over already."""
        self.waits = deliveries
        if self.qos:
            self.window.add(self)
        if not deliveries:
            self.window.acknowledge()

    def finish_one(self) -> None:
        """One of its deliveries is over; after the last one it is acknowledged, when all before it are."""
        self.waits -= 1
        if not self.waits:
            self.window.acknowledge()


class Window:
    """The unacknowledged messages of one connection, oldest first. `ack` acknowledges the message of one id.

    MQTT 5, 4.6: acknowledgements are sent in the order in which the messages came.
    """

    def __init__(self, ack: Callable[[int], object]) -> None:
        self._ack = ack
        self._open: deque[Arrival] = deque()
        self._lost = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, arrival: Arrival) -> None:
        """A message has come that the broker wants to be acknowledged."""
        with self._lock:
            self._open.append(arrival)

    def lose(self) -> None:
        """The connection is lost: nothing is acknowledged any more, and the broker sends these messages again."""
        with self._lock:
            self._lost = True

    def acknowledge(self) -> None:
        """Acknowledge the oldest messages, as far as all their deliveries are over."""
        with self._lock:
            while self._open and not self._open[0].waits and not self._lost:
                self._ack(self._open.popleft().mid)
