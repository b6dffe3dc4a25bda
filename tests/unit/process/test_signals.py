"""SIGTERM and Ctrl+C end a command in order, in a process of its own."""

import signal
import subprocess
import sys

import pytest

END = """
import signal
from penstock.process.signals import end_on_sigterm
end_on_sigterm()
try:
    signal.raise_signal(signal.SIGTERM)
except KeyboardInterrupt:
    print("ended as by Ctrl+C")
"""
ASIDE = """
import signal, threading
from penstock.process.signals import end_on_sigterm
thread = threading.Thread(target=end_on_sigterm)
thread.start()
thread.join()
print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
"""
STOP = """
import signal
from penstock.process.signals import stop_on_signals
stop_on_signals(lambda: print("stopped"))
signal.raise_signal(signal.{name})
print("drained")
"""


def run(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_sigterm_ends_a_command_as_ctrl_c_does() -> None:
    assert run(END) == ["ended as by Ctrl+C"]


def test_outside_of_the_main_thread_signals_stay_as_they_are() -> None:
    assert run(ASIDE) == ["True"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_signals_ask_it_to_stop_and_it_drains(number: signal.Signals) -> None:
    assert run(STOP.format(name=number.name)) == ["stopped", "drained"]
