"""Penstock: serverless functions for object lakes.

A function imports all that it needs from here. Its tests also import `penstock.testing`. See docs/functions.md.
"""

from penstock.errors import (
    ConfigError,
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
from penstock.streams import Body, spool
from penstock.types import Context, Event, Result

__version__ = "0.1.0"

__all__ = [
    "Body",
    "ConfigError",
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
    "spool",
]
