"""Penstock: serverless functions for object lakes.

A function imports everything it needs from here.
"""

from penstock.errors import (
    EventError,
    Forbidden,
    InputTooLarge,
    NothingToDo,
    PenstockError,
    PermanentError,
    TemporaryError,
    UnsupportedInput,
)
from penstock.handler.options import option
from penstock.streams import Body
from penstock.types import Context, Event, Result

__version__ = "0.1.0"

__all__ = [
    "Body",
    "Context",
    "Event",
    "EventError",
    "Forbidden",
    "InputTooLarge",
    "NothingToDo",
    "PenstockError",
    "PermanentError",
    "Result",
    "TemporaryError",
    "UnsupportedInput",
    "option",
]
