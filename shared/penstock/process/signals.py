"""How a command ends on SIGTERM and Ctrl+C.

Python runs the handler of a signal on the main thread, between two steps of it. The kernel may deliver the signal to
another thread. A main thread that waits for a lock then sleeps on, and the signal has no effect. So a thread of its own
reads the number of each signal, which C code writes into a pipe (`signal.set_wakeup_fd`).
"""

import os
import queue
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, TypeVar, cast

ResultT = TypeVar("ResultT")

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
_LOOK_SECONDS: Final = 0.05


def end_on_sigterm() -> None:
    """Have SIGTERM end everything in order, as Ctrl+C does, and a second Ctrl+C end the process at once.

    Outside the main thread, which gets signals, do nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    interrupt = _Interrupt()
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    # Ignored unless there is a handler, so it disturbs no other program.
    signal.signal(signal.SIGURG, _nothing)
    _watch(interrupt.hurry)


def stop_on_signals(stop: Callable[[], object]) -> None:
    """Have SIGTERM and Ctrl+C call `stop`, which lets the command drain and return; it is called on another thread.

    A second Ctrl+C ends the process at once, with exit code 130.
    """
    for number in _ENDING:
        signal.signal(number, _nothing)

    def stop_once() -> bool:
        stop()
        return True

    _watch(stop_once)


@contextmanager
def stopping_on_signals(stop: Callable[[], object], *, patience_seconds: float) -> Iterator[None]:
    """Have SIGTERM and Ctrl+C call `stop`; raises `KeyboardInterrupt` when the end takes longer than the patience.

    For a command whose main thread waits for servers: one that does not answer would hold the end up.
    """
    over = threading.Event()
    main = threading.main_thread().ident

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        if not over.is_set():
            raise KeyboardInterrupt

    def wait_and_interrupt() -> None:
        if not over.wait(patience_seconds) and main is not None:
            signal.pthread_kill(main, signal.SIGURG)

    def stop_with_patience() -> None:
        stop()
        threading.Thread(target=wait_and_interrupt, name="patience", daemon=True).start()

    signal.signal(signal.SIGURG, interrupt)
    stop_on_signals(stop_with_patience)
    try:
        yield
    finally:
        over.set()


def interruptible(call: Callable[[Callable[[], None]], ResultT], *, patience_seconds: float = 2.0) -> ResultT:
    """Run a call on another thread, so that Ctrl+C ends the wait for it; return or raise what it does.

    Python runs no handler of a signal while C code waits for a server. The call gets a function that raises
    `KeyboardInterrupt` once Ctrl+C has come: a call of several steps asks it between them, and tidies up.
    """
    stopped, ended = threading.Event(), threading.Event()
    results: queue.SimpleQueue[tuple[ResultT | None, BaseException | None]] = queue.SimpleQueue()

    def go_on() -> None:
        if stopped.is_set():
            raise KeyboardInterrupt

    def work() -> None:
        try:
            results.put((call(go_on), None))
        except BaseException as exc:  # noqa: BLE001 - it is raised again where the call was made
            results.put((None, exc))
        ended.set()

    try:
        threading.Thread(target=work, name="call", daemon=True).start()
        while True:
            # A signal that comes just before a wait, or to another thread, does not end the wait. So it has an end.
            with suppress(queue.Empty):
                result, problem = results.get(timeout=_LOOK_SECONDS)
                break
    except KeyboardInterrupt:
        stopped.set()
        ended.wait(patience_seconds)
        raise
    if problem is not None:
        raise problem
    return cast("ResultT", result)


class _Interrupt:
    """Raises `KeyboardInterrupt` in the main thread, at the first signal."""

    def __init__(self) -> None:
        self._done = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        if not self._done:
            self._done = True
            raise KeyboardInterrupt

    def hurry(self) -> bool:
        """Wake the main thread, which may not have had the signal; True once it was raised there."""
        main = threading.main_thread().ident
        if not self._done and main is not None:
            signal.pthread_kill(main, signal.SIGURG)
        return self._done


def _nothing(_signal: int, _frame: FrameType | None) -> None:
    """What Python itself does at a signal that the thread of `_watch` acts on."""


def _watch(act: Callable[[], bool]) -> None:
    """Call `act` on a thread of its own from the first signal on, until it returns True."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    before = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    if before != -1:
        os.close(before)  # an earlier call's: its thread ends
    threading.Thread(target=_hear, args=(readable, act), name="signals", daemon=True).start()


def _hear(readable: int, act: Callable[[], bool]) -> None:
    heard = done = False
    try:
        while True:
            if heard and not done:
                done = act()
            if heard and not done and not select.select([readable], [], [], _LOOK_SECONDS)[0]:
                continue
            numbers = os.read(readable, 64)
            if not numbers:
                return
            for number in numbers:
                if number == signal.SIGINT and heard:
                    os._exit(128 + number)  # also where the other threads wait for ever
                heard = heard or number in _ENDING
    finally:
        os.close(readable)
