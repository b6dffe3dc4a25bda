"""How commands end on SIGTERM and Ctrl+C, each in a process of its own, because signals are a process's."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from penstock.process.signals import interruptible

HEAD = """
import signal, sys, threading, time
from penstock.process.signals import end_on_sigterm, interruptible, stop_on_signals, stopping_on_signals

def to_another_thread(number):
    '''Have the kernel give the signal to a thread that is not the main one, as it may do with each.'''
    def take():
        time.sleep(0.3)  # the main thread waits by then
        signal.pthread_kill(threading.get_ident(), number)
        threading.Event().wait()
    threading.Thread(target=take, daemon=True).start()

def say(text):
    print(text, flush=True)
"""


@contextmanager
def program(text: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", HEAD + text], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_signal_that_another_thread_got_stops_a_command_that_waits(number: str) -> None:
    text = f"""
stopped = threading.Event()
stop_on_signals(stopped.set)
to_another_thread(signal.{number})
stopped.wait()
say("stopped")
"""
    with program(text) as process:
        assert (line(process), process.wait(60)) == ("stopped", 0)


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_signal_that_another_thread_got_interrupts_a_command_that_waits(number: str) -> None:
    text = f"""
end_on_sigterm()
to_another_thread(signal.{number})
try:
    threading.Event().wait()
except KeyboardInterrupt:
    say("interrupted")
"""
    with program(text) as process:
        assert (line(process), process.wait(60)) == ("interrupted", 0)


def test_signal_at_any_step_of_waiting_stops_a_command() -> None:
    """A handler that sets an event which the main thread is about to wait for would wait for itself."""
    text = """
stopped = threading.Event()
stop_on_signals(stopped.set)
say("begun")
while not stopped.wait(0.000001):
    pass
say("stopped")
"""
    for _ in range(3):
        with program(text) as process:
            assert line(process) == "begun"
            process.send_signal(signal.SIGTERM)
            assert (line(process), process.wait(60)) == ("stopped", 0)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("way", ["stop_on_signals(told.set)", "end_on_sigterm()"])
def test_second_ctrl_c_ends_a_command_whose_stop_hangs(first: signal.Signals, way: str) -> None:
    text = f"""
told = threading.Event()
{way}
try:
    say("begun")
    told.wait()
except KeyboardInterrupt:
    pass
say("stopping")
lock = threading.Lock()
lock.acquire()
while True:
    try:
        lock.acquire()
    except KeyboardInterrupt:
        pass
"""
    with program(text) as process:
        assert line(process) == "begun"
        process.send_signal(first)
        assert line(process) == "stopping"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_command_that_waits_for_signals_after_it_was_ready_to_be_interrupted_stops() -> None:
    text = """
stopped = threading.Event()
end_on_sigterm()
stop_on_signals(stopped.set)
say("begun")
stopped.wait()
say("stopped")
"""
    with program(text) as process:
        assert line(process) == "begun"
        process.send_signal(signal.SIGINT)
        assert (line(process), process.wait(60)) == ("stopped", 0)


def test_interrupt_comes_once() -> None:
    """A second SIGTERM must not break off what the first one made begin."""
    text = """
end_on_sigterm()
try:
    say("begun")
    threading.Event().wait()
except KeyboardInterrupt:
    say("ending")
    for _ in range(20):
        time.sleep(0.01)
        signal.raise_signal(signal.SIGTERM)
say("ended")
"""
    with program(text) as process:
        assert line(process) == "begun"
        process.send_signal(signal.SIGTERM)
        assert [line(process), line(process), process.wait(60)] == ["ending", "ended", 0]


def test_sigterm_in_the_main_thread_ends_a_command_as_ctrl_c_does() -> None:
    text = """
end_on_sigterm()
try:
    signal.raise_signal(signal.SIGTERM)
    threading.Event().wait()
except KeyboardInterrupt:
    say("ended as by Ctrl+C")
"""
    with program(text) as process:
        assert (line(process), process.wait(60)) == ("ended as by Ctrl+C", 0)


def test_outside_of_the_main_thread_signals_stay_as_they_are() -> None:
    text = """
thread = threading.Thread(target=end_on_sigterm)
thread.start()
thread.join()
say(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
"""
    with program(text) as process:
        assert (line(process), process.wait(60)) == ("True", 0)


@pytest.mark.parametrize(("last", "said"), [("pass", "ended"), ("threading.Event().wait()", "interrupted")])
def test_command_with_patience_is_interrupted_only_when_its_end_is_held_up(last: str, said: str) -> None:
    text = f"""
stopped = threading.Event()
try:
    with stopping_on_signals(stopped.set, patience_seconds=0.1):
        say("begun")
        stopped.wait()
        {last}
    time.sleep(0.3)
    say("ended")
except KeyboardInterrupt:
    say("interrupted")
"""
    with program(text) as process:
        assert line(process) == "begun"
        process.send_signal(signal.SIGTERM)
        assert (line(process), process.wait(60)) == (said, 0)


def test_call_on_another_thread_gives_what_it_returns_or_raises() -> None:
    assert interruptible(lambda _go_on: 3) == 3
    with pytest.raises(ValueError, match="three"):
        interruptible(lambda _go_on: int("three"))


STEPS = """
def steps(go_on):
    begin()
    try:
        while True:
            time.sleep(0.01)
            go_on()
    finally:
        say("tidied up")

try:
    interruptible(steps)
except KeyboardInterrupt:
    say("interrupted")
"""


def test_call_of_several_steps_tidies_up_after_ctrl_c() -> None:
    with program("begin = lambda: say('begun')\n" + STEPS) as process:
        assert line(process) == "begun"
        process.send_signal(signal.SIGINT)
        assert [line(process), line(process)] == ["tidied up", "interrupted"]


def test_ctrl_c_that_the_waiting_thread_did_not_hear_ends_a_call() -> None:
    with program("begin = lambda: to_another_thread(signal.SIGINT)\n" + STEPS) as process:
        assert [line(process), line(process)] == ["tidied up", "interrupted"]
