"""Listings that go in a circle: a server that ignores where a page should begin shows the same page for ever."""

from typing import Final

from penstock.errors import TemporaryError
from penstock.types import ObjectRef

_TIMES: Final = 3


class Circle:
    """Notices a circle of any length with one place kept, as Brent's algorithm does.

    A page that begins with the last object of the one before it is no circle: a place must come back three times.

    >>> circle = Circle()
    >>> [circle.is_closed_by(each) for each in ("a", "b", "b", "c", "d")]
    [False, False, False, False, False]
    >>> any(circle.is_closed_by(each) for each in 20 * ("x", "y", "z"))
    True
    """

    def __init__(self) -> None:
        self._kept: object = None
        self._steps = self._returns = 0
        self._limit = 1

    def is_closed_by(self, place: object) -> bool:
        """Whether the listing has come to this place too often; call it for each place in turn."""
        self._returns += place == self._kept and self._steps > 0
        if self._returns >= _TIMES:
            return True
        self._steps += 1
        if self._kept is None or self._steps > self._limit:
            self._kept, self._returns, self._steps = place, 0, 1
            self._limit *= 2
        return False


def endless(ref: ObjectRef, what: str) -> TemporaryError:
    """The error for a listing of `what`, objects or uploads, that goes in a circle."""
    return TemporaryError(
        f"{ref}: the object store lists the same {what} again and again; it, or what is in between, ignores where a "
        "page should begin"
    )
