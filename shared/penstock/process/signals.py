"""How a command ends on SIGTERM and Ctrl+C."""

import signal
import threading
from collections.abc import Callable
from types import FrameType


def end_on_sigterm() -> None:
    """Have SIGTERM end everything in order, as Ctrl+C does; outside the main thread, which gets signals, do nothing."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)


def stop_on_signals(stop: Callable[[], object]) -> None:
    """Have SIGTERM and Ctrl+C call `stop`, which lets the command drain and return.

    It may interrupt anything in this thread, a line that is being logged too, so it must not log.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: stop())


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
