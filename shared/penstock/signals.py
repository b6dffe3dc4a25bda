"""How a command ends when it is told to."""

import signal
import threading
from types import FrameType


def end_on_sigterm() -> None:
    """Have SIGTERM end everything in order, as Ctrl+C does; outside the main thread, which gets signals, do nothing."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
